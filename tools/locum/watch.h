/* --watch: the same again and again, until somebody stops it. */
#ifndef LOCUM_TOOLS_LOCUM_WATCH_H
#define LOCUM_TOOLS_LOCUM_WATCH_H

#include "tools/locum/cli.h"

/* Option of a verb as an argp child; its input is the struct cli. */
extern const struct argp watch_argp;

/* Writes to stdout what there is now. Returns an exit code, or -1 with *err. */
typedef int watch_draw(void *context, struct db *db, struct error *err);

/* Opens the database and draws once or, with --watch, at each interval until SIGINT: in place on a terminal, one
 * below the other elsewhere. A database that goes away meanwhile is waited for. Returns an exit code, or -1
 * with *err. */
int watch_run(struct cli *cli, watch_draw *draw, void *context, struct error *err);

#endif
