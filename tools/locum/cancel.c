#include <inttypes.h>
#include <stdio.h>

#include "db/intervention.h"
#include "tools/locum/each.h"
#include "tools/locum/verb.h"

static int cancel(const struct cli *cli, struct db *db, int64_t id, struct error *err)
{
	bool unfinished;

	if (intervention_cancel(db, id, &unfinished, err) != 0)
		return -1;
	if (!unfinished) {
		cli_say("there is no unfinished job %" PRId64, id);
		return CLI_NEGATIVE;
	}
	printf(cli->json ? "{\"id\":%" PRId64 "}\n" : "%" PRId64 "\n", id);
	return CLI_OK;
}

int cancel_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	static const struct each EACH = {
		.doc = "Cancels jobs that have not been claimed; asks the workers of the others to end them. "
		       "Prints the ids of those that it found unfinished.",
		.act = cancel,
	};

	return each_run(&EACH, cli, argc, argv, err);
}
