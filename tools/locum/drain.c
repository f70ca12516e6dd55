#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "db/rows.h"
#include "db/view.h"
#include "db/worker.h"
#include "tools/locum/verb.h"

enum { POLL_MS = 200 };

struct options {
	struct cli *cli;
	bool all;
	bool wait;
	const char *timeout_text;
	int64_t timeout_ms; /* -1: none */
	char **texts;       /* the arguments */
	size_t count;
};

/* The dispatchers that are to drain. */
struct drained {
	struct uuid *ids;
	size_t count;
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
	case 'w':
		options->wait = true;
		return 0;
	case 't':
		options->timeout_text = arg;
		return 0;
	case ARGP_KEY_ARGS:
		options->texts = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{ "all", 'a', NULL, 0, "every dispatcher that lives", 1 },
	{ "wait", 'w', NULL, 0, "wait until they have ended", 1 },
	{ "timeout", 't', "DURATION", 0, "with --wait: no longer than this, then end with 124", 1 },
	{ 0 },
};
static const struct argp_child CHILDREN[] = {
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
const struct argp drain_argp = {
	.options = OPTIONS,
	.parser = parse,
	.args_doc = "DISPATCHER...\n--all",
	.doc = "Tells dispatchers to claim nothing more, to finish what they have, and to end, as SIGTERM "
	       "does. A dispatcher is named by its id, or by as much of its beginning as no other living one "
	       "has. Prints the ids of those that were told.",
	.children = CHILDREN,
};

/* The one living dispatcher whose id begins so. */
static int find_one(struct cli *cli, const PGresult *workers, const char *text, struct uuid *id,
		    struct error *err)
{
	size_t length = strlen(text);
	char uuid[UUID_TEXT_SIZE];
	int found = 0;

	for (int row = 0; row < rows_count(workers); row++) {
		struct uuid here = view_uuid(workers, row, "id");

		if (length > 0 && strncasecmp(uuid_text(here, uuid), text, length) == 0) {
			*id = here;
			found++;
		}
	}
	if (found == 1)
		return 0;
	cli->failure = CLI_NEGATIVE;
	return error_set(err, ERROR_INPUT, "%s living dispatcher's id begins with \"%.60s\"",
			 found == 0 ? "no" : "more than one", text);
}

static int find(struct options *options, const PGresult *workers, struct drained *drained,
		struct error *err)
{
	int living = rows_count(workers);

	drained->count = options->all ? (size_t)living : options->count;
	drained->ids = calloc(drained->count + 1, sizeof(*drained->ids));
	if (drained->ids == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < drained->count; i++) {
		if (options->all)
			drained->ids[i] = view_uuid(workers, (int)i, "id");
		else if (find_one(options->cli, workers, options->texts[i], &drained->ids[i],
				  err) != 0)
			return -1;
	}
	return 0;
}

static int tell_all(const struct options *options, struct db *db, const struct drained *drained,
		    struct error *err)
{
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; i < drained->count; i++) {
		bool told;

		if (worker_drain(db, drained->ids[i], &told, err) != 0)
			return -1;
		uuid_text(drained->ids[i], uuid);
		if (told)
			printf(options->cli->json ? "{\"id\":\"%s\"}\n" : "%s\n", uuid);
		else
			cli_say("dispatcher %s ended meanwhile", uuid);
	}
	fflush(stdout);
	return CLI_OK;
}

/* Sets *left to how many of them live. */
static int count_left(struct db *db, const struct drained *drained, size_t *left, struct error *err)
{
	*left = 0;
	for (size_t i = 0; i < drained->count; i++) {
		bool alive;

		if (worker_lives(db, drained->ids[i], &alive, err) != 0)
			return -1;
		*left += alive;
	}
	return 0;
}

static int wait_all(const struct options *options, struct db *db, const struct drained *drained,
		    struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + options->timeout_ms;
	size_t left;

	for (;;) {
		int64_t now_ms = clock_monotonic_ms();

		if (count_left(db, drained, &left, err) != 0)
			return -1;
		if (left == 0)
			return CLI_OK;
		if (options->timeout_ms >= 0 && now_ms >= deadline_ms)
			break;
		poll(NULL, 0, POLL_MS);
	}
	cli_say("%zu of %zu dispatchers had not ended after %s", left, drained->count,
		options->timeout_text);
	return CLI_TIMEOUT;
}

static int check(struct options *options, struct error *err)
{
	options->timeout_ms = -1;
	if (options->all && options->count > 0)
		return cli_usage(options->cli, err, "\"%.60s\" does not go with --all",
				 options->texts[0]);
	if (!options->all && options->count == 0)
		return cli_usage(options->cli, err, "which dispatcher? Give its id, or --all");
	if (options->timeout_text == NULL)
		return 0;
	if (!options->wait)
		return cli_usage(options->cli, err, "--timeout goes with --wait");
	if (duration_read(options->timeout_text, &options->timeout_ms, err) != 0)
		return error_prefix(err, "--timeout");
	return 0;
}

static int drain(struct options *options, struct db *db, struct error *err)
{
	struct drained drained = { 0 };
	PGresult *workers = view_workers(db, 0, err);
	int status = -1;

	if (workers != NULL && find(options, workers, &drained, err) == 0)
		status = tell_all(options, db, &drained, err);
	if (status == CLI_OK && options->all && drained.count == 0)
		cli_say("no dispatcher is alive");
	if (status == CLI_OK && options->wait)
		status = wait_all(options, db, &drained, err);
	free(drained.ids);
	PQclear(workers);
	return status;
}

int drain_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	struct options options = { .cli = cli };
	struct db *db;
	int status;

	cli_parse(&drain_argp, argc, argv, &options);
	if (check(&options, err) != 0 || cli_open(cli, &db, err) != 0)
		return -1;
	status = drain(&options, db, err);
	db_close(db);
	return status;
}
