#include "tools/locum/verb.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/duration.h"
#include "db/await.h"
#include "db/state.h"
#include "db/view.h"

struct job {
	int64_t id;
	bool ended;
	bool completed;
};

struct options {
	struct cli *cli;
	const char *timeout_text;
	int64_t timeout_ms; /* -1: none */
	bool any;
	char **texts; /* the arguments */
	size_t count;
	struct job *jobs;
	int64_t *ids; /* of the jobs, in the same order */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->cli;
		state->child_inputs[1] = options->cli;
		return 0;
	case 't':
		options->timeout_text = arg;
		return 0;
	case 'a':
	case 'A':
		options->any = key == 'a';
		return 0;
	case ARGP_KEY_ARGS:
		options->texts = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		(void)arg;
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "timeout", 't', "DURATION", 0, "wait no longer than this, then end with 124", 1 },
	{ "any", 'a', NULL, 0, "wait for the first of the jobs only", 1 },
	{ "all", 'A', NULL, 0, "wait for all of them, as without --any", 1 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp wait_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "JOB...",
	.doc = "Waits until jobs have ended, and prints how. Ends with 0 when all were completed, with 1 "
	       "when one was not.",
	.children = CHILDREN,
};

static void tell(const struct cli *cli, const struct job *job, const char *state)
{
	if (cli->json)
		printf("{\"id\":%" PRId64 ",\"state\":\"%s\"}\n", job->id, state);
	else if (!cli->quiet)
		printf("%" PRId64 " %s\n", job->id, state);
	fflush(stdout);
}

/* A job of which nothing is left ended, and its queue keeps no finished jobs. */
static void judge(const struct options *options, struct job *job, const char *name)
{
	enum state state;

	if (name == NULL) {
		job->ended = true;
		tell(options->cli, job, "gone");
	} else if (state_read(name, &state) == 0 && state_is_terminal(state)) {
		job->ended = true;
		job->completed = state == STATE_COMPLETED;
		tell(options->cli, job, name);
	}
}

/* Looks at the jobs that have not ended; sets *open to how many of them still have not. */
static int look(struct options *options, struct db *db, bool first, size_t *open, struct error *err)
{
	PGresult *rows;
	size_t asked = 0;

	for (size_t i = 0; i < options->count; i++)
		if (!options->jobs[i].ended)
			options->ids[asked++] = options->jobs[i].id;
	rows = view_states(db, options->ids, asked, err);
	if (rows == NULL)
		return -1;
	*open = 0;
	for (size_t i = 0; i < options->count; i++) {
		struct job *job = &options->jobs[i];
		int row;

		if (job->ended)
			continue;
		row = await_find(rows, PQfnumber(rows, "id"), job->id);
		if (first && row < 0) {
			PQclear(rows);
			options->cli->failure = CLI_NEGATIVE;
			return error_set(err, ERROR_INPUT, "there is no job %" PRId64, job->id);
		}
		judge(options, job, row < 0 ? NULL : view_text(rows, row, "state"));
		*open += !job->ended;
	}
	PQclear(rows);
	return 0;
}

static int verdict(const struct options *options)
{
	size_t completed = 0;
	size_t ended = 0;

	for (size_t i = 0; i < options->count; i++) {
		completed += options->jobs[i].completed;
		ended += options->jobs[i].ended;
	}
	return completed == ended ? CLI_OK : CLI_NEGATIVE;
}

/* Looks once more through a new connection when the database went away for a while. */
static int look_again(struct options *options, struct db **db, bool first, size_t *open,
		      struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + AWAIT_RECONNECT_MS;

	while (look(options, *db, first, open, err) != 0) {
		if (!db_is_lost(*db))
			return -1;
		db_close(*db);
		*db = NULL;
		while (cli_open(options->cli, db, err) != 0) {
			if (err->kind != ERROR_RETRY || clock_monotonic_ms() >= deadline_ms)
				return -1;
			poll(NULL, 0, AWAIT_MOST_MS);
		}
	}
	return 0;
}

static int wait_all(struct options *options, struct db **db, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + options->timeout_ms;
	int64_t pause_ms = AWAIT_FIRST_MS;
	bool first = true;
	size_t open;

	for (;;) {
		if (look_again(options, db, first, &open, err) != 0)
			return -1;
		if (open == 0 || (options->any && open < options->count))
			return verdict(options);
		if (options->timeout_ms >= 0) {
			int64_t left_ms = deadline_ms - clock_monotonic_ms();

			if (left_ms <= 0)
				break;
			pause_ms = left_ms < pause_ms ? left_ms : pause_ms;
		}
		poll(NULL, 0, (int)pause_ms);
		pause_ms = await_longer_ms(pause_ms);
		first = false;
	}
	cli_say("%zu of %zu jobs had not ended after %s", open, options->count,
		options->timeout_text);
	return CLI_TIMEOUT;
}

static int prepare(struct options *options, struct error *err)
{
	if (options->timeout_text != NULL &&
	    duration_read(options->timeout_text, &options->timeout_ms, err) != 0)
		return error_prefix(err, "--timeout");
	if (cli_jobs(options->cli, options->texts, options->count, &options->ids, err) != 0)
		return -1;
	options->jobs = calloc(options->count, sizeof(*options->jobs));
	if (options->jobs == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < options->count; i++)
		options->jobs[i].id = options->ids[i];
	return 0;
}

int wait_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli, .timeout_ms = -1 };
	struct db *db = NULL;
	int status = -1;

	cli_parse(&wait_argp, argc, argv, &options);
	if (prepare(&options, err) == 0 && cli_open(cli, &db, err) == 0)
		status = wait_all(&options, &db, err);
	db_close(db);
	free(options.jobs);
	free(options.ids);
	return status;
}
