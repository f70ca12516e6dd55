/*
 * What happened in an act, over its time, for a picture: the lives of each dispatcher, what it claimed, what it lost,
 * and how much was done. Read from the histories (history.h) in one go, in memory that does not grow with the jobs.
 * One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_TIMELINE_H
#define LOCUM_TOOLS_CHAOS_REPORT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/report/digest.h"

enum { TIMELINE_SLICES = 300, TIMELINE_LANES = 64, TIMELINE_NAME = 64, TIMELINE_UUID = 40 };

/* From its registration to the last that it wrote. Times are CLOCK_MONOTONIC in microseconds. */
struct timeline_life {
	char incarnation[TIMELINE_UUID];
	int64_t from_us;
	int64_t to_us;
	int64_t dead_us; /* it was declared dead; 0: it was not */
	bool stopped;    /* in good order */
};

/* A dispatcher. */
struct timeline_lane {
	char name[TIMELINE_NAME];
	struct timeline_life *lives;
	size_t life_count;
	int64_t *fences_us;
	size_t fence_count;
	uint32_t claimed[TIMELINE_SLICES]; /* jobs */
	uint32_t taken[TIMELINE_SLICES];   /* jobs that it had and others got */
};

struct timeline {
	int64_t from_us;
	int64_t to_us;
	struct timeline_lane *lanes;
	size_t lane_count;
	size_t lanes_left_out;           /* beyond TIMELINE_LANES */
	uint32_t ended[TIMELINE_SLICES]; /* jobs whose end was accepted */
};

/* NULL with *err when the act has left nothing to show or memory ends. A history that is cut is read as far as it
 * goes. */
struct timeline *timeline_open(const struct digest_act *act, struct error *err);
void timeline_close(struct timeline *timeline);

/* Microseconds that a slice is long; at least 1. */
int64_t timeline_slice_us(const struct timeline *timeline);

#endif
