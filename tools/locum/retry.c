#include <inttypes.h>
#include <stdio.h>

#include "db/intervention.h"
#include "db/rows.h"
#include "tools/locum/bulk.h"
#include "tools/locum/output.h"
#include "tools/locum/verb.h"

static void tell(const struct cli *cli, const PGresult *rows, int row, bool print,
		 struct bulk_totals *totals)
{
	int64_t former = view_int(rows, row, "retry_of");

	if (view_is_null(rows, row, "id") && view_bool(rows, row, "_finished")) {
		totals->left++;
		return;
	}
	if (view_is_null(rows, row, "id")) {
		cli_say("there is no finished job %" PRId64, former);
		totals->refused++;
		return;
	}
	totals->done++;
	if (print && cli->json)
		output_object(stdout, rows, row);
	else if (print)
		printf("%" PRId64 "\n", view_int(rows, row, "id"));
}

/* A job whose key another one has now is refused, and with it what is done in the same transaction: so the
 * jobs are tried one by one then. */
static int retry(const struct bulk_options *options, struct db *db, const int64_t *ids,
		 size_t count, bool print, struct bulk_totals *totals, struct error *err)
{
	PGresult *rows = intervention_retry(db, ids, count, options->again, err);

	if (rows == NULL && err->kind != ERROR_INPUT)
		return -1;
	if (rows == NULL && count == 1) {
		cli_say("job %" PRId64 ": %s", ids[0], err->text);
		totals->refused++;
		return 0;
	}
	for (size_t i = 0; rows == NULL && i < count; i++)
		if (retry(options, db, ids + i, 1, print, totals, err) != 0)
			return -1;
	for (int row = 0; rows != NULL && row < rows_count(rows); row++)
		tell(options->cli, rows, row, print, totals);
	PQclear(rows);
	return 0;
}

static const struct argp_option OPTIONS[] = {
	BULK_OPTIONS,
	{ "again", BULK_AGAIN, NULL, 0, "with a filter, also jobs that were retried before", 1 },
	{ 0 },
};

const struct argp retry_argp = {
	.options = OPTIONS,
	.parser = bulk_parse,
	.args_doc = "JOB...\nFILTER...",
	.doc = "Submits finished jobs again, each as a new job, and prints the new ids. A filter that names "
	       "no state finds jobs that failed, were cancelled, or expired. It leaves out those that were retried "
	       "before.",
	.children = bulk_children,
};

int retry_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	static const struct bulk BULK = {
		.verb = "retry",
		.done = "submitted again",
		.left = "retried before; --again does it once more",
		.leave_out = intervention_retried,
		.states = { "failed", "cancelled", "expired", "completed" },
		.default_states = 3,
		.act = retry,
	};
	struct bulk_options options = { .cli = cli };

	cli_parse(&retry_argp, argc, argv, &options);
	return bulk_run(&BULK, &options, err);
}
