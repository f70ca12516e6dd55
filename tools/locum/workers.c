#include "tools/locum/verb.h"

#include <stdio.h>

#include "db/rows.h"
#include "db/view.h"
#include "tools/locum/output.h"
#include "tools/locum/table.h"
#include "tools/locum/watch.h"

static const int64_t DAY_MS = 86400000;

struct options {
	struct cli *cli;
	bool all;
	bool handlers;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 3; i++)
			state->child_inputs[i] = options->cli;
		return 0;
	case 'a':
		options->all = true;
		return 0;
	case 'H':
		options->handlers = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "all", 'a', NULL, 0, "those too that ended within 24 hours, with death certificates", 1 },
	{ "handlers", 'H', NULL, 0, "only the names of the handlers that somebody serves", 1 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &watch_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp workers_argp = {
	.options = OPTIONS,
	.parser = parse,
	.doc = "Lists the living dispatchers, and what their agents serve.",
	.children = CHILDREN,
};

/* Empty where there is nothing to worry about. */
static char *deaths_cell(const PGresult *rows, int row, const char *name)
{
	return view_int(rows, row, name) == 0 ? NULL : table_plain(rows, row, name);
}

static const struct table_column DISPATCHERS[] = {
	{ "DISPATCHER", "id", table_plain, TABLE_CUT },
	{ "HOST", "host", table_plain, TABLE_CUT },
	{ "PID", "pid", table_plain, TABLE_RIGHT },
	{ "STATE", "state", table_plain, TABLE_STATE },
	{ "UP", "started_at", table_age, TABLE_RIGHT },
	{ "PING", "last_ping", table_when, 0 },
	{ "CLAIMED", "claimed", table_plain, TABLE_RIGHT },
	{ "ACTIVE", "active", table_plain, TABLE_RIGHT },
	{ "SLOTS", "slots", table_plain, TABLE_RIGHT },
	{ "DEATHS", "deaths", deaths_cell, TABLE_RIGHT | TABLE_SELDOM | TABLE_BAD },
};
static const struct table_column ENDED[] = {
	{ "INCARNATION", "incarnation", table_plain, 0 },
	{ "HOST", "host", table_plain, TABLE_CUT },
	{ "PID", "pid", table_plain, TABLE_RIGHT },
	{ "STATE", "state", table_plain, TABLE_STATE },
	{ "ENDED", "ended_at", table_when, 0 },
	{ "LAST PING", "last_ping", table_when, 0 },
	{ "DECLARED BY", "declared_by", table_plain, TABLE_CUT | TABLE_SELDOM },
	{ "CAME BACK", "returned_at", table_when, TABLE_SELDOM },
};
static const struct table_column AGENTS[] = {
	{ "AGENT", "name", table_plain, TABLE_CUT },
	{ "OF PID", "pid", table_plain, TABLE_RIGHT },
	{ "SLOTS", "size", table_plain, TABLE_RIGHT },
	{ "QUEUES", "_queues", table_plain, TABLE_CUT },
	{ "HANDLERS", "_handlers", table_plain, TABLE_CUT },
	{ "BROKEN", "_broken", table_plain, TABLE_CUT | TABLE_SELDOM | TABLE_BAD },
};

/* The agents of a dispatcher, inside its object. */
static void put_agents(const PGresult *agents, struct uuid incarnation)
{
	const char *separator = "";

	fputs(",\"agents\":[", stdout);
	for (int row = 0; row < rows_count(agents); row++) {
		if (!uuid_same(view_uuid(agents, row, "incarnation"), incarnation))
			continue;
		printf("%s{", separator);
		output_members(stdout, agents, row);
		putchar('}');
		separator = ",";
	}
	putchar(']');
}

static void put_objects(const PGresult *workers, const PGresult *agents)
{
	for (int row = 0; row < rows_count(workers); row++) {
		putchar('{');
		output_members(stdout, workers, row);
		put_agents(agents, view_uuid(workers, row, "incarnation"));
		puts("}");
	}
}

static void put_ids(const PGresult *workers)
{
	char uuid[UUID_TEXT_SIZE];

	for (int row = 0; row < rows_count(workers); row++)
		puts(uuid_text(view_uuid(workers, row, "id"), uuid));
}

/* The living come first. */
static int count_living(const PGresult *workers)
{
	int living = 0;

	while (living < rows_count(workers) && view_is_null(workers, living, "ended_at"))
		living++;
	return living;
}

static int put_tables(const struct cli *cli, const PGresult *workers, const PGresult *agents,
		      struct error *err)
{
	int living = count_living(workers);
	int all = rows_count(workers);

	if (living == 0)
		cli_say("no dispatcher is alive");
	if (table_put(cli, DISPATCHERS, TABLE_COUNT(DISPATCHERS), workers, 0, living, err) != 0)
		return -1;
	if (living > 0 && rows_count(agents) > 0)
		putchar('\n');
	if (table_put(cli, AGENTS, TABLE_COUNT(AGENTS), agents, 0, rows_count(agents), err) != 0)
		return -1;
	if (living > 0 && all > living)
		putchar('\n');
	return table_put(cli, ENDED, TABLE_COUNT(ENDED), workers, living, all, err);
}

static int put(const struct cli *cli, const PGresult *workers, const PGresult *agents,
	       struct error *err)
{
	if (cli->json)
		put_objects(workers, agents);
	else if (cli->quiet)
		put_ids(workers);
	else
		return put_tables(cli, workers, agents, err);
	return CLI_OK;
}

static int draw_handlers(const struct cli *cli, struct db *db, struct error *err)
{
	PGresult *rows = view_handlers(db, err);

	for (int row = 0; rows != NULL && row < rows_count(rows); row++) {
		if (cli->json)
			output_object(stdout, rows, row);
		else
			puts(view_text(rows, row, "handler"));
	}
	PQclear(rows);
	return rows == NULL ? -1 : CLI_OK;
}

static int draw_workers(const struct options *options, struct db *db, struct error *err)
{
	PGresult *workers = view_workers(db, options->all ? DAY_MS : 0, err);
	PGresult *agents = workers == NULL ? NULL : view_agents(db, err);
	int status = agents == NULL ? -1 : put(options->cli, workers, agents, err);

	PQclear(agents);
	PQclear(workers);
	return status;
}

static int draw(void *context, struct db *db, struct error *err)
{
	const struct options *options = context;

	return options->handlers ? draw_handlers(options->cli, db, err)
				 : draw_workers(options, db, err);
}

int workers_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };

	cli_parse(&workers_argp, argc, argv, &options);
	return watch_run(cli, draw, &options, err);
}
