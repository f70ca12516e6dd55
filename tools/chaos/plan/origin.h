/* What a run was asked to play, as its folder tells it. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_ORIGIN_H
#define LOCUM_TOOLS_CHAOS_PLAN_ORIGIN_H

#include "base/error.h"
#include "tools/chaos/history/facts.h"
#include "tools/chaos/plan/plan.h"

/* Makes the plan of FOLDER/scenario.conf, or of the faults that were named, with the seed that the facts of FOLDER/run say.
 * The scenario of a suite has to be that suite. *plan is to be given to plan_fini in every case. ERROR_INPUT says what is
 * missing or does not agree. */
int origin_plan(const char *folder, const struct facts *facts, struct plan *plan,
		struct error *err);

#endif
