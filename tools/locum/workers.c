#include "tools/locum/verb.h"

#include <stdio.h>

#include "db/rows.h"
#include "db/view.h"
#include "tools/locum/output.h"
#include "tools/locum/table.h"

static const int64_t DAY_MS = 86400000;

struct options {
	struct cli *cli;
	bool all;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
	case 'a':
		options->all = true;
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
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp ARGP = {
	.options = OPTIONS,
	.parser = parse,
	.doc = "Lists the living dispatchers, and what their agents serve.",
	.children = CHILDREN,
};

static const struct table_column DISPATCHERS[] = {
	{ "DISPATCHER", "id", table_plain, false, false },
	{ "HOST", "host", table_plain, false, true },
	{ "PID", "pid", table_plain, true, false },
	{ "STATE", "state", table_plain, false, false },
	{ "SINCE", "started_at", table_when, false, false },
	{ "PING", "last_ping", table_when, false, false },
	{ "CLAIMED", "claimed", table_plain, true, false },
	{ "SLOTS", "slots", table_plain, true, false },
};
static const struct table_column ENDED[] = {
	{ "INCARNATION", "incarnation", table_plain, false, false },
	{ "HOST", "host", table_plain, false, true },
	{ "PID", "pid", table_plain, true, false },
	{ "STATE", "state", table_plain, false, false },
	{ "ENDED", "ended_at", table_when, false, false },
	{ "LAST PING", "last_ping", table_when, false, false },
	{ "DECLARED BY", "declared_by", table_plain, false, false },
	{ "CAME BACK", "returned_at", table_when, false, false },
};
static const struct table_column AGENTS[] = {
	{ "AGENT", "name", table_plain, false, true },
	{ "OF PID", "pid", table_plain, true, false },
	{ "SLOTS", "size", table_plain, true, false },
	{ "QUEUES", "_queues", table_plain, false, true },
	{ "HANDLERS", "_handlers", table_plain, false, true },
	{ "BROKEN", "_broken", table_plain, false, true },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

static int put_table(const struct table_column *columns, size_t count, const PGresult *rows,
		     int first, int end, struct error *err)
{
	struct table *table = table_new(columns, count);
	int status = -1;

	if (table == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (table_add(table, rows, first, end, err) == 0)
		status = table_print(table, err);
	table_free(table);
	return status;
}

static int put_tables(const PGresult *workers, const PGresult *agents, struct error *err)
{
	int living = count_living(workers);
	int all = rows_count(workers);

	if (living == 0)
		cli_say("no dispatcher is alive");
	if (put_table(DISPATCHERS, COUNT(DISPATCHERS), workers, 0, living, err) != 0)
		return -1;
	if (living > 0 && rows_count(agents) > 0)
		putchar('\n');
	if (put_table(AGENTS, COUNT(AGENTS), agents, 0, rows_count(agents), err) != 0)
		return -1;
	if (living > 0 && all > living)
		putchar('\n');
	return put_table(ENDED, COUNT(ENDED), workers, living, all, err);
}

static int put(const struct cli *cli, const PGresult *workers, const PGresult *agents,
	       struct error *err)
{
	if (cli->json)
		put_objects(workers, agents);
	else if (cli->quiet)
		put_ids(workers);
	else
		return put_tables(workers, agents, err);
	return 0;
}

int workers_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };
	PGresult *workers = NULL;
	PGresult *agents = NULL;
	struct db *db;
	int status = -1;

	cli_parse(&ARGP, argc, argv, &options);
	if (cli_open(cli, &db, err) != 0)
		return -1;
	workers = view_workers(db, options.all ? DAY_MS : 0, err);
	if (workers != NULL)
		agents = view_agents(db, err);
	if (agents != NULL)
		status = put(cli, workers, agents, err);
	PQclear(agents);
	PQclear(workers);
	db_close(db);
	return status;
}
