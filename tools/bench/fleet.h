/* A fleet of dispatchers that have nothing to do: what they send, at the intervals of the defaults. */
#ifndef LOCUM_TOOLS_BENCH_FLEET_H
#define LOCUM_TOOLS_BENCH_FLEET_H

#include <stdbool.h>

#include "base/error.h"

enum { FLEET_DISPATCHERS_MAX = 10000, FLEET_WORKERS_MAX = 64 };

struct fleet_options {
	const char *conninfo;
	int dispatchers;
	int workers; /* threads, each with two connections and its share of the dispatchers */
	int seconds;
	bool bare; /* a statement that does nothing in place of scan and look: what the round trips cost */
};

/* Registers the dispatchers, lets each send everything once, writes "running" to stdout, goes on for `seconds`, and
 * writes "over" and how often each errand was done, a line "NAME COUNT" for each. */
int fleet_run(const struct fleet_options *options, struct error *err);

/* Sends that many pings of one dispatcher, one after the other, between the lines "running" and "over". */
int fleet_ping(const char *conninfo, int pings, struct error *err);

#endif
