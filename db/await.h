/* Waiting for jobs to end, by looking at growing intervals. One thread. */
#ifndef LOCUM_DB_AWAIT_H
#define LOCUM_DB_AWAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

enum { AWAIT_FIRST_MS = 20, AWAIT_MOST_MS = 1000, AWAIT_RECONNECT_MS = 30000 };

/* The jobs of one wait. */
struct await {
	const int64_t *ids; /* borrowed */
	size_t count;
	bool *ended;    /* by place in ids */
	int64_t *asked; /* scratch */
	size_t open;    /* how many have not ended */
	bool looked;    /* at least once */
	int64_t pause_ms;
};

int await_init(struct await *await, const int64_t *ids, size_t count, struct error *err);
void await_fini(struct await *await);

/* Asks for the jobs that have not ended. A job of which nothing is left has ended, and its queue keeps no
 * finished jobs; at the first look it is ERROR_INPUT, and *missing gets its place, from 1, else 0. */
int await_look(struct await *await, struct db *db, size_t *missing, struct error *err);

/* The pause that follows one of pause_ms: half as long again, up to AWAIT_MOST_MS. */
int64_t await_longer_ms(int64_t pause_ms);

/* Sleeps until the next look is due, but no longer than left_ms; -1: no such limit. */
void await_pause(struct await *await, int64_t left_ms);

/* The row of the job with that id among rows that ascend in the column `id`, or -1. */
int await_find(const PGresult *rows, int id_column, int64_t id);

#endif
