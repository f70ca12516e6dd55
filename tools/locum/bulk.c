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
	case BULK_AGAIN:
		options->again = true;
		return 0;
	case ARGP_KEY_ARGS:
		options->texts = state->argv + state->next;
		options->count = (size_t)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

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

static void sort(struct found *found)
{
	size_t kept = 0;

	if (found->count > 0)
		qsort(found->ids, found->count, sizeof(*found->ids), by_id);
	for (size_t i = 0; i < found->count; i++)
		if (kept == 0 || found->ids[kept - 1] != found->ids[i])
			found->ids[kept++] = found->ids[i];
	found->count = kept;
}

/* Takes those of the jobs of a page out that the verb leaves out, and moves the rest down to `to`. Both ascend. */
static size_t keep_rest(struct found *found, size_t from, size_t count, size_t to,
			const PGresult *out)
{
	int row = 0;

	for (size_t i = from; i < from + count; i++) {
		if (row < rows_count(out) && view_int(out, row, "id") == found->ids[i])
			row++;
		else
			found->ids[to++] = found->ids[i];
	}
	return to;
}

static int leave_out(const struct bulk *bulk, const struct bulk_options *options, struct db *db,
		     struct found *found, struct bulk_totals *totals, struct error *err)
{
	size_t kept = 0;

	if (bulk->leave_out == NULL || options->again)
		return 0;
	for (size_t at = 0; at < found->count; at += PAGE) {
		size_t count = found->count - at < PAGE ? found->count - at : PAGE;
		PGresult *out = bulk->leave_out(db, found->ids + at, count, err);

		if (out == NULL)
			return -1;
		kept = keep_rest(found, at, count, kept, out);
		PQclear(out);
	}
	totals->left = found->count - kept;
	found->count = kept;
	return 0;
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
		if (bulk->act(options, db, found->ids + at, count, print, totals, err) != 0)
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
			struct found *found, struct bulk_totals *totals, struct error *err)
{
	const struct cli *cli = options->cli;
	bool print = cli->json || cli->quiet;
	int status;

	if (leave_out(bulk, options, db, found, totals, err) != 0)
		return -1;
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
	status = act(bulk, options, db, found, print, totals, err);
	if (status >= 0 && status != CLI_INTERRUPTED && !print)
		cli_say("%zu job%s %s", totals->done, totals->done == 1 ? "" : "s", bulk->done);
	if (status >= 0 && !print && totals->asked > 0)
		cli_say("%zu of them %s running: their workers end them", totals->asked,
			totals->asked == 1 ? "is" : "are");
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
	struct bulk_totals totals = { 0 };
	struct view_filter filter;
	int status = -1;

	if (filter_resolve(&options->filter, db, &filter, err) == 0 &&
	    find_all(db, &filter, &found, err) == 0) {
		sort(&found);
		status = act_on_found(bulk, options, db, &found, &totals, err);
		if (status >= 0 && totals.left > 0)
			cli_say("%zu job%s left alone: %s", totals.left,
				totals.left == 1 ? " was" : "s were", bulk->left);
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
	sort(&found);
	options->again = true;
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
