/* Statements about queues. */
#ifndef LOCUM_DB_QUEUE_H
#define LOCUM_DB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Makes a queue; keep_finished_ms is how long its finished jobs stay, negative for the default. *done is
 * false when there is one of that name. */
int queue_create(struct db *db, const char *name, bool paused, int64_t keep_finished_ms, bool *done,
		 struct error *err);

/* Each sets *done to whether there is such a queue. After queue_pause nothing of it is claimed any more. */
int queue_set(struct db *db, const char *name, int64_t keep_finished_ms, bool *done,
	      struct error *err);
int queue_pause(struct db *db, const char *name, bool *done, struct error *err);
int queue_resume(struct db *db, const char *name, bool *done, struct error *err);

/* The same; a queue that has jobs, finished or not, is an ERROR_INPUT. */
int queue_delete(struct db *db, const char *name, bool *done, struct error *err);

#endif
