/* The end of a pump's work: quiet, the drain, and handing back what it does not wait for. */
#ifndef LOCUM_DISPATCHER_DRAIN_H
#define LOCUM_DISPATCHER_DRAIN_H

#include "dispatcher/pump_state.h"

/* Claims nothing more. */
void drain_quiet(struct pump *pump);

/* Claims nothing more, hands back what has not started, and waits for the rest until drain_timeout, counted from since_ms
 * (CLOCK_MONOTONIC). */
void drain_begin(struct pump *pump, int64_t since_ms);

/* Waits no more: hands everything back, and ends within PUMP_RELEASE_MS. */
void drain_release(struct pump *pump);

/* Tells the database, once. */
void drain_say(struct pump *pump);

/* Whether nothing is held any more. Hands back what is when the time is over. */
bool drain_is_over(struct pump *pump);

/* How many jobs were held when it began, how many of them the database has taken back, and how many are left. */
void drain_log(const struct pump *pump);

#endif
