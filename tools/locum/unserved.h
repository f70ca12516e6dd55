/* Jobs that nobody would run as things stand. Each pair of handler and queue is asked about once. */
#ifndef LOCUM_TOOLS_LOCUM_UNSERVED_H
#define LOCUM_TOOLS_LOCUM_UNSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "db/db.h"
#include "db/submission.h"

enum {
	UNSERVED_PAIRS = 256,
	UNSERVED_TOLD_MAX = 16,
	UNSERVED_PAIR_SIZE = 2 * LIMIT_NAME_BYTES + 2
};

struct unserved_pair {
	size_t length; /* 0: no pair here */
	bool known;    /* asked about, and the answer was taken */
	char bytes[UNSERVED_PAIR_SIZE];
};

/* Begins zeroed but for strict. */
struct unserved {
	bool strict; /* fail instead of warning */
	int told;    /* warnings: there is an end to them */
	struct unserved_pair
		pairs[UNSERVED_PAIRS]; /* a hash table; what has no room is always asked */
};

/* The jobs of a chunk that are to be asked about: the first of each pair that is not known. */
struct unserved_fresh {
	size_t count;
	size_t places[LIMIT_SUBMIT_BATCH];
	struct unserved_pair *pairs[LIMIT_SUBMIT_BATCH]; /* NULL: has no room in the table */
};

/* Notes a job of a chunk, by its place. */
void unserved_note(struct unserved *unserved, struct unserved_fresh *fresh,
		   const struct submission_job *job, size_t place);

/* The first jobs of the chunk are gone. */
void unserved_drop(struct unserved_fresh *fresh, size_t count);

/* Looks whether a living dispatcher serves the noted ones of these jobs, which have just been stored. If not,
 * warns, or fails with ERROR_INPUT. */
int unserved_check(struct unserved *unserved, const struct unserved_fresh *fresh, struct db *db,
		   const int64_t *ids, struct error *err);

#endif
