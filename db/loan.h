/* Somebody else's connection, for the length of a few calls. It belongs to one thread. */
#ifndef LOCUM_DB_LOAN_H
#define LOCUM_DB_LOAN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/error.h"
#include "db/db.h"

struct loan {
	struct db *db;    /* to make the calls with */
	bool nonblocking; /* what the connection was */
};

/* Checks that the connection can be used as it is: open, with no statement running, not in pipeline mode, UTF-8.
 * ERROR_INPUT when it is the caller's fault. */
int loan_check(PGconn *conn, struct error *err);

/* Checks, and makes the connection ready for calls. After -1 it is as it was. */
int loan_begin(struct loan *loan, PGconn *conn, struct error *err);

/* Leaves the connection as it was before loan_begin, as far as it still works. */
void loan_end(struct loan *loan);

/* Whether the caller has a transaction open. */
bool loan_in_transaction(const PGconn *conn);

#endif
