#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "db/intervention.h"
#include "db/rows.h"
#include "tools/locum/bulk.h"
#include "tools/locum/output.h"
#include "tools/locum/verb.h"

static void tell(const struct bulk_options *options, const PGresult *rows, int row, bool print,
		 struct bulk_totals *totals)
{
	bool found = options->filter.states.count > 0;
	int64_t id = view_int(rows, row, "id");
	const char *outcome = view_text(rows, row, "outcome");

	if (view_is_null(rows, row, "outcome") && !found) {
		cli_say("there is no unfinished job %" PRId64, id);
		totals->refused++;
	} else if (view_is_null(rows, row, "outcome") || strcmp(outcome, "left") == 0) {
		totals->left++;
	} else {
		totals->done++;
		totals->asked += strcmp(outcome, "asked") == 0;
		if (print)
			printf(options->cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", id);
	}
}

static int cancel(const struct bulk_options *options, struct db *db, const int64_t *ids,
		  size_t count, bool print, struct bulk_totals *totals, struct error *err)
{
	const struct filter_values *states = &options->filter.states;
	PGresult *rows = intervention_cancel(
		db, ids, count, states->count == 0 ? NULL : states->values, states->count, err);

	if (rows == NULL)
		return -1;
	for (int row = 0; row < rows_count(rows); row++)
		tell(options, rows, row, print, totals);
	PQclear(rows);
	return 0;
}

static const struct argp_option OPTIONS[] = { BULK_OPTIONS, { 0 } };

const struct argp cancel_argp = {
	.options = OPTIONS,
	.parser = bulk_parse,
	.args_doc = "JOB...\nFILTER...",
	.doc = "Cancels jobs that have not been claimed; asks the workers of the others to end them: a "
	       "command gets SIGTERM and, after the kill grace, SIGKILL. Prints the ids of those that it "
	       "found unfinished.",
	.children = bulk_children,
};

int cancel_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	static const struct bulk BULK = {
		.verb = "cancel",
		.done = "cancelled",
		.left = "not in a wanted state any more",
		.states = { "waiting", "scheduled", "pending", "assigned", "active", "held" },
		.default_states = 6,
		.act = cancel,
	};
	struct bulk_options options = { .cli = cli };

	cli_parse(&cancel_argp, argc, argv, &options);
	return bulk_run(&BULK, &options, err);
}
