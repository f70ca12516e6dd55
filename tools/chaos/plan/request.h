/* What the command line of `locum chaos run` asks for, as a plan. */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_REQUEST_H
#define LOCUM_TOOLS_CHAOS_PLAN_REQUEST_H

#include "base/error.h"
#include "tools/chaos/plan/plan.h"
#include "tools/locum/chaos_options.h"

/* *plan is to be given to plan_fini in every case. Sets *for_ms to how long an endless plan goes on; 0: until it is
 * stopped. */
int request_plan(struct chaos_options *options, struct plan *plan, int64_t *for_ms,
		 struct error *err);

/* Makes the run's folder: --output, which is not there or empty, or one named by the time. The caller's to free. */
char *request_folder(const struct chaos_options *options, struct error *err);

#endif
