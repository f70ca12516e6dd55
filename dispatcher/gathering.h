/*
 * The gathering of outcomes: while jobs end one soon after the other, those that end within a moment go to the database in
 * one completion, for a batch of ten costs the server little more than one alone. Nobody's start waits for it: who can be
 * given a new job gets it at once, and the outcomes go along. The pump's thread only.
 */
#ifndef LOCUM_DISPATCHER_GATHERING_H
#define LOCUM_DISPATCHER_GATHERING_H

#include <stdint.h>

#include "dispatcher/outbox.h"
#include "dispatcher/pump_state.h"

/* The batch to send now, as of outbox_send, or NULL: there is none, or more are worth waiting for. */
struct outbox_batch *gathering_send(struct pump *pump, int64_t now_ms);

/* When to ask again at the latest, in milliseconds of CLOCK_MONOTONIC; INT64_MAX: nothing waits. */
int64_t gathering_due_ms(const struct pump *pump);

#endif
