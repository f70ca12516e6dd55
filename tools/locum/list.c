#include "tools/locum/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "db/rows.h"
#include "db/state.h"
#include "db/view.h"
#include "tools/locum/output.h"
#include "tools/locum/table.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MOST = 10000000,
	PAGE = 500,
	SCAN = 200000, /* jobs that a filter looks at */
};

struct options {
	struct cli *cli;
	struct view_filter filter;
	const char *limit_text;
	int64_t limit;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
	case 's':
		options->filter.state = arg;
		return 0;
	case 'Q':
		options->filter.queue = arg;
		return 0;
	case 'H':
		options->filter.handler = arg;
		return 0;
	case 'n':
		options->limit_text = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "state", 's', "STATE", 0, "only jobs in this state", 1 },
	{ "queue", 'Q', "QUEUE", 0, "only jobs of this queue", 1 },
	{ "handler", 'H', "HANDLER", 0, "only jobs of this handler", 1 },
	{ "limit", 'n', "N", 0, "at most N jobs (100)", 1 },
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
	.doc = "Lists jobs, newest first.",
	.children = CHILDREN,
};

static const struct table_column COLUMNS[] = {
	{ "ID", "id", table_plain, true, false },
	{ "STATE", "state", table_plain, false, false },
	{ "QUEUE", "queue", table_plain, false, true },
	{ "HANDLER", "handler", table_plain, false, true },
	{ "PRI", "priority", table_plain, true, false },
	{ "TRY", "attempt", table_plain, true, false },
	{ "SUBMITTED", "created_at", table_when, false, false },
	{ "DUE", "run_at", table_when, false, false },
	{ "FINISHED", "finished_at", table_when, false, false },
	{ "ERROR", "error", table_plain, false, true },
};

/* Prints one page at once, or adds it to the table. */
static int put_page(const struct cli *cli, struct table *table, const PGresult *rows, int count,
		    struct error *err)
{
	if (!cli->json && !cli->quiet)
		return table_add(table, rows, 0, count, err);
	for (int row = 0; row < count; row++) {
		if (cli->json)
			output_object(stdout, rows, row);
		else
			printf("%" PRId64 "\n", view_int(rows, row, "id"));
	}
	return 0;
}

/* One page; sets *more to whether another one may follow. */
static int take_page(struct options *options, struct db *db, struct table *table, int64_t *got,
		     bool *more, struct error *err)
{
	struct view_filter *filter = &options->filter;
	int64_t left = options->limit + 1 - *got; /* one more tells whether the limit cut */
	PGresult *rows;
	int count;
	int status;

	filter->most = left < PAGE ? left : PAGE;
	rows = view_jobs(db, filter, err);
	if (rows == NULL)
		return -1;
	count = rows_count(rows);
	*more = count == filter->most && *got + count <= options->limit;
	if (count > 0)
		filter->before = view_int(rows, count - 1, "id");
	*got += count;
	status = put_page(options->cli, table, rows, *got > options->limit ? count - 1 : count,
			  err);
	PQclear(rows);
	return status;
}

static int note_cuts(const struct options *options, struct db *db, int64_t got, struct error *err)
{
	const struct view_filter *filter = &options->filter;
	bool cut = false;

	if (got > options->limit) {
		cli_say("only the newest %" PRId64 " are shown; --limit N shows more",
			options->limit);
		return 0;
	}
	if (filter->state == NULL && filter->queue == NULL && filter->handler == NULL)
		return 0;
	/* Claimed jobs are found by their owner, all of them. */
	if (filter->state != NULL && (strcmp(filter->state, state_name(STATE_ASSIGNED)) == 0 ||
				      strcmp(filter->state, state_name(STATE_ACTIVE)) == 0))
		return 0;
	if (view_jobs_are_cut(db, SCAN, &cut, err) != 0)
		return -1;
	if (cut)
		cli_say("only the newest %d unfinished and finished jobs were looked at", SCAN);
	return 0;
}

static int list(struct options *options, struct db *db, struct table *table, struct error *err)
{
	int64_t got = 0;
	bool more = true;

	while (more)
		if (take_page(options, db, table, &got, &more, err) != 0)
			return -1;
	if (!options->cli->json && !options->cli->quiet && table_print(table, err) != 0)
		return -1;
	return note_cuts(options, db, got, err);
}

static int check(struct options *options, struct error *err)
{
	const char *name = options->filter.state;
	enum state state;

	if (options->limit_text != NULL && cli_number(options->cli, "--limit", options->limit_text,
						      1, LIMIT_MOST, &options->limit, err) != 0)
		return -1;
	if (name != NULL && state_read(name, &state) != 0)
		return cli_usage(options->cli, err, "there is no state \"%.60s\"", name);
	return 0;
}

int list_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = {
		.cli = cli,
		.filter = { .before = INT64_MAX, .scan = SCAN },
		.limit = LIMIT_DEFAULT,
	};
	struct table *table = NULL;
	struct db *db;
	int status;

	cli_parse(&ARGP, argc, argv, &options);
	options.filter.full = cli->json;
	if (check(&options, err) != 0 || cli_open(cli, &db, err) != 0)
		return -1;
	table = table_new(COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
	status = table == NULL ? error_set(err, ERROR_RETRY, "out of memory")
			       : list(&options, db, table, err);
	table_free(table);
	db_close(db);
	return status == 0 ? CLI_OK : -1;
}
