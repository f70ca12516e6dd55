/*
 * Agents that found nothing to claim look before they claim again: one statement that only reads stands for a claim,
 * for the sweeps of what is due or has expired, and for the look at the queues. What is seen is for the turn that
 * follows.
 */
#ifndef LOCUM_DISPATCHER_SCOUT_H
#define LOCUM_DISPATCHER_SCOUT_H

#include "dispatcher/pump_state.h"

/* Looks for the agents that would claim now. Returns 0, or -1. */
int scout_run(struct pump *pump, int64_t now_ms, struct error *err);

/* An agent whose look may go along with a scan: it is due within half a poll_interval. From then on the two are due
 * together, and waiting costs one round trip, not two. -1: none. */
int scout_find(const struct pump *pump, int64_t now_ms);

/* The look of an agent: asked for, and its answer taken, or NULL if there was none. Returns 0, or -1. */
void scout_call(struct pump *pump, int agent, struct db_call *call);
int scout_take(struct pump *pump, int agent, int64_t now_ms, const PGresult *rows,
	       struct error *err);

#endif
