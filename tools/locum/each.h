/* Verbs that do one thing to each of the jobs that they are given. */
#ifndef LOCUM_TOOLS_LOCUM_EACH_H
#define LOCUM_TOOLS_LOCUM_EACH_H

#include <stdint.h>

#include "base/error.h"
#include "db/db.h"
#include "tools/locum/cli.h"

struct each {
	const char *doc; /* for --help */
	/* Does it to one job. Returns 0, CLI_NEGATIVE after it said that the job is none for it, or -1. */
	int (*act)(const struct cli *cli, struct db *db, int64_t id, struct error *err);
};

/* Parses the arguments and acts on each job in turn; CLI_NEGATIVE when it was for one of them. */
int each_run(const struct each *each, struct cli *cli, int argc, char **argv, struct error *err);

#endif
