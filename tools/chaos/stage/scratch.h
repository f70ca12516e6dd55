/* A database of the user's own that is given up to the harness (-d). */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_SCRATCH_H
#define LOCUM_TOOLS_CHAOS_STAGE_SCRATCH_H

#include <stdbool.h>

#include "base/error.h"
#include "tools/chaos/plan/plan.h"
#include "tools/locum/cli.h"

/* Refuses a database that has jobs, asks on the terminal unless `yes`, and takes what would hurt the server itself out of
 * the plan. Nothing to do when cli->conninfo is NULL. */
int scratch_use(struct cli *cli, bool yes, struct plan *plan, struct error *err);

/* Takes what would hurt the server itself, or needs another stage, out of the plan. */
int scratch_spare(struct plan *plan, struct error *err);

#endif
