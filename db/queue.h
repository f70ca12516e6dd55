/* Statements about queues. */
#ifndef LOCUM_DB_QUEUE_H
#define LOCUM_DB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/db.h"

/* A queue that exists; index is its place among the names that were asked for. */
struct queue_row {
	size_t index;
	int id;
	bool paused;
};

/* Looks up queues by name into rows, which has room for `count`. Returns how many exist, or -1. */
int queue_find(struct db *db, const char *const *names, size_t count, struct queue_row *rows,
	       struct error *err);

#endif
