/* The pump takes over another configuration. */
#ifndef LOCUM_DISPATCHER_RELOAD_H
#define LOCUM_DISPATCHER_RELOAD_H

#include "dispatcher/pump_state.h"

/* Takes *config, which is on the heap and whose agents are in their seats (dispatcher/config_reload.h), and tells the
 * agents. What was claimed stays claimed. When memory ends, nothing changes and a line says so. */
void reload_take(struct pump *pump, struct config *config);

/* Frees what a reload has left to the pump. */
void reload_close(struct pump *pump);

#endif
