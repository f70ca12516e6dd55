/*
 * A run: acts one after the other, each judged as it ends. Its folder holds
 *
 *   run                 what was asked for, as NAME=VALUE lines: seed, suite, version, machine, settings, time, and the
 *                       build id of each program (build_locumd …); the faults, where they were named; scratch (0|1): on a
 *                       database of the user's
 *   scenario.conf       the suite or the scenario file, unless faults were named
 *   verdict.json        of the whole
 *   report.html
 *   NN-ACT/act          the act's settings as NAME=VALUE lines: name, stage, seed, jobs, dispatchers, ping_us, death_us, grace_us,
 *                       margin_us, scan_us, poll_us, began_us (CLOCK_MONOTONIC), began_real_us (since 1970), ordered (0|1), server (its version)
 *   NN-ACT/….log        its histories (history.h); of a valid act of an endless run only that of the nemesis
 *   NN-ACT/verdict.json
 *   NN-ACT/logs/        what the dispatchers and the server logged
 */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_RUN_H
#define LOCUM_TOOLS_CHAOS_PLAY_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"
#include "tools/chaos/plan/plan.h"

/* How far it is. */
struct run_progress {
	const char *act;
	int act_number; /* from 1 */
	int acts;
	const char *what; /* the faults that are played, or what else is done */
	int done;         /* bouts of the act */
	int all;          /* 0: it is not a matter of bouts now */
	int64_t jobs;     /* acknowledged in this act */
	int64_t left_ms;  /* of the run, as far as can be told; -1: until it is stopped */
};

struct run {
	const struct plan *plan;
	const char *folder;   /* is there, and empty */
	const char *programs; /* the folder of locumd */
	int64_t for_ms;       /* an endless plan ends after that long; 0: when it is stopped */
	void (*tell)(void *to, const struct run_progress *progress); /* or NULL */
	void *to;
	void (*warn)(const char *text); /* something is for the user to do; or NULL */
	int cleaned; /* things that runs before, which were killed, had left, and that were undone */
	/* Set by the first SIGINT or SIGTERM: the fault that is on is the last, and the act is judged as it is then; and by
	 * the second: nothing is waited for any more. What was harmed is healed in both cases. */
	atomic_bool stop;
	atomic_bool hurry;
};

/* Plays and judges. *verdict is set on success. */
int run_play(struct run *run, struct verdict *verdict, struct error *err);

#endif
