#include <inttypes.h>
#include <stdio.h>

#include "db/intervention.h"
#include "db/rows.h"
#include "tools/locum/bulk.h"
#include "tools/locum/output.h"
#include "tools/locum/verb.h"

static int cancel(const struct cli *cli, struct db *db, const int64_t *ids, size_t count,
		  bool print, struct bulk_totals *totals, struct error *err)
{
	PGresult *rows = intervention_cancel(db, ids, count, err);

	if (rows == NULL)
		return -1;
	for (int row = 0; row < rows_count(rows); row++) {
		int64_t id = view_int(rows, row, "id");

		if (!view_bool(rows, row, "unfinished")) {
			cli_say("there is no unfinished job %" PRId64, id);
			totals->refused++;
			continue;
		}
		totals->done++;
		totals->asked += view_bool(rows, row, "claimed");
		if (print)
			printf(cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", id);
	}
	PQclear(rows);
	return 0;
}

const struct argp cancel_argp = {
	.options = bulk_option_table,
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
		.states = { "waiting", "scheduled", "pending", "assigned", "active", "held" },
		.default_states = 6,
		.act = cancel,
	};
	struct bulk_options options = { .cli = cli };

	cli_parse(&cancel_argp, argc, argv, &options);
	return bulk_run(&BULK, &options, err);
}
