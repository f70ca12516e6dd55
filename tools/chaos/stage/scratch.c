#include "tools/chaos/stage/scratch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/schema.h"
#include "db/view.h"

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

static int ask(struct cli *cli, struct error *err)
{
	char answer[16] = "";

	fputs("Jobs, triggers and faults go to the database of -d; is it one that nobody needs? [y/N] ",
	      stderr);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	cli->failure = CLI_DENIED;
	return error_set(err, ERROR_INPUT, "not without a yes: nothing was done");
}

static bool spares_server(const struct fault *fault)
{
	return fault == NULL ||
	       (fault->stage == STAGE_PLAIN && (fault->demands & FAULT_OWNS_SERVER) == 0);
}

/* Returns how many were dropped. */
static size_t drop_bouts(struct plan_act *act)
{
	const size_t before = act->bout_count;
	size_t kept = 0;

	for (size_t i = 0; i < act->bout_count; i++)
		if (spares_server(act->bouts[i].first) && spares_server(act->bouts[i].second))
			act->bouts[kept++] = act->bouts[i];
	act->bout_count = kept;
	return before - kept;
}

/* Acts that have nothing left go behind the others. Returns how many bouts were dropped. */
static size_t drop_acts(struct plan *plan)
{
	size_t dropped = 0;
	size_t kept = 0;

	for (size_t i = 0; i < plan->act_count; i++) {
		struct plan_act act = plan->acts[i];

		dropped += drop_bouts(&act);
		if (act.bout_count > 0 && act.stage != STAGE_PLAIN)
			dropped += act.bout_count;
		else if (act.bout_count > 0) {
			plan->acts[i] = plan->acts[kept];
			plan->acts[kept++] = act;
		}
	}
	plan_cut(plan, kept);
	return dropped;
}

int scratch_use(struct cli *cli, bool yes, struct plan *plan, struct error *err)
{
	size_t dropped;

	if (cli->conninfo == NULL)
		return 0;
	if (!yes && isatty(STDIN_FILENO) == 0)
		return cli_usage(
			cli, err,
			"faults go to the database of -d: say --yes, or answer on a terminal");
	if (refuse_jobs(cli, err) != 0 || (!yes && ask(cli, err) != 0))
		return -1;
	dropped = drop_acts(plan);
	if (dropped > 0 && !cli->quiet)
		cli_say("%zu faults and pairs are left out, which hurt the server of -d or need another stage",
			dropped);
	if (plan->act_count == 0)
		return cli_usage(cli, err, "no fault is left that spares the server of -d");
	plan->conninfo = cli->conninfo;
	return 0;
}
