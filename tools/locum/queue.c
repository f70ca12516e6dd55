#include "db/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "db/rows.h"
#include "db/view.h"
#include "tools/locum/output.h"
#include "tools/locum/table.h"
#include "tools/locum/verb.h"
#include "tools/locum/watch.h"

struct options {
	struct cli *cli;
	const char *keep_text;
	int64_t keep_ms; /* -1: not given */
	bool paused;
	char **names;
	size_t count;
};

/* Does something to one queue. */
typedef int queue_act(struct options *options, struct db *db, const char *name, bool *done,
		      struct error *err);

/* --- list --------------------------------------------------------------------------------------- */

static char *paused_cell(const PGresult *rows, int row, const char *name)
{
	return view_bool(rows, row, name) ? strdup("paused") : NULL;
}

static char *count_cell(const PGresult *rows, int row, const char *name)
{
	char *text;

	return view_int(rows, row, name) == 0 ||
			       asprintf(&text, "%" PRId64, view_int(rows, row, name)) < 0
		       ? NULL
		       : text;
}

static char *keep_cell(const PGresult *rows, int row, const char *name)
{
	char text[DURATION_TEXT_SIZE];

	return strdup(view_int(rows, row, name) == 0
			      ? "none"
			      : duration_text(view_int(rows, row, name), text));
}

static const struct table_column COLUMNS[] = {
	{ "QUEUE", "name", table_plain, TABLE_CUT },
	{ "STATE", "paused", paused_cell, TABLE_STATE | TABLE_SELDOM },
	{ "PENDING", "pending", table_plain, TABLE_RIGHT },
	{ "OLDEST", "oldest_pending_at", table_age, TABLE_RIGHT },
	{ "ASSIGNED", "assigned", count_cell, TABLE_RIGHT },
	{ "ACTIVE", "active", count_cell, TABLE_RIGHT },
	{ "SCHEDULED", "scheduled", count_cell, TABLE_RIGHT },
	{ "WAITING", "waiting", count_cell, TABLE_RIGHT | TABLE_SELDOM },
	{ "HELD", "held", count_cell, TABLE_RIGHT | TABLE_SELDOM },
	{ "KEEPS", "keep_finished_ms", keep_cell, TABLE_RIGHT },
};

static int draw(void *context, struct db *db, struct error *err)
{
	const struct cli *cli = context;
	PGresult *rows = view_queues(db, err);
	int status = rows == NULL ? -1 : CLI_OK;

	for (int row = 0; rows != NULL && row < rows_count(rows); row++) {
		if (cli->json)
			output_object(stdout, rows, row);
		else if (cli->quiet)
			puts(view_text(rows, row, "name"));
	}
	if (rows != NULL && !cli->json && !cli->quiet)
		status = table_put(cli, COLUMNS, TABLE_COUNT(COLUMNS), rows, 0, rows_count(rows),
				   err);
	PQclear(rows);
	return status;
}

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 3; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child LIST_CHILDREN[] = {
	{ &watch_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
static const struct argp LIST_ARGP = {
	.parser = parse_list,
	.doc = "Lists the queues: their unfinished jobs by state, since when the pending job that waits "
	       "longest is ready, and how long finished jobs stay.",
	.children = LIST_CHILDREN,
};

/* --- create, set, pause, resume, delete ------------------------------------------------------------------ */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
	case 'K':
		options->keep_text = arg;
		return 0;
	case 'p':
		options->paused = true;
		return 0;
	case ARGP_KEY_ARGS:
		options->names = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

#define KEEP_OPTION                                                                                \
	{                                                                                          \
		"keep-finished", 'K', "DURATION|none", 0, "how long finished jobs stay", 1         \
	}

static const struct argp_option CREATE_OPTIONS[] = {
	KEEP_OPTION,
	{ "paused", 'p', NULL, 0, "let nobody claim from it yet", 1 },
	{ 0 },
};
static const struct argp_option SET_OPTIONS[] = { KEEP_OPTION, { 0 } };
static const struct argp_child CHILDREN[] = {
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};

#define ACTION_ARGP(table, text)                                                                   \
	{                                                                                          \
		.options = (table), .parser = parse, .args_doc = "QUEUE...", .doc = (text),        \
		.children = CHILDREN                                                               \
	}

static const struct argp CREATE_ARGP =
	ACTION_ARGP(CREATE_OPTIONS, "Makes queues. A submission makes its queue too, as this does "
				    "without options.");
static const struct argp SET_ARGP = ACTION_ARGP(SET_OPTIONS, "Changes queues.");
static const struct argp PAUSE_ARGP = ACTION_ARGP(
	NULL, "Pauses queues: when it has ended, no job of theirs is claimed any more. What "
	      "was claimed goes on.");
static const struct argp RESUME_ARGP =
	ACTION_ARGP(NULL, "Lets the jobs of paused queues be claimed again.");

static const struct argp DELETE_ARGP =
	ACTION_ARGP(NULL, "Deletes queues of which there is no job, finished or not.");

static int create(struct options *options, struct db *db, const char *name, bool *done,
		  struct error *err)
{
	return queue_create(db, name, options->paused, options->keep_ms, done, err);
}

static int set(struct options *options, struct db *db, const char *name, bool *done,
	       struct error *err)
{
	return queue_set(db, name, options->keep_ms, done, err);
}

static int pause_queue(struct options *options, struct db *db, const char *name, bool *done,
		       struct error *err)
{
	(void)options;
	return queue_pause(db, name, done, err);
}

static int resume(struct options *options, struct db *db, const char *name, bool *done,
		  struct error *err)
{
	(void)options;
	return queue_resume(db, name, done, err);
}

static int delete (struct options *options, struct db *db, const char *name, bool *done,
		   struct error *err)
{
	(void)options;
	return queue_delete(db, name, done, err);
}

const struct verb_part queue_parts[] = {
	{ "list", "list the queues", &LIST_ARGP },
	{ "create", "make queues", &CREATE_ARGP },
	{ "set", "change queues", &SET_ARGP },
	{ "pause", "let nobody claim from queues", &PAUSE_ARGP },
	{ "resume", "end their pause", &RESUME_ARGP },
	{ "delete", "delete queues without jobs", &DELETE_ARGP },
	{ NULL, NULL, NULL },
};

/* What the parts do, in the same order; list does something else. */
static queue_act *const ACTS[] = { NULL, create, set, pause_queue, resume, delete };

const struct argp queue_argp = {
	.args_doc = "list\ncreate QUEUE...\nset QUEUE...\npause QUEUE...\nresume QUEUE..."
		    "\ndelete QUEUE...",
	.doc = "Lists, makes, changes, pauses, resumes and deletes queues. \"locum help queue ACTION\" explains an "
	       "action.",
};

static int read_keep(struct options *options, struct error *err)
{
	if (options->keep_text == NULL)
		return 0;
	if (strcmp(options->keep_text, "none") == 0)
		options->keep_ms = 0;
	else if (duration_read(options->keep_text, &options->keep_ms, err) != 0)
		return error_prefix(err, "--keep-finished");
	return 0;
}

static int check(queue_act *act, struct options *options, struct error *err)
{
	if (options->count == 0)
		return cli_usage(options->cli, err, "which queue? Give its name");
	if (read_keep(options, err) != 0)
		return -1;
	if (act == set && options->keep_text == NULL)
		return cli_usage(options->cli, err, "what to change? Give --keep-finished");
	for (size_t i = 0; i < options->count; i++)
		if (text_check_name("queue", options->names[i], err) != 0)
			return -1;
	return 0;
}

static void tell(const struct cli *cli, const char *name)
{
	if (cli->json) {
		fputs("{\"name\":", stdout);
		output_string(stdout, name);
		puts("}");
	} else {
		puts(name);
	}
}

/* Whether that is why a queue was not deleted; tells so. */
static bool has_jobs(const struct error *err)
{
	if (strcmp(err->sqlstate, "23503") != 0)
		return false;
	cli_say("%s", err->text);
	return true;
}

static int act_on_all(queue_act *act, struct options *options, struct error *err)
{
	struct db *db;
	int status = CLI_OK;

	if (cli_open(options->cli, &db, err) != 0)
		return -1;
	for (size_t i = 0; i < options->count && status >= 0; i++) {
		const char *name = options->names[i];
		bool done;

		if (act(options, db, name, &done, err) != 0) {
			status = has_jobs(err) ? CLI_NEGATIVE : -1;
			continue;
		}
		if (done)
			tell(options->cli, name);
		else if (act == create)
			cli_say("there is a queue \"%s\" already", name);
		else
			cli_say("there is no queue \"%s\"", name);
		status = done ? status : CLI_NEGATIVE;
	}
	db_close(db);
	return status;
}

static int run_part(struct cli *cli, size_t part, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli, .keep_ms = -1 };
	char name[64];

	snprintf(name, sizeof(name), "%s %s", argv[0], queue_parts[part].name);
	argv[1] = name;
	if (ACTS[part] == NULL) {
		cli_parse(queue_parts[part].argp, argc - 1, argv + 1, cli);
		return watch_run(cli, draw, cli, err);
	}
	cli_parse(queue_parts[part].argp, argc - 1, argv + 1, &options);
	if (check(ACTS[part], &options, err) != 0)
		return -1;
	return act_on_all(ACTS[part], &options, err);
}

int queue_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	if (argc < 2)
		return cli_usage(cli, err,
				 "which action? list, create, set, pause, resume or delete");
	if (argv[1][0] == '-') {
		cli_parse(&queue_argp, argc, argv, NULL);
		return cli_usage(cli, err, "the action goes before the options");
	}
	for (size_t part = 0; queue_parts[part].name != NULL; part++)
		if (strcmp(queue_parts[part].name, argv[1]) == 0)
			return run_part(cli, part, argc, argv, err);
	return cli_usage(cli, err,
			 "there is no action \"%.60s\": list, create, set, pause, resume or delete",
			 argv[1]);
}
