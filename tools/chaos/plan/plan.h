/*
 * What is to be played. A scenario file (libConfuse, like locumd's configuration) or the command line gives it:
 *
 *   jobs = 20000              submitted in each act, at least
 *   dispatchers = 4
 *   for = "3m"                an act's faults come in random order, each once, and then again until so long has
 *                             passed; "0s": each once, in the order of the file
 *   seed = 0                  0: chosen and told
 *   endless = false           true: after the last act comes the first again, until the run is stopped
 *   intervals { ping = "200ms" death = "2s" grace = "200ms" margin = "300ms" scan = "200ms" poll = "200ms" }
 *   load { clients = 4 rate = 0 batch = 20 handlers = {"plugin=6", "service=3", "command=1"} cancel = 1 }
 *   act "processes" {
 *       stage = "plain"
 *       faults = {"dispatcher-killed", "dispatcher-stopped"}         {"all"}: all of the stage
 *       pairs = {"dispatcher-killed + server-crashed"}
 *       random_pairs = 10     so many more, drawn by the seed from its faults and, on another stage than the plain one,
 *                             from the plain one's for the other half
 *       jobs = 5000           and every other setting from above, for this act
 *   }
 *
 * An act can play the faults of its stage and those of the plain one.
 *
 * The suites "quick", "full", "soak" and "probes" are such files, installed as PREFIX/share/locum/chaos/NAME.conf and
 * embedded in the program.
 */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_PLAN_H
#define LOCUM_TOOLS_CHAOS_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/faults/fault.h"

struct plan_intervals {
	int64_t ping_ms;
	int64_t death_ms;
	int64_t grace_ms;
	int64_t margin_ms;
	int64_t scan_ms;
	int64_t poll_ms;
};

/* How much of the load goes to which of the harness's handlers, by weight. */
enum plan_handler {
	PLAN_PLUGIN,
	PLAN_TRANSACTION, /* a plugin that is done in the transaction of its job */
	PLAN_SERVICE,
	PLAN_COMMAND,
	PLAN_SQL,
	PLAN_USER,
	PLAN_HANDLERS
};

/* "plugin" and so on: the names of the handlers, too. */
extern const char *const plan_handler_names[PLAN_HANDLERS];

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
	uint64_t seed; /* of this act; run.c draws it from the plan's */
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

/* A fault that is not played, and why. */
struct plan_skip {
	const struct fault *fault;
	const char *why; /* a literal */
};

struct plan {
	char *name;
	char *text; /* of the scenario; NULL when there is none */
	uint64_t seed;
	bool endless;
	const char *user_handler; /* --handler, or NULL; of argv */
	const char *conninfo;     /* -d: a scratch database, or NULL: private clusters */
	struct plan_act *acts;
	size_t act_count;
	struct plan_skip *skips; /* what the database of -d is spared, each fault once */
	size_t skip_count;
};

/* What a scenario that says nothing has, but for its name and its bouts. */
extern const struct plan_act plan_default;

/* Reads a scenario file; a wrong one is ERROR_INPUT that names file and line. */
int plan_read(struct plan *plan, const char *path, struct error *err);

/* The same for a suite that comes with the program. */
int plan_suite(struct plan *plan, const char *name, struct error *err);

/* A plan of these faults, each in an act on the stage that it needs (acts are shared by faults of one stage,
 * but not by such that may lose with such that may not). */
int plan_of_faults(struct plan *plan, const struct fault *const *faults, size_t count,
		   struct error *err);

void plan_fini(struct plan *plan);

/* --- what readers of plans need ----------------------------------------------------------------- */

/* A new act at the end of the plan, with the settings of *like; it takes the name, which is malloc'd, even when it fails.
 * NULL when memory ends. */
struct plan_act *plan_add_act(struct plan *plan, const struct plan_act *like, char *name);

/* A new bout at the end of the act. */
int plan_add_bout(struct plan_act *act, const struct fault *first, const struct fault *second,
		  struct error *err);

/* Notes that a fault is left out; one that is noted already stays as it is. */
int plan_skip(struct plan *plan, const struct fault *fault, const char *why, struct error *err);

/* Drops the acts behind the first `count`. */
void plan_cut(struct plan *plan, size_t count);

/* Whether the fault can be played on that stage. */
bool plan_suits(const struct fault *fault, enum stage_kind stage);

/* Whether all that is played is one fault. */
bool plan_is_lone(const struct plan *plan);

/* Whether what nobody could survive, or locumd would refuse, was asked for: ERROR_INPUT with a sentence. */
int plan_check_act(const struct plan_act *act, struct error *err);

/* --- what those who play need ------------------------------------------------------------------- */

/* Whether this machine can play anything of the act. */
bool plan_is_possible(const struct plan_act *act);

/* The bouts of a round of the act, from 0: its own, and its random pairs, drawn by the seed. *bouts is the caller's to
 * free. */
int plan_deal(const struct plan_act *act, uint64_t seed, int round, struct plan_bout **bouts,
	      size_t *count, struct error *err);

#endif
