/* How a stage makes its PgBouncer; what may be done with it is in stage.h. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_POOLER_H
#define LOCUM_TOOLS_CHAOS_STAGE_POOLER_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* Starts one in transaction mode, in SCRATCH/pooler, before stage->server. NULL on error. */
struct pooler *pooler_open(const struct stage *stage, const char *server_folder, int server_port,
			   struct error *err);

/* Ends it if it runs. NULL is allowed. */
void pooler_close(struct pooler *pooler);

/* Where clients connect. */
const char *pooler_conninfo(const struct pooler *pooler);

#endif
