/*
 * One transaction of the pump: completes the previous batch, writes what has started, claims the next. It is sent
 * on a connection, and its answer is taken when it is there.
 */
#ifndef LOCUM_DISPATCHER_TURN_H
#define LOCUM_DISPATCHER_TURN_H

#include "dispatcher/pump_state.h"

/* Sends what is due on the main connection, which has no turn. */
void turn_begin(struct pump *pump, int64_t now_ms);

/* Whether so much is due that another connection is worth its while. */
bool turn_is_worth_another(const struct pump *pump, int64_t now_ms);

/* The same on another connection: whole batches only. */
void turn_begin_extra(struct pump *pump, struct connection *connection, int64_t now_ms);

/* Takes the answer of the connection's turn, waiting for it. */
void turn_take(struct pump *pump, struct connection *connection);

/* Takes the answers of all turns that are on their way, waiting for them so long at most. */
void turn_take_all(struct pump *pump, int64_t most_ms);

/* The connection is lost with its turn, if it has one: what was sent is sent again, what was claimed is looked
 * for. */
void turn_drop(struct pump *pump, struct connection *connection);

/* Whether the next turn would claim for this agent. */
bool turn_may_claim(const struct pump *pump, int agent, int64_t now_ms);

/* Somebody looked: nothing was due or expired. */
void turn_skip_sweeps(struct pump *pump, int64_t now_ms);

/* Whether a claim is on its way. */
bool turn_is_claiming(const struct pump *pump);

/* When a turn is due next, by CLOCK_MONOTONIC. */
int64_t turn_due_ms(const struct pump *pump);

#endif
