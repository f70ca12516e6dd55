/*
 * Probation: jobs that deaths interrupted more than once begin one after the other here, each alone for a while that grows with every
 * death, so that one that kills its worker is known and those that ran beside it are not blamed.
 */
#ifndef LOCUM_DISPATCHER_PROBATION_H
#define LOCUM_DISPATCHER_PROBATION_H

#include "db/job.h"
#include "dispatcher/pump_state.h"

/* Whether a run of the job begins on probation. */
bool probation_applies(const struct job_claimed *job);

/* Whether none is on probation here. */
bool probation_is_free(const struct pump *pump);

/* The job goes to its agent now. */
void probation_enter(struct pump *pump, const struct job_claimed *job, struct uuid claim_id);

/* Looks whether it has ended, or its probation has: then others may be claimed. */
void probation_run(struct pump *pump, int64_t now_ms);

/* Whether a run that has just been cut short is to blame rather than those beside it (locum.on_probation). */
bool probation_blames(const struct holding *holding, int64_t now_boot_ms);

#endif
