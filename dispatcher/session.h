/* The pump's standing with the database: its connection, and what both must know of each other. */
#ifndef LOCUM_DISPATCHER_SESSION_H
#define LOCUM_DISPATCHER_SESSION_H

#include "dispatcher/pump_state.h"

/* Sees to what must be in order before a turn: connects, and tells or asks what has changed. */
int session_prepare(struct pump *pump, int64_t now_ms, struct error *err);

/* Opens an additional connection, unless it is open. */
int session_open_extra(struct pump *pump, struct connection *connection, struct error *err);

#endif
