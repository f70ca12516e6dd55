/*
 * What handlers do that misbehave: each does its deed in the first attempt of its job, and nothing in later ones. Before
 * it does, or when it knows what came of it, it notes that in the file misdeeds.log beside the effect log, if there is
 * one, as a record of the harness's histories:
 *
 *   AT WORD JOB PID TEXT…
 *
 * None does harm to the machine, whatever limits are missing: each bounds itself.
 */
#ifndef LOCUM_TOOLS_CHAOS_HANDLER_MISDEED_H
#define LOCUM_TOOLS_CHAOS_HANDLER_MISDEED_H

#include "tools/chaos/handler/effect.h"

/* Does the deed of that name; effects is the path of the effect log. Returns the exit code of the run, if it returns, or -1
 * when there is no such deed or this is not the first attempt. */
int misdeed_do(const struct effect *effect, const char *effects, const char *word);

#endif
