/* One transaction of the pump: completes the previous batch, writes what has started, claims the next. */
#ifndef LOCUM_DISPATCHER_TURN_H
#define LOCUM_DISPATCHER_TURN_H

#include "dispatcher/pump_state.h"

/* Does what is due. Returns whether another turn is due at once. */
bool turn_run(struct pump *pump, int64_t now_ms);

/* When a turn is due next, by CLOCK_MONOTONIC. */
int64_t turn_due_ms(const struct pump *pump);

#endif
