/* Agents that found nothing to claim look before they claim again: one statement that only reads stands for a claim,
 * for the sweeps of what is due or has expired, and for the look at the queues. */
#ifndef LOCUM_DISPATCHER_SCOUT_H
#define LOCUM_DISPATCHER_SCOUT_H

#include "dispatcher/pump_state.h"

/* Looks for the agents that would claim now. What is seen is for the turn that follows. Returns 0, or -1. */
int scout_run(struct pump *pump, int64_t now_ms, struct error *err);

#endif
