/*
 * What is to be played. A scenario file (libConfuse, like locumd's configuration) or the command line gives it:
 *
 *   jobs = 20000              submitted in each act, at least
 *   dispatchers = 4
 *   for = "3m"                an act's bouts go on at least so long, repeating its faults; 0: each once
 *   seed = 0                  0: chosen and told
 *   intervals { ping = "200ms" death = "2s" grace = "200ms" margin = "300ms" scan = "200ms" poll = "200ms" }
 *   load { clients = 4 rate = 0 batch = 20 handlers = {"plugin=6", "service=3", "command=1"} cancel = 1 }
 *   act "processes" {
 *       stage = "plain"
 *       faults = {"dispatcher-killed", "dispatcher-stopped"}
 *       pairs = {"dispatcher-killed + server-crashed"}
 *       random_pairs = 10     so many more, drawn from its faults by the seed
 *       jobs = 5000           and every other setting from above, for this act
 *   }
 *
 * suite "quick", "full" and "soak" are such files, installed as PREFIX/share/locum/chaos/NAME.conf and embedded in the program.
 */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_H
#define LOCUM_TOOLS_CHAOS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/fault.h"

struct plan_intervals {
	int64_t ping_ms;
	int64_t death_ms;
	int64_t grace_ms;
	int64_t margin_ms;
	int64_t scan_ms;
	int64_t poll_ms;
};

/* How much of the load goes to which of the harness's handlers, by weight. */
enum plan_handler { PLAN_PLUGIN, PLAN_SERVICE, PLAN_COMMAND, PLAN_SQL, PLAN_USER, PLAN_HANDLERS };

struct plan_load {
	int clients;
	int rate; /* jobs a second; 0: as fast as the fleet does them, with a backlog of `backlog` */
	int backlog;
	int batch;
	int weights[PLAN_HANDLERS];
	int cancel_percent;
	int64_t work_ms; /* how long a command's job works; plugins and services: a hundredth of it */
};

/* One injection: a fault, or two that overlap. */
struct plan_bout {
	const struct fault *first;
	const struct fault *second; /* or NULL */
};

struct plan_act {
	char *name;
	enum stage_kind stage;
	int64_t jobs;
	int dispatchers;
	int64_t for_ms;
	struct plan_intervals intervals;
	struct plan_load load;
	struct plan_bout *bouts;
	size_t bout_count;
	int random_pairs;
};

struct plan {
	char *name;
	uint64_t seed;
	const char *user_handler; /* --handler, or NULL; of argv */
	const char *conninfo;     /* -d: a scratch database, or NULL: private clusters */
	struct plan_act *acts;
	size_t act_count;
};

/* Reads a scenario file; a wrong one is ERROR_INPUT that names file and line. */
int plan_read(struct plan *plan, const char *path, struct error *err);

/* The same for a suite that comes with the program. */
int plan_suite(struct plan *plan, const char *name, struct error *err);

/* A plan of these faults, each in an act on the stage that it needs (acts are shared by faults of one stage). */
int plan_of_faults(struct plan *plan, const struct fault *const *faults, size_t count,
		   struct error *err);

void plan_fini(struct plan *plan);

#endif
