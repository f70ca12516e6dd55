/* Scenario files: the text of plan.h, read with libConfuse. */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_SCENARIO_H
#define LOCUM_TOOLS_CHAOS_PLAN_SCENARIO_H

#include "base/error.h"
#include "tools/chaos/plan/plan.h"

/* Reads a file. *plan is to be given to plan_fini in every case. ERROR_INPUT names file and line. */
int scenario_read(struct plan *plan, const char *path, struct error *err);

/* The same for a text; `path` stands for it in errors, `name` is the plan's. */
int scenario_parse(struct plan *plan, const char *name, const char *path, const char *text,
		   struct error *err);

#endif
