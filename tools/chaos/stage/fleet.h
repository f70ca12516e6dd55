/* How a stage makes its fleet; what may be done with it is in stage.h. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_FLEET_H
#define LOCUM_TOOLS_CHAOS_STAGE_FLEET_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* The dispatchers of stage->act, none of which runs yet. NULL on error. */
struct fleet *fleet_make(struct stage *stage, struct error *err);

/* In the network namespace of that name, from where it finds the server by that conninfo. */
int fleet_move(struct fleet *fleet, int place, const char *namespace, const char *conninfo,
	       struct error *err);

/* Ends all of them at once, and what came of them. NULL is allowed. */
void fleet_close(struct fleet *fleet);

/* Its name, as in worker-NAME.log. */
const char *fleet_name(const struct fleet *fleet, int place);

/* The path of its log. */
const char *fleet_log(const struct fleet *fleet, int place);

#endif
