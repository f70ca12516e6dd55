/* How long the CLI tries again when the database is away or transactions are in conflict. */
#ifndef LOCUM_TOOLS_LOCUM_PATIENCE_H
#define LOCUM_TOOLS_LOCUM_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"
#include "tools/locum/cli.h"

#define PATIENCE_DEFAULT "30s"

struct patience {
	struct cli *cli;
	int64_t limit_ms; /* from the first failure to the last attempt */
	int stop_fd;      /* ends the patience when it becomes readable; -1: none */
	int64_t until_ms; /* when it ends, by CLOCK_MONOTONIC; 0: nothing has failed */
	int tries;
};

/* Something went well: the next failure is a first one. */
void patience_rest(struct patience *patience);

/* After a failed attempt: puts the connection in order, closing and opening it if it is lost, and waits for a
 * while. Returns 0 when it is time to try again; -1 when that is of no use or patience has ended, which sets the
 * exit code, and then *err says why. *db may be NULL then. */
int patience_mend(struct patience *patience, struct db **db, struct error *err);

#endif
