/*
 * The primary: the database that this dispatcher belongs to, known by its system identifier, and the latest
 * timeline that any of its threads has seen there. Each connection is held against it before anything else is
 * done with it: another database, a standby, and a primary of an earlier timeline, which a failover left behind, are
 * refused. Any thread.
 */
#ifndef LOCUM_DISPATCHER_PRIMARY_H
#define LOCUM_DISPATCHER_PRIMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

struct primary;

struct primary_options {
	int64_t system_id; /* as known from earlier; 0 and 0: the first connection says */
	int64_t timeline;
	int64_t connect_ms;      /* longest wait for each address of each host */
	const struct halt *halt; /* ends the waiting on each connection; or NULL */
};

/* NULL when memory ends. */
struct primary *primary_open(const struct primary_options *options);
void primary_close(struct primary *primary);

/* As db_open; err is not NULL. Of several hosts the one that answered last is tried first, and a later one is taken when
 * the first that takes writes is refused. ERROR_FATAL when the database is refused, ERROR_RETRY when it is a standby. Sets *timeline to that of
 * the connection, 0 when this role may not know. A new one is logged once. */
int primary_connect(struct primary *primary, struct db **db, const struct db_options *options,
		    int64_t *timeline, struct error *err);

/* The same look at a connection that is open, which is given up (db_is_lost) when it is refused: behind a pooler it
 * may lead elsewhere than before. */
int primary_check(struct primary *primary, struct db *db, int64_t *timeline, struct error *err);

int64_t primary_system_id(struct primary *primary);

/* The latest that was seen. A connection of an earlier one is to be given up. */
int64_t primary_timeline(struct primary *primary);

/* Whether a pooler stands before the database. */
bool primary_is_pooled(struct primary *primary);

#endif
