/*
 * A connection on its way: dialled, its session prepared, and asked whether it leads to the right place. Only the
 * dialling is without waiting: a server that took the connection answers, or is given up after the time to connect.
 */
#ifndef LOCUM_DB_OPENING_H
#define LOCUM_DB_OPENING_H

#include "db/db.h"

struct opening;

/* As db_open, without waiting. The conninfo and what else the options point at must last until the end. NULL on
 * failure. */
struct opening *opening_begin(const struct db_options *options, struct error *err);

/* Goes on. 1 sets *db; 0: wait as opening_poll says; -1: failed. After anything but 0 close it. */
int opening_advance(struct opening *opening, struct db **db, struct error *err);

/* What to poll for, and until when (CLOCK_MONOTONIC). The descriptor changes. */
struct pollfd opening_poll(const struct opening *opening);
int64_t opening_deadline_ms(const struct opening *opening);

void opening_close(struct opening *opening);

#endif
