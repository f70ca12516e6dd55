/*
 * Getting through to the server: each address of each host of a connection string in turn, the host that answered last
 * first, and a limited time for each. Waits only when told to. Belongs to one thread.
 */
#ifndef LOCUM_DB_DIAL_H
#define LOCUM_DB_DIAL_H

#include "db/db.h"

struct dial;

/* Keeps a pointer to the options. NULL for a malformed conninfo (ERROR_INPUT) and when memory ends. Names of hosts are
 * looked up as they come, for as long as the resolver takes. */
struct dial *dial_open(const struct db_options *options, struct error *err);
void dial_close(struct dial *dial);

/* Goes on with what is ready. 1: dial_take has a connection; 0: wait; -1: nobody is left to be tried, or the halt has
 * come. The error is the first that will never work, else the first. */
int dial_advance(struct dial *dial, struct error *err);

/* What to poll for while it is 0, and until when (CLOCK_MONOTONIC). The descriptor changes. */
struct pollfd dial_poll(const struct dial *dial);
int64_t dial_deadline_ms(const struct dial *dial);

/* The connection, the caller's to PQfinish. */
PGconn *dial_take(struct dial *dial);

/* It was the right one: it is tried first next time. */
void dial_remember(struct dial *dial);

/* It was not: goes on with the next. */
void dial_refuse(struct dial *dial, const struct error *err);

/* How long each try may take. */
int64_t dial_connect_ms(const struct dial *dial);

#endif
