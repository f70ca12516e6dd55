#include <inttypes.h>
#include <stdio.h>

#include "db/intervention.h"
#include "tools/locum/each.h"
#include "tools/locum/verb.h"

static int retry(const struct cli *cli, struct db *db, int64_t id, struct error *err)
{
	int64_t again;

	if (intervention_retry(db, id, &again, err) != 0)
		return -1;
	if (again == 0) {
		cli_say("there is no finished job %" PRId64, id);
		return CLI_NEGATIVE;
	}
	if (cli->json)
		printf("{\"id\":%" PRId64 ",\"retry_of\":%" PRId64 "}\n", again, id);
	else
		printf("%" PRId64 "\n", again);
	return CLI_OK;
}

int retry_run(struct cli *cli, int argc, char **argv, struct error *err)
{
	static const struct each EACH = {
		.doc = "Submits finished jobs again, each as a new job, and prints the new ids.",
		.act = retry,
	};

	return each_run(&EACH, cli, argc, argv, err);
}
