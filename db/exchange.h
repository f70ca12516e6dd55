/*
 * One exchange with the server: the calls of a transaction out, their answers in. Between exchange_send and
 * exchange_end nothing else may be done with the connection. A plain command (exchange_command) is an
 * exchange of its own.
 */
#ifndef LOCUM_DB_EXCHANGE_H
#define LOCUM_DB_EXCHANGE_H

#include "db/db.h"
#include "db/db_state.h"

/* Sends the calls, all in one write that ends in one Sync; another one goes before the call `apart`, unless that is
 * count. -1 when that was impossible; the connection is
 * lost then. */
int exchange_send(struct db *db, struct db_call *calls, size_t count, size_t apart,
		  struct error *err);

/* Takes in what has arrived. Returns 1 at the end, be it good or bad, 0 when more is to come. */
int exchange_advance(struct db *db);

/* It is over, badly, after so long from now at the latest. */
void exchange_hurry(struct db *db, int64_t most_ms);

/* Waits until exchange_advance would return 1. */
void exchange_wait(struct db *db);

/* Gives the results of an exchange that is over, each the caller's to PQclear. On failure none is set. */
int exchange_end(struct db *db, PGresult **results, struct error *err);

/* Forgets an exchange that nobody waits for. */
void exchange_forget(struct db *db);

/* Runs a text of several commands and waits for the end. */
int exchange_command(struct db *db, const char *text, struct error *err);

#endif
