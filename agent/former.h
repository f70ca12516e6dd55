/*
 * What was claimed in a life of the dispatcher that is over: others have it, and nobody wants to hear of it. The guard
 * kills what of it runs; this is about what waits.
 */
#ifndef LOCUM_AGENT_FORMER_H
#define LOCUM_AGENT_FORMER_H

#include <stdbool.h>

#include "agent/agent.h"

/* Whether the job is of another life than the guard saw last. */
bool former_has(const struct agent *agent, const struct wire_job *job);

/* Whether a life has ended since former_drop: until then nothing may start. */
bool former_is_here(const struct agent *agent);

/* Drops what waits and is of a former life. */
void former_drop(struct agent *agent);

#endif
