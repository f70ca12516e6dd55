/* A configuration that is read again while the dispatcher runs: what of it counts at once, and how its agents are
 * matched with those that run. Called from main only. */
#ifndef LOCUM_DISPATCHER_CONFIG_RELOAD_H
#define LOCUM_DISPATCHER_CONFIG_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "dispatcher/config.h"

/* Whether a setting that is read again counts at once. */
bool config_reload_is_live(const char *key);

/* Gives the other settings the values that they had at the start, and writes the names of those that differ to names,
 * separated by ", ". */
int config_reload_keep(struct config *config, const struct config *start, char *names, size_t size,
		       struct error *err);

/* One of the agents that there are: its index stays the same as long as it lives. */
struct config_seat {
	const char *name;
	bool vacant; /* it left, and nothing of it is left */
};

/* Brings the agents of the configuration to their seats: one that has a seat keeps it, a new one gets a vacant seat or
 * one at the end. A seat whose agent is not in the configuration keeps an agent of that name that is leaving and runs
 * nothing. ERROR_INPUT when LIMIT_AGENTS are too few. */
int config_reload_seat(struct config *config, const struct config_seat *seats, int count,
		       struct error *err);

#endif
