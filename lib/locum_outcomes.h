/* What a wait gives back. One thread. */
#ifndef LOCUM_LIB_LOCUM_OUTCOMES_H
#define LOCUM_LIB_LOCUM_OUTCOMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"
#include "include/locum/client.h"

/* How the jobs stand now. Returns a new one, the caller's to locum_outcomes_free, or NULL. */
struct locum_outcomes *locum_outcomes_fetch(struct db *db, const int64_t *ids, size_t count,
					    struct error *err);

#endif
