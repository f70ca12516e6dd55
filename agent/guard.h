/*
 * The guard at the fence: compares the shared deadline with CLOCK_BOOTTIME.
 *
 * Every callback of the loop calls guard_check before anything else, so that after a freeze the first
 * act is the kill. Between callbacks a timer on CLOCK_BOOTTIME wakes the loop at the next edge, and a
 * short recheck notices a deadline that was lowered or raised. Owned by the loop's thread.
 *
 * When the dispatcher's life is another one, the fence was down in between, even if nobody was awake to see it.
 */
#ifndef LOCUM_AGENT_GUARD_H
#define LOCUM_AGENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/fence.h"

enum guard_level {
	GUARD_OPEN,    /* jobs may start */
	GUARD_CLOSING, /* less than the kill grace is left: SIGTERM, and nothing starts */
	GUARD_DOWN,    /* the deadline has passed: SIGKILL */
};

/* Called by guard_check at every check that finds another level than GUARD_OPEN, and at every change
 * of level or life: for a life that is over with GUARD_DOWN. Must do no more than signal processes and set flags. */
typedef void guard_act(void *context, enum guard_level level, bool changed);

struct guard {
	const struct fence *fence; /* borrowed */
	int64_t grace_ms;          /* the kill grace */
	guard_act *act;
	void *context;
	enum guard_level level; /* at the last check; down before the first */
	int64_t life;           /* of the dispatcher, at the last check */
	int64_t armed_ms;       /* the timer's edge, or 0 */
	int timer_fd;
	uv_poll_t timer;
	uv_timer_t recheck;
};

/* The guard is borrowed by the loop until the callbacks of guard_close have run. */
int guard_open(struct guard *guard, uv_loop_t *loop, const struct fence *fence, guard_act *act,
	       void *context, struct error *err);

void guard_set_grace(struct guard *guard, int64_t grace_ms);

/* Acts on the deadline as it is now. */
enum guard_level guard_check(struct guard *guard);

/* Makes the loop wake at the next edge; `watch`: a job runs, so a lowered deadline matters. */
void guard_arm(struct guard *guard, bool watch);

/* When the kill grace before the deadline begins, in milliseconds of CLOCK_BOOTTIME: nothing may start then. */
int64_t guard_limit_ms(const struct guard *guard);

void guard_close(struct guard *guard);

#endif
