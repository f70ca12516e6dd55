#include "tools/locum/bulk.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/rows.h"
#include "tools/locum/search.h"

enum { AT_ONCE = 500 /* jobs in one transaction */, PAGE = 10000 };

/* Begins zeroed. */
struct found {
	int64_t *ids;
	size_t count;
	size_t room;
};

error_t bulk_parse(int key, char *arg, struct argp_state *state)
{
	struct bulk_options *options = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->filter;
		state->child_inputs[1] = options->cli;
		state->child_inputs[2] = options->cli;
		return 0;
	case 'n':
		options->dry_run = true;
		return 0;
	case 'y':
		options->yes = true;
		return 0;
	case ARGP_KEY_ARGS:
		options->texts = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp_option bulk_option_table[] = {
	{ "dry-run", 'n', NULL, 0, "only tell which jobs a filter finds", 1 },
	{ "yes", 'y', NULL, 0, "do not ask about the jobs that a filter finds", 1 },
	{ 0 },
};
const struct argp_child bulk_children[] = {
	{ &filter_argp, 0, NULL, 0 },
	{ &cli_output_argp, 0, NULL, 0 },
	{ &cli_connection_argp, 0, NULL, 0 },
	{ 0 },
};
static int add_page(struct found *found, const PGresult *rows, struct error *err)
{
	size_t count = (size_t)rows_count(rows);
	size_t room = 2 * (found->count + count);
	int64_t *grown = found->ids;

	if (found->count + count > found->room) {
		grown = reallocarray(found->ids, room, sizeof(*grown));
		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		found->ids = grown;
		found->room = room;
	}
	for (size_t i = 0; i < count; i++)
		found->ids[found->count++] = view_int(rows, (int)i, "id");
	return 0;
}

static int find_all(struct db *db, const struct view_filter *filter, struct found *found,
		    struct error *err)
{
	struct search search;
	PGresult *rows;

	if (search_begin(&search, db, filter, err) != 0)
		return -1;
	search.all = true;
	while ((rows = search_next(&search, db, PAGE, err)) != NULL) {
		int status = add_page(found, rows, err);

		PQclear(rows);
		if (status != 0)
			return -1;
	}
	return search.done ? 0 : -1;
}

static int by_id(const void *a, const void *b)
{
	const int64_t *left = a;
	const int64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* Returns whether the answer is yes. */
static bool ask(const char *verb, size_t count)
{
	char answer[16];

	fprintf(stderr, "%s %zu job%s? [y/N] ", verb, count, count == 1 ? "" : "s");
	fflush(stderr);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

/* What was done stays done; the rest is left alone. */
static int say_interrupted(const struct bulk *bulk, const struct bulk_totals *totals, size_t count)
{
	cli_say("interrupted; %zu of %zu jobs were %s", totals->done, count, bulk->done);
	return CLI_INTERRUPTED;
}

static int act_until(const struct bulk *bulk, const struct bulk_options *options, struct db *db,
		     const struct found *found, bool print, int stop_fd, struct bulk_totals *totals,
		     struct error *err)
{
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };

	for (size_t at = 0; at < found->count; at += AT_ONCE) {
		size_t count = found->count - at < AT_ONCE ? found->count - at : AT_ONCE;

		if (poll(&stop, 1, 0) == 1)
			return say_interrupted(bulk, totals, found->count);
		if (bulk->act(options->cli, db, found->ids + at, count, print, totals, err) != 0)
			return error_prefix(err, "%zu of %zu jobs were %s", totals->done,
					    found->count, bulk->done);
		fflush(stdout);
	}
	return totals->refused > 0 ? CLI_NEGATIVE : CLI_OK;
}

static int act(const struct bulk *bulk, const struct bulk_options *options, struct db *db,
	       const struct found *found, bool print, struct bulk_totals *totals, struct error *err)
{
	int stop_fd = options->cli->stop_fd();
	int status = act_until(bulk, options, db, found, print, stop_fd, totals, err);

	if (stop_fd >= 0)
		close(stop_fd);
	return status;
}

static void put_ids(const struct cli *cli, const struct found *found)
{
	for (size_t i = 0; i < found->count; i++)
		printf(cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", found->ids[i]);
}

static int act_on_found(const struct bulk *bulk, const struct bulk_options *options, struct db *db,
			const struct found *found, struct error *err)
{
	const struct cli *cli = options->cli;
	struct bulk_totals totals = { 0 };
	bool print = cli->json || cli->quiet;
	int status;

	if (options->dry_run) {
		if (print)
			put_ids(cli, found);
		else
			printf("would %s %zu job%s\n", bulk->verb, found->count,
			       found->count == 1 ? "" : "s");
		return CLI_OK;
	}
	if (found->count > 0 && !options->yes) {
		if (isatty(STDIN_FILENO) == 0)
			return cli_usage(
				options->cli, err,
				"this would %s %zu job%s; --yes does it without a question",
				bulk->verb, found->count, found->count == 1 ? "" : "s");
		if (!ask(bulk->verb, found->count))
			return CLI_NEGATIVE;
	}
	status = act(bulk, options, db, found, print, &totals, err);
	if (status >= 0 && status != CLI_INTERRUPTED && !print)
		cli_say("%zu job%s %s", totals.done, totals.done == 1 ? "" : "s", bulk->done);
	if (status >= 0 && !print && totals.asked > 0)
		cli_say("%zu of them %s running: their workers end them", totals.asked,
			totals.asked == 1 ? "is" : "are");
	return status;
}

/* A filter finds only what the verb can act on. */
static int allow_states(const struct bulk *bulk, struct bulk_options *options, struct error *err)
{
	struct filter *filter = &options->filter;

	for (size_t i = 0; i < filter->states.count; i++) {
		bool allowed = false;

		for (size_t k = 0; bulk->states[k] != NULL; k++)
			allowed = allowed || strcmp(bulk->states[k], filter->states.values[i]) == 0;
		if (!allowed)
			return cli_usage(options->cli, err, "there is nothing to %s about %s jobs",
					 bulk->verb, filter->states.values[i]);
	}
	if (filter->states.count == 0)
		for (size_t k = 0; k < bulk->default_states; k++)
			filter->states.values[filter->states.count++] = bulk->states[k];
	return 0;
}

static int run_filter(const struct bulk *bulk, struct bulk_options *options, struct db *db,
		      struct error *err)
{
	struct found found = { 0 };
	struct view_filter filter;
	int status = -1;

	if (filter_resolve(&options->filter, db, &filter, err) == 0 &&
	    find_all(db, &filter, &found, err) == 0) {
		if (found.count > 0)
			qsort(found.ids, found.count, sizeof(*found.ids), by_id);
		status = act_on_found(bulk, options, db, &found, err);
	}
	free(found.ids);
	return status;
}

static int run_ids(const struct bulk *bulk, struct bulk_options *options, int64_t *ids,
		   struct error *err)
{
	struct found found = { .ids = ids, .count = options->count };
	struct bulk_totals totals = { 0 };
	struct db *db;
	int status;

	if (options->dry_run)
		return cli_usage(options->cli, err, "--dry-run goes with a filter");
	if (cli_open(options->cli, &db, err) != 0)
		return -1;
	qsort(found.ids, found.count, sizeof(*found.ids), by_id);
	status = act(bulk, options, db, &found, true, &totals, err);
	db_close(db);
	return status;
}

static int run_found(const struct bulk *bulk, struct bulk_options *options, struct error *err)
{
	struct db *db;
	int status;

	if (options->count > 0)
		return cli_usage(options->cli, err, "\"%.60s\" does not go with a filter",
				 options->texts[0]);
	if (filter_check(&options->filter, options->cli, err) != 0 ||
	    allow_states(bulk, options, err) != 0 || cli_open(options->cli, &db, err) != 0)
		return -1;
	status = run_filter(bulk, options, db, err);
	db_close(db);
	return status;
}

int bulk_run(const struct bulk *bulk, struct bulk_options *options, struct error *err)
{
	int64_t *ids;
	int status = -1;

	if (filter_is_set(&options->filter)) {
		status = run_found(bulk, options, err);
	} else if (cli_jobs(options->cli, options->texts, options->count, &ids, err) == 0) {
		status = run_ids(bulk, options, ids, err);
		free(ids);
	}
	filter_fini(&options->filter);
	return status;
}
