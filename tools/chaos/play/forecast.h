/* How long a run will still take: what its plan asks for, and what its bouts took so far. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_FORECAST_H
#define LOCUM_TOOLS_CHAOS_PLAY_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/chaos/plan/plan.h"

struct forecast {
	const struct plan *plan;
	int64_t ends_ms; /* of an endless plan, by the monotonic clock; 0: never */
	bool *idle; /* by the place of the act: this machine can play nothing of it; NULL: not known */
	size_t act;       /* the one that is on, by its place */
	int64_t began_ms; /* its first bout; 0: not yet */
	bool over;        /* its last bout is */
	int done;         /* of its bouts */
	int64_t bouts;    /* of the acts before */
	int64_t bouts_ms;
};

/* The plan outlives it. for_ms: how long an endless plan is played, 0: until it is stopped. */
void forecast_init(struct forecast *forecast, const struct plan *plan, int64_t for_ms);
void forecast_fini(struct forecast *forecast);

/* An act begins, by its place in the plan; so many of its bouts are done; the last of them is. */
void forecast_act(struct forecast *forecast, size_t act);
void forecast_bout(struct forecast *forecast, int done);
void forecast_bouts_over(struct forecast *forecast);

/* In milliseconds; -1: until it is stopped. */
int64_t forecast_left_ms(const struct forecast *forecast);

#endif
