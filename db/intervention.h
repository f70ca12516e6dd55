/* What people do to jobs after they submitted them. */
#ifndef LOCUM_DB_INTERVENTION_H
#define LOCUM_DB_INTERVENTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

/* Each acts on the jobs in one transaction and answers with a row for each, the caller's to PQclear, or with
 * NULL and *err; the columns stand in the signature of the statement. Ids ascend: the lock order. */
PGresult *intervention_cancel(struct db *db, const int64_t *ids, size_t count, struct error *err);
PGresult *intervention_retry(struct db *db, const int64_t *ids, size_t count, struct error *err);

#endif
