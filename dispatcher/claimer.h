/*
 * The claimer of one agent: what to scan for it, how much to take, and when to look again.
 *
 * It keeps a cursor per queue and priority, the lowest id worth looking at in the lane of new jobs: a hint,
 * in memory only. What commits late below a cursor is found by a rescan from the head, CLAIMER_RESCAN_MS after the last. It
 * takes at most one part in CLAIMER_RESCAN_SHARE of the time, and is due CLAIMER_RESCAN_MOST_MS after the last at the latest: what took
 * so long may have been a process or a server that stood still. Requeued jobs are always scanned from their head. Owned by
 * the pump's thread.
 */
#ifndef LOCUM_DISPATCHER_CLAIMER_H
#define LOCUM_DISPATCHER_CLAIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "db/job.h"
#include "db/queue.h"
#include "dispatcher/config.h"

enum {
	CLAIMER_RESCAN_SHARE = 20,
	CLAIMER_RESCAN_MS = 20,
	CLAIMER_RESCAN_MOST_MS = 20000,
	CLAIMER_HOLD_MS = 250,
};

struct claimer;

/* The configuration is borrowed. NULL when memory ends. */
struct claimer *claimer_open(const struct config *config, const struct config_agent *agent);
void claimer_close(struct claimer *claimer);

/* Takes over what the claimer of the same agent has measured under another configuration. */
void claimer_inherit(struct claimer *claimer, const struct claimer *former);

/* A new life or a new connection: look at everything, from the head. */
void claimer_restart(struct claimer *claimer);

/* The names of the agent's queues, for queue_find, and what it found. */
const char *const *claimer_queues(const struct claimer *claimer, size_t *count);
void claimer_set_queues(struct claimer *claimer, const struct queue_row *rows, size_t count);

/* The name of one of the agent's queues. */
const char *claimer_queue_name(const struct claimer *claimer, int id);

/* The handlers that the agent takes: those of its configuration less the broken ones. */
const char *const *claimer_handlers(const struct claimer *claimer, size_t *count);
const char *const *claimer_broken(const struct claimer *claimer, size_t *count);

/* A handler cannot be executed here. Returns whether that is news. */
bool claimer_break(struct claimer *claimer, const char *handler, size_t length);

/* It works again. Returns whether that is news. */
bool claimer_mend(struct claimer *claimer, const char *handler, size_t length);

/* Remembers how long a run took, to size the prefetch. */
void claimer_measure(struct claimer *claimer, int64_t run_ms);

/* How many jobs to claim now, when the agent holds `load` that have not ended, or may soon: its free slots, and
 * what its slots do in PREFETCH_MS milliseconds of measured work. 0: none. */
int claimer_room(const struct claimer *claimer, size_t load);

/* Claims no more than the free slots, while jobs come that must not wait with the agent. */
void claimer_restrain(struct claimer *claimer, bool restrained);

/* When the next claim is due, in milliseconds of CLOCK_MONOTONIC. */
int64_t claimer_due_ms(const struct claimer *claimer);

/* A job came back because it could not be started here at the moment: claims nothing for CLAIMER_HOLD_MS. */
void claimer_hold(struct claimer *claimer, int64_t now_ms);

/* Look at once: somebody said that there is work. */
void claimer_wake(struct claimer *claimer);

/* Whether the last claims found nothing, so that a submitter should wake us. */
bool claimer_is_dry(const struct claimer *claimer);

/* Whether the last claim took all that it asked for, so that there is probably more in line. */
bool claimer_is_full(const struct claimer *claimer);

/* Begins a claim: fills its ranges, which belong to the claimer and hold until the next begins. 0: no queue to
 * scan. Several claims may be on their way; while one that rescans is, there is no room for another. */
size_t claimer_begin(struct claimer *claimer, int64_t now_ms, const struct job_range **ranges);

/* Takes in what a claim brought. */
void claimer_take(struct claimer *claimer, const struct job_claimed *jobs, size_t count, int asked,
		  int64_t began_ms, int64_t now_ms);

/* Whether to look instead of claiming, which costs less: the last claim found nothing, and this one would scan from the
 * head. */
bool claimer_looks(const struct claimer *claimer, int64_t now_ms);

/* Begins a look, as claimer_begin does a claim. What it fills in belongs to the claimer. */
void claimer_begin_look(struct claimer *claimer, struct job_look_args *look);

/* Takes in what a look told: that there is something, so that a claim is due at once, or that there is nothing. */
void claimer_take_look(struct claimer *claimer, bool found, int64_t began_ms, int64_t now_ms);

/* When a look found the queues as they are known; 0: never. */
int64_t claimer_confirmed_ms(const struct claimer *claimer);

/* A claim came to nothing, or nobody knows what it brought. */
void claimer_drop(struct claimer *claimer);

/* What the highest id was before the claim that is about to run; see claimer_wants_horizon. */
void claimer_set_horizon(struct claimer *claimer, int64_t horizon);

/* Whether the scan is so slow that the next claim should know the highest id, to skip what is not ours. */
bool claimer_wants_horizon(const struct claimer *claimer);

#endif
