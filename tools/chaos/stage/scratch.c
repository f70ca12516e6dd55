#include "tools/chaos/stage/scratch.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <unistd.h>

#include "db/schema.h"
#include "db/view.h"

enum { NAME_SIZE = 256 };

static int has_jobs(struct db *db, bool *found, struct error *err)
{
	const struct view_filter all = { .since = ARGS_TIME_FIRST, .until = ARGS_TIME_LAST };
	const struct view_range first = { .before = INT64_MAX, .most = 1 };
	PGresult *jobs = view_jobs(db, &all, &first, err);

	if (jobs == NULL)
		return -1;
	*found = PQntuples(jobs) > 0;
	PQclear(jobs);
	return 0;
}

/* A database without the schema has no jobs. */
static int refuse_jobs(struct cli *cli, struct error *err)
{
	struct error none = { .kind = ERROR_NONE };
	struct db *db;
	bool found = false;
	int status = 0;

	if (cli_connect(cli, &db, err) != 0)
		return -1;
	if (schema_check(db, &none) == 0)
		status = has_jobs(db, &found, err);
	db_close(db);
	if (status == 0 && found) {
		cli->failure = CLI_DENIED;
		return error_set(
			err, ERROR_INPUT,
			"the database of -d has jobs: give one that nobody needs, and drop its schema "
			"locum first");
	}
	return status;
}

/* "jobs" on /run/postgresql, as the server or libpq names it. */
static void name_database(const char *conninfo, char *name, size_t size)
{
	PGconn *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) == CONNECTION_OK)
		snprintf(name, size, "\"%s\" on %s", PQdb(conn), PQhost(conn));
	else
		snprintf(name, size, "of -d");
	PQfinish(conn);
}

static int ask(struct cli *cli, struct error *err)
{
	char name[NAME_SIZE];
	char answer[16] = "";

	name_database(cli->conninfo, name, sizeof(name));
	fprintf(stderr,
		"Jobs, triggers and faults go to the database %s; is it one that nobody needs? "
		"[y/N] ",
		name);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	cli->failure = CLI_DENIED;
	return error_set(err, ERROR_INPUT, "not without a yes: nothing was done");
}

/* --- what is left out --------------------------------------------------------------------------- */

/* NULL: it can be played. */
static const char *why_not(const struct plan_act *act, const struct fault *fault)
{
	if (fault == NULL)
		return NULL;
	if (fault->stage != STAGE_PLAIN)
		return "it needs a stage of the harness's own, and the database is that of -d";
	if ((fault->demands & FAULT_OWNS_SERVER) != 0)
		return "it hurts the server itself, which is that of -d";
	return act->stage == STAGE_PLAIN
		       ? NULL
		       : "its act needs a stage of the harness's own, and the database is that of -d";
}

/* A fault that is spared in one act may be played in another. */
static bool is_played(const struct plan *plan, const struct fault *fault)
{
	for (size_t i = 0; i < plan->act_count; i++)
		for (size_t j = 0; j < plan->acts[i].bout_count; j++)
			if (plan->acts[i].bouts[j].first == fault ||
			    plan->acts[i].bouts[j].second == fault)
				return true;
	return false;
}

static int skip(struct plan *plan, const struct plan_act *act, const struct fault *fault,
		struct error *err)
{
	const char *why = why_not(act, fault);

	return why == NULL ? 0 : plan_skip(plan, fault, why, err);
}

static int drop_bouts(struct plan *plan, struct plan_act *act, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < act->bout_count; i++) {
		const struct plan_bout *bout = &act->bouts[i];

		if (skip(plan, act, bout->first, err) != 0 ||
		    skip(plan, act, bout->second, err) != 0)
			return -1;
		if (why_not(act, bout->first) == NULL && why_not(act, bout->second) == NULL)
			act->bouts[kept++] = *bout;
	}
	act->bout_count = kept;
	return 0;
}

static void drop_played(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->skip_count; i++)
		if (!is_played(plan, plan->skips[i].fault))
			plan->skips[kept++] = plan->skips[i];
	plan->skip_count = kept;
}

/* Acts that have nothing left go behind the others. */
int scratch_spare(struct plan *plan, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->act_count; i++) {
		struct plan_act act = plan->acts[i];

		if (drop_bouts(plan, &act, err) != 0)
			return -1;
		plan->acts[i].bout_count = act.bout_count;
		if (act.bout_count == 0)
			continue;
		plan->acts[i] = plan->acts[kept];
		plan->acts[kept++] = act;
	}
	plan_cut(plan, kept);
	drop_played(plan);
	return 0;
}

int scratch_use(struct cli *cli, bool yes, struct plan *plan, struct error *err)
{
	if (cli->conninfo == NULL)
		return 0;
	if (!yes && isatty(STDIN_FILENO) == 0)
		return cli_usage(
			cli, err,
			"faults go to the database of -d: say --yes, or answer on a terminal");
	if (refuse_jobs(cli, err) != 0 || (!yes && ask(cli, err) != 0))
		return -1;
	if (scratch_spare(plan, err) != 0)
		return -1;
	if (plan->skip_count > 0 && !cli->quiet)
		cli_say("%zu faults are left out; the report lists them, and why",
			plan->skip_count);
	if (plan->act_count == 0)
		return cli_usage(cli, err, "no fault is left that spares the server of -d");
	plan->conninfo = cli->conninfo;
	return 0;
}
