/*
 * The judge: reads the histories of an act and says which invariants held. It knows locum only through what the
 * witnesses wrote (history.h). Streams; at most 32 bytes a job.
 */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_CHECKER_H
#define LOCUM_TOOLS_CHAOS_JUDGE_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"

struct plan_act;

/* What was to be played, by the scenario and the seed of the run. The act's own file has to say the same. */
struct checker_terms {
	const struct plan_act *act;
	uint64_t seed;
	bool whole; /* it was not cut off: each of its faults had its turn */
	bool lone;  /* the run is for one fault, whose criteria are what it is to tell */
};

/* Judges the act in FOLDER (its files: history.h; its settings: FOLDER/act, see run.h). A history that is cut or
 * cannot be read makes the verdict unknown, and says why; so does an act that is not the one of the terms. NULL: what the
 * act's file says is believed, and with demand_FAULT=N what a fault of that name demands. -1 only when there is nothing to
 * judge. */
int checker_judge(const char *folder, const struct checker_terms *terms, struct verdict *verdict,
		  struct error *err);

#endif
