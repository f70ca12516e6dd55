/*
 * The database's own witness: a schema `locum_chaos` with an event table that triggers on locum's tables fill in the
 * transaction of what happens, and a logical slot (pgoutput) that gives the events in the order of commits.
 */
#ifndef LOCUM_TOOLS_CHAOS_HISTORY_RECORDER_H
#define LOCUM_TOOLS_CHAOS_HISTORY_RECORDER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Installs it in a database that has locum's schema and no jobs. Needs wal_level = logical for the slot; *ordered is
 * false without one, and the order is then that of the event table's transactions. */
int recorder_install(PGconn *conn, bool *ordered, struct error *err);

/* Writes FOLDER/database.log and FOLDER/final.log, a bounded piece at a time. */
int recorder_export(PGconn *conn, bool ordered, const char *folder, struct error *err);

/* Takes it out of the database. */
int recorder_remove(PGconn *conn, struct error *err);

#endif
