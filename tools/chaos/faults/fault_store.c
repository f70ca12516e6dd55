/* The tables under the fleet: other schemas, finished jobs that are forgotten, sweeps that are cut off; rows 62 to 65. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db.h"
#include "db/house.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/play/load.h"
#include "tools/chaos/stage/stage.h"

enum {
	REFUSAL_MS = 15000,
	INIT_MS = 30000,
	PATH_SIZE = 512,
	ANSWER_MS = 30000,
	FINISHED_LEAST = 50
};

static const char REFUSAL[] = "install a newer locum";

/* --- 62, 63: schemas ---------------------------------------------------------------------------- */

/* `locum init` of this version. */
static int init(struct bout *bout, struct error *err)
{
	const struct stage *stage = bout->stage;
	char program[PATH_SIZE];
	const char *argv[] = { program, "init", "-d", server_conninfo(stage->server), NULL };

	snprintf(program, sizeof(program), "%s/locum", stage->programs);
	return undo_run(stage->undo, argv, INIT_MS, err);
}

struct refusal {
	int said; /* before */
};

static bool was_refused(struct bout *bout)
{
	const struct refusal *refusal = bout->own;

	return fleet_logged(bout->stage->fleet, bout->target, REFUSAL) > refusal->said;
}

/* A dispatcher that ends and starts again finds a schema that is newer than itself. */
static int start_too_old(struct bout *bout, struct error *err)
{
	struct refusal *refusal = calloc(1, sizeof(*refusal));
	struct fleet *fleet = bout->stage->fleet;
	int status;

	bout->own = refusal;
	if (refusal == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	refusal->said = fleet_logged(fleet, bout->target, REFUSAL);
	if (fleet_signal(fleet, bout->target, SIGTERM, err) != 0 ||
	    fleet_await_end(fleet, bout->target, REFUSAL_MS, &status, err) != 0 ||
	    fleet_start(fleet, bout->target, err) != 0)
		return -1;
	return bout_await(bout, was_refused, REFUSAL_MS, "the refusal of a newer schema", err);
}

static int inject_upgrade(struct bout *bout, struct error *err)
{
	int64_t version;

	fleet_expect_end(bout->stage->fleet, -1);
	if (init(bout, err) != 0 ||
	    server_run(bout->stage->server, "schema_raise", NULL, 0, &version, err) != 0 ||
	    start_too_old(bout, err) != 0)
		return -1;
	bout_witness(bout, "the schema has version %d, and a dispatcher that starts refuses it",
		     (int)version);
	return 0;
}

static int inject_rollback(struct bout *bout, struct error *err)
{
	struct error refused = { .kind = ERROR_NONE };

	fleet_expect_end(bout->stage->fleet, -1);
	if (server_run(bout->stage->server, "schema_raise", NULL, 0, NULL, err) != 0)
		return -1;
	if (init(bout, &refused) == 0) {
		bout_broken(bout, "locum init took a newer schema for its own");
		return 0;
	}
	if (strstr(refused.text, REFUSAL) == NULL) {
		*err = refused;
		return -1;
	}
	bout_witness(bout, "%s", refused.text);
	return 0;
}

static int lower_schema(struct bout *bout, struct error *err)
{
	return server_script(bout->stage->server, "schema_lower", err);
}

/* The way back is followed by an init. */
static int roll_back(struct bout *bout, struct error *err)
{
	return lower_schema(bout, err) != 0 ? -1 : init(bout, err);
}

/* --- sweeps ------------------------------------------------------------------------------------- */

/* What a dispatcher does now and then, by a thread of ours. */
struct sweep {
	pthread_t thread;
	const char *conninfo;
	int deleted; /* -1: it failed */
	struct error err;
};

static void *sweep(void *argument)
{
	struct sweep *own = argument;
	const struct db_options options = {
		.conninfo = own->conninfo,
		.role = "sweep",
		.answer_ms = ANSWER_MS,
	};
	struct db *db;

	own->deleted = -1;
	if (db_open(&db, &options, &own->err) != 0)
		return NULL;
	own->deleted = house_keep(db, 1000, &own->err);
	db_close(db);
	return NULL;
}

/* --- 64: finished-forgotten --------------------------------------------------------------------- */

enum { SWEEPS = 20, SWEEP_PAUSE_MS = 100 };

static bool never(struct bout *bout)
{
	(void)bout;
	return false;
}

/* Sweeps at once and again, while commits of unknown fate are looked up. */
static int inject_forgetting(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;
	struct sweep own = { .conninfo = server_conninfo(server) };
	int64_t terminated = 0;
	int64_t before;
	int64_t forgotten;
	int64_t one = 0;

	if (server_run(server, "finished_forgotten", NULL, 0, &before, err) != 0 ||
	    server_script(server, "queue_forget", err) != 0)
		return -1;
	for (int i = 0; i < SWEEPS && !atomic_load(bout->stage->stop); i++) {
		sweep(&own);
		if (server_run(server, "pump_terminate", NULL, 0, &one, err) != 0)
			return -1;
		terminated += one;
		bout_await(bout, never, SWEEP_PAUSE_MS, "a sweep", NULL);
	}
	if (server_run(server, "finished_forgotten", NULL, 0, &forgotten, err) != 0)
		return -1;
	if (forgotten > before && terminated > 0)
		bout_witness(bout, "%d ended jobs were forgotten, %d sessions terminated",
			     (int)(forgotten - before), (int)terminated);
	return 0;
}

static int remember(struct bout *bout, struct error *err)
{
	return server_script(bout->stage->server, "queue_remember", err);
}

/* --- 65: sweep-killed --------------------------------------------------------------------------- */

static int64_t count_waiting(struct bout *bout)
{
	struct error err;
	int64_t waiting = 0;

	return server_run(bout->stage->server, "sweep_count", NULL, 0, &waiting, &err) == 0
		       ? waiting
		       : 0;
}

static bool do_two_wait(struct bout *bout)
{
	return count_waiting(bout) == 2;
}

/* bout->own is there as long as the transaction is open. */
static int open_transaction(struct bout *bout, struct error *err)
{
	if (server_run(bout->stage->server, "transaction_open", NULL, 0, NULL, err) != 0)
		return -1;
	bout->own = malloc(1);
	return bout->own == NULL ? error_set(err, ERROR_RETRY, "out of memory") : 0;
}

static int close_transaction(struct bout *bout, struct error *err)
{
	if (bout->own == NULL)
		return 0;
	free(bout->own);
	bout->own = NULL;
	return server_run(bout->stage->server, "transaction_close", NULL, 0, NULL, err);
}

/* With the rows locked that both want to delete: one is ended, and then the rows are let go. */
static int kill_one(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;
	int64_t terminated = 0;
	int status = bout_await(bout, do_two_wait, ANSWER_MS / 3, "two sweeps at once", err);

	if (status == 0)
		status = server_run(server, "sweep_terminate", NULL, 0, &terminated, err);
	if (close_transaction(bout, err) != 0)
		return -1;
	if (status == 0 && terminated == 1)
		bout_witness(bout, "one of two sweeps was terminated in the middle");
	return status;
}

/* Something to sweep. */
static bool has_finished(struct bout *bout)
{
	struct error err;
	int64_t count = 0;

	return server_run(bout->stage->server, "finished_count", NULL, 0, &count, &err) == 0 &&
	       count >= FINISHED_LEAST;
}

static int inject_sweeps(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;
	struct sweep two[2] = { { .conninfo = server_conninfo(server) },
				{ .conninfo = server_conninfo(server) } };
	int started = 0;
	int status;

	if (bout_await(bout, has_finished, ANSWER_MS / 3, "the end of some jobs", err) != 0)
		return -1;
	if (server_script(server, "queue_forget", err) != 0 || open_transaction(bout, err) != 0 ||
	    server_run(server, "finished_lock", NULL, 0, NULL, err) != 0)
		return -1;
	while (started < 2 && pthread_create(&two[started].thread, NULL, sweep, &two[started]) == 0)
		started++;
	status = kill_one(bout, err);
	for (int i = 0; i < started; i++)
		pthread_join(two[i].thread, NULL);
	if (status == 0 && two[0].deleted <= 0 && two[1].deleted <= 0)
		bout_broken(bout, "the sweep that went on deleted nothing: %s", two[0].err.text);
	return status;
}

static int heal_sweeps(struct bout *bout, struct error *err)
{
	return close_transaction(bout, err) != 0 ? -1 : remember(bout, err);
}

/* ------------------------------------------------------------------------------------------------ */

const struct fault fault_store[] = {
	{ .row = 62,
	  .name = "schema-upgraded",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_OWNS_SERVER,
	  .what = "locum init runs, and the schema becomes newer than the fleet, while it works",
	  .tool = "locum init, SQL",
	  .witness = "a dispatcher that starts refuses the newer schema",
	  .heals = "the version is taken back",
	  .pass = "those that run go on; nobody mixes versions",
	  .inject = inject_upgrade,
	  .heal = lower_schema },
	{ .row = 63,
	  .name = "schema-rolled-back",
	  .stage = STAGE_PLAIN,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_OWNS_SERVER,
	  .what = "an older locum meets a newer schema, and is made the one in charge again",
	  .tool = "locum init, SQL",
	  .witness = "its init refuses the newer schema",
	  .heals = "the version is taken back, and locum init runs",
	  .pass = "it is refused, or safe",
	  .inject = inject_rollback,
	  .heal = roll_back },
	{ .row = 64,
	  .name = "finished-forgotten",
	  .stage = STAGE_ALONE,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_FORGETS,
	  .what = "finished jobs are swept away at once, while commits of unknown fate are looked up",
	  .tool = "SQL",
	  .witness = "ended jobs that are gone, and sessions that were terminated",
	  .heals = "the retention is set back",
	  .pass = "nobody is told what is not so",
	  .inject = inject_forgetting,
	  .heal = remember },
	{ .row = 65,
	  .name = "sweep-killed",
	  .stage = STAGE_ALONE,
	  .demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP | FAULT_FORGETS,
	  .what = "two sweep finished jobs away at once, and one is ended in the middle",
	  .tool = "SQL",
	  .witness = "both wait for a row, and one session is terminated",
	  .heals = "the row is let go",
	  .pass = "nothing is lost; the other finishes",
	  .inject = inject_sweeps,
	  .heal = heal_sweeps },
	{ 0 },
};
