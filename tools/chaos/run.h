/*
 * A run: acts one after the other, each judged as it ends. Its folder holds
 *
 *   run                 what was asked for, as NAME=VALUE lines: seed, suite, versions, machine, settings, time
 *   verdict.json        of the whole
 *   report.html
 *   NN-ACT/act          the act's settings as NAME=VALUE lines: name, stage, seed, jobs, dispatchers, ping_us, death_us, grace_us,
 *                       margin_us, scan_us, poll_us, began_us (CLOCK_MONOTONIC), began_real_us (since 1970), ordered (0|1)
 *   NN-ACT/*.log        its histories (history.h)
 *   NN-ACT/verdict.json
 *   NN-ACT/logs/        what the dispatchers and the server logged
 */
#ifndef LOCUM_TOOLS_CHAOS_RUN_H
#define LOCUM_TOOLS_CHAOS_RUN_H

#include <stdatomic.h>

#include "base/error.h"
#include "tools/chaos/plan.h"
#include "tools/chaos/verdict.h"

struct run {
	const struct plan *plan;
	const char *folder;
	const char *programs; /* the folder of locumd */
	bool quiet;
	atomic_bool stop; /* set by SIGINT and SIGTERM */
};

/* Plays and judges. *verdict is set on success. */
int run_play(struct run *run, struct verdict *verdict, struct error *err);

#endif
