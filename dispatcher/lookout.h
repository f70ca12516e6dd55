/* The pump's watch over its siblings. */
#ifndef LOCUM_DISPATCHER_LOOKOUT_H
#define LOCUM_DISPATCHER_LOOKOUT_H

#include "dispatcher/pump_state.h"

/* Scans and sweeps when due. */
void lookout_run(struct pump *pump, int64_t now_ms);

#endif
