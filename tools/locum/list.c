#include "tools/locum/verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/rows.h"
#include "tools/locum/filter.h"
#include "tools/locum/output.h"
#include "tools/locum/search.h"
#include "tools/locum/table.h"
#include "tools/locum/watch.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MOST = 10000000,
	PAGE = 10000,
	PAGE_FULL_FIRST = 8, /* with payloads and results, of up to 1 MiB each */
	PAGE_FULL_MOST = 64,
	PAGE_FULL_BYTES = 8 * 1024 * 1024, /* about so much is wanted at a time */
};

static const struct table_column COLUMNS[] = {
	{ "ID", "id", table_plain, TABLE_RIGHT },
	{ "STATE", "state", table_plain, TABLE_STATE },
	{ "QUEUE", "queue", table_plain, TABLE_CUT },
	{ "HANDLER", "handler", table_plain, TABLE_CUT },
	{ "PRI", "priority", table_plain, TABLE_RIGHT | TABLE_UNLISTED },
	{ "TRY", "attempt", table_plain, TABLE_RIGHT },
	{ "OF", "max_attempts", table_plain, TABLE_RIGHT | TABLE_UNLISTED },
	{ "INTERRUPTED", "interruptions", table_plain, TABLE_RIGHT | TABLE_UNLISTED },
	{ "KEY", "key", table_plain, TABLE_CUT | TABLE_UNLISTED },
	{ "LABELS", "labels", table_labels, TABLE_CUT | TABLE_UNLISTED },
	{ "BY", "submitted_by", table_plain, TABLE_CUT | TABLE_UNLISTED },
	{ "SUBMITTED", "created_at", table_when, 0 },
	{ "DUE", "run_at", table_when, TABLE_UNLISTED },
	{ "STARTED", "started_at", table_when, TABLE_UNLISTED },
	{ "FINISHED", "finished_at", table_when, TABLE_SELDOM },
	{ "RAN", "ran_ms", table_span, TABLE_RIGHT | TABLE_SELDOM },
	{ "RETRY OF", "retry_of", table_plain, TABLE_RIGHT | TABLE_UNLISTED },
	{ "FOLLOWS", "follows", table_plain, TABLE_RIGHT | TABLE_UNLISTED },
	{ "ERROR", "error", table_plain, TABLE_CUT | TABLE_SELDOM },
	{ "PAYLOAD", "payload", table_plain, TABLE_CUT | TABLE_UNLISTED },
	{ "RESULT", "result", table_plain, TABLE_CUT | TABLE_UNLISTED },
};
enum { COLUMN_COUNT = TABLE_COUNT(COLUMNS) };

struct options {
	struct cli *cli;
	struct filter filter;
	const char *limit_text;
	char *columns_text;
	int64_t limit;
	bool all;                                  /* however long it takes */
	struct table_column columns[COLUMN_COUNT]; /* those to show */
	size_t column_count;
	struct table *table; /* for people */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->filter;
		for (int i = 1; i <= 3; i++)
			state->child_inputs[i] = options->cli;
		return 0;
	case 'n':
		options->limit_text = arg;
		return 0;
	case 'a':
		options->all = true;
		return 0;
	case 'o':
		options->columns_text = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "limit", 'n', "N", 0, "at most N jobs (100)", 1 },
	{ "all", 'a', NULL, 0, "look at all jobs, however long it takes", 1 },
	{ "columns", 'o', "COLUMN", 0, "these columns, with commas between them", 1 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &filter_argp, 0, NULL, 0 },
	{ &watch_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp list_argp = {
	.options = OPTIONS,
	.parser = parse,
	.doc = "Lists jobs, newest first.",
	.children = CHILDREN,
};

const char *list_column(size_t i)
{
	return i < COLUMN_COUNT ? COLUMNS[i].name : NULL;
}

/* --- columns ------------------------------------------------------------------------------------ */

static void default_columns(struct options *options)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (options->cli->json || (COLUMNS[i].flags & TABLE_UNLISTED) == 0)
			options->columns[options->column_count++] = COLUMNS[i];
}

static int unknown_column(struct options *options, const char *name, struct error *err)
{
	char names[ERROR_TEXT_MAX / 2] = "";
	size_t used = 0;

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
					 i == 0 ? "" : ", ", COLUMNS[i].name);
	return cli_usage(options->cli, err, "there is no column \"%.60s\"; the columns are %s",
			 name, names);
}

static int choose_column(struct options *options, const char *name, struct error *err)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (strcmp(COLUMNS[i].name, name) != 0)
			continue;
		if (options->column_count == COLUMN_COUNT)
			return cli_usage(options->cli, err, "--columns names a column twice");
		options->columns[options->column_count] = COLUMNS[i];
		options->columns[options->column_count++].flags &= ~TABLE_SELDOM;
		return 0;
	}
	return unknown_column(options, name, err);
}

static int choose_columns(struct options *options, struct error *err)
{
	char *rest = NULL;

	if (options->columns_text == NULL) {
		default_columns(options);
		return 0;
	}
	for (char *name = strtok_r(options->columns_text, ", ", &rest); name != NULL;
	     name = strtok_r(NULL, ", ", &rest))
		if (choose_column(options, name, err) != 0)
			return -1;
	return options->column_count > 0 ? 0 : unknown_column(options, "", err);
}

/* Payloads and results are large: they come only when somebody looks. */
static bool wants_bodies(const struct options *options)
{
	for (size_t i = 0; i < options->column_count; i++)
		if (strcmp(options->columns[i].name, "payload") == 0 ||
		    strcmp(options->columns[i].name, "result") == 0)
			return true;
	return false;
}

/* --- output ------------------------------------------------------------------------------------- */

static void put_object(const struct options *options, const PGresult *rows, int row)
{
	for (size_t i = 0; i < options->column_count; i++) {
		fputs(i == 0 ? "{" : ",", stdout);
		output_member(stdout, rows, row, options->columns[i].name);
	}
	puts("}");
}

/* Prints a page at once, or adds it to the table. */
static int put_page(struct options *options, const PGresult *rows, int count, struct error *err)
{
	const struct cli *cli = options->cli;

	if (!cli->json && !cli->quiet)
		return table_add(options->table, rows, 0, count, err);
	for (int row = 0; row < count; row++) {
		if (cli->json)
			put_object(options, rows, row);
		else
			printf("%" PRId64 "\n", view_int(rows, row, "id"));
	}
	return 0;
}

/* The size of the next page, when its jobs are as large as those of the last. */
static int64_t next_page(const PGresult *rows)
{
	int payload = PQfnumber(rows, "payload");
	int result = PQfnumber(rows, "result");
	int64_t bytes = 1;
	int64_t jobs;

	for (int row = 0; row < rows_count(rows); row++)
		bytes += PQgetlength(rows, row, payload) + PQgetlength(rows, row, result);
	jobs = PAGE_FULL_BYTES * (int64_t)rows_count(rows) / bytes;
	if (jobs < 1)
		return 1;
	return jobs < PAGE_FULL_MOST ? jobs : PAGE_FULL_MOST;
}

static int put_all(struct options *options, struct db *db, struct search *search, bool *more,
		   struct error *err)
{
	int64_t page = search->full ? PAGE_FULL_FIRST : PAGE;
	int64_t got = 0;
	PGresult *rows;

	*more = false;
	while (!*more) {
		int64_t left = options->limit + 1 - got; /* one more tells whether there is more */
		int count;
		int status;

		rows = search_next(search, db, left < page ? left : page, err);
		if (rows == NULL)
			return search->done ? 0 : -1;
		count = rows_count(rows);
		got += count;
		*more = got > options->limit;
		status = put_page(options, rows, *more ? count - 1 : count, err);
		page = search->full ? next_page(rows) : page;
		PQclear(rows);
		if (status != 0)
			return -1;
	}
	return 0;
}

/* Returns the exit code: a list that ends where no limit was set for it has to tell a script. */
static int judge_end(const struct options *options, const struct search *search, bool more)
{
	char moment[OUTPUT_TIME_SIZE];

	if (options->cli->watch_ms > 0)
		return CLI_OK;
	if (more)
		cli_say("only the newest %" PRId64 " are shown; --limit N shows more",
			options->limit);
	if (more || !search->cut)
		return CLI_OK;
	cli_say("jobs submitted before %s were not looked at; --until goes on there, --all looks "
		"at all",
		output_time(view_unix_us(search->reached), moment));
	return CLI_NEGATIVE;
}

static int put_list(struct options *options, struct db *db, struct error *err)
{
	struct view_filter filter;
	struct search search;
	bool more;

	if (filter_resolve(&options->filter, db, &filter, err) != 0 ||
	    search_begin(&search, db, &filter, err) != 0)
		return -1;
	search.full = wants_bodies(options);
	search.all = options->all;
	if (put_all(options, db, &search, &more, err) != 0)
		return -1;
	if (options->table != NULL && options->cli->watch_ms == 0 && isatty(STDERR_FILENO) != 0 &&
	    table_is_empty(options->table))
		cli_say("no job fits");
	if (options->table != NULL && table_print(options->table, err) != 0)
		return -1;
	return judge_end(options, &search, more);
}

static int draw(void *context, struct db *db, struct error *err)
{
	struct options *options = context;
	int status;

	if (!options->cli->json && !options->cli->quiet) {
		options->table = table_new(options->cli, options->columns, options->column_count);
		if (options->table == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
	}
	status = put_list(options, db, err);
	table_free(options->table);
	options->table = NULL;
	return status;
}

static int check(struct options *options, struct error *err)
{
	if (options->limit_text != NULL && cli_number(options->cli, "--limit", options->limit_text,
						      1, LIMIT_MOST, &options->limit, err) != 0)
		return -1;
	if (choose_columns(options, err) != 0)
		return -1;
	return filter_check(&options->filter, options->cli, err);
}

int list_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli, .limit = LIMIT_DEFAULT };
	int status = -1;

	cli_parse(&list_argp, argc, argv, &options);
	if (check(&options, err) == 0)
		status = watch_run(cli, draw, &options, err);
	filter_fini(&options.filter);
	return status;
}
