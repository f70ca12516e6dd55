/* What people do to jobs after they submitted them. */
#ifndef LOCUM_DB_INTERVENTION_H
#define LOCUM_DB_INTERVENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

/* Each acts on the jobs in one transaction and answers with a row for each, the caller's to PQclear, or with
 * NULL and *err; the columns stand in the signature of the statement. Ids ascend: the lock order. */

/* Only those in one of these states; NULL: in any. */
PGresult *intervention_cancel(struct db *db, const int64_t *ids, size_t count,
			      const char *const *states, size_t state_count, struct error *err);

/* With `again` also those that were retried before. */
PGresult *intervention_retry(struct db *db, const int64_t *ids, size_t count, bool again,
			     struct error *err);

/* Which of these jobs were retried before: rows in their order, the caller's to PQclear, or NULL. */
PGresult *intervention_retried(struct db *db, const int64_t *ids, size_t count, struct error *err);

#endif
