/* Jobs that nobody would run as things stand. */
#ifndef LOCUM_TOOLS_LOCUM_UNSERVED_H
#define LOCUM_TOOLS_LOCUM_UNSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "db/db.h"

enum { UNSERVED_MAX = 16, UNSERVED_PAIR_SIZE = 2 * LIMIT_NAME_BYTES + 2 };

/* Begins zeroed but for strict. */
struct unserved {
	bool strict; /* fail instead of warning */
	int told;    /* pairs of handler and queue that were warned about: each once */
	char pairs[UNSERVED_MAX][UNSERVED_PAIR_SIZE];
};

/* Looks whether a living dispatcher serves these jobs, which have just been stored. If not, warns, or fails
 * with ERROR_INPUT. */
int unserved_check(struct unserved *seen, struct db *db, const int64_t *ids, size_t count,
		   struct error *err);

#endif
