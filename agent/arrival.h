/*
 * An arrival: a job that came and has not started. There may be ten thousand, so it is little more than the bytes of
 * the RUN frame that brought it; the run is made when the job starts. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_ARRIVAL_H
#define LOCUM_AGENT_ARRIVAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/program.h"
#include "base/error.h"
#include "base/wire.h"

struct arrival {
	TAILQ_ENTRY(arrival) link; /* of the line in which it waits */
	struct program *program;
	uint64_t number; /* in the order they came */
	int64_t job;
	uint32_t payload; /* its bytes */
	uint32_t length;
	char entry[]; /* of the frame */
};

TAILQ_HEAD(arrival_list, arrival);

/* Keeps a job and its entry in the frame (wire_read_run). NULL when memory ends. */
struct arrival *arrival_make(struct program *program, const struct wire_job *job,
			     struct wire_bytes entry, struct error *err);

/* NULL is allowed. */
void arrival_free(struct arrival *arrival);

/* The job, whose texts belong to the arrival. */
struct wire_job arrival_job(const struct arrival *arrival);

/* The one of this claim, or NULL. */
struct arrival *arrival_find(const struct arrival_list *list, int64_t job, struct uuid claim);

#endif
