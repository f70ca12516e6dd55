/* A connection as the library's callers hold it: one of its own, or the caller's. One thread at a time. */
#ifndef LOCUM_LIB_HANDLE_H
#define LOCUM_LIB_HANDLE_H

#include <stdbool.h>

#include "base/error.h"
#include "db/db.h"
#include "db/loan.h"

struct locum {
	char *conninfo;       /* NULL: the connection is the caller's */
	struct pg_conn *conn; /* the caller's */
	struct loan loan;     /* of it, during a call */
	struct db *db;        /* what calls are made with; NULL between calls on the caller's */
};

/* Makes handle->db ready for calls, and ends them. A lost connection of its own is opened anew. */
int handle_begin(struct locum *handle, struct error *err);
void handle_end(struct locum *handle);

/* Whether the connection was lost, and the next handle_begin opens another. */
bool handle_can_reopen(const struct locum *handle);

#endif
