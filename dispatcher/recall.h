/* Calls jobs back from the agents that expired before they started, so that a sweep can end them. */
#ifndef LOCUM_DISPATCHER_RECALL_H
#define LOCUM_DISPATCHER_RECALL_H

#include "dispatcher/pump_state.h"

/* When a job that was claimed just now is called back: *recall_ms of its holding. expires_in_ms is as the
 * claim gave it. */
void recall_plan(struct pump *pump, struct holding *holding, int64_t expires_in_ms);

/* Calls back what is overdue. An agent ignores it for a job that has begun; until it says which, it is asked
 * again now and then. */
void recall_run(struct pump *pump, int64_t now_ms);

#endif
