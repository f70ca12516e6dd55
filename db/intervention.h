/* What people do to a job after they submitted it. */
#ifndef LOCUM_DB_INTERVENTION_H
#define LOCUM_DB_INTERVENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

/* Cancels a job, or asks its worker to. *unfinished is false when there was nothing to cancel. */
int intervention_cancel(struct db *db, int64_t id, bool *unfinished, struct error *err);

/* Submits a finished job again. *again is the new job's id, 0 when no finished job has that id. */
int intervention_retry(struct db *db, int64_t id, int64_t *again, struct error *err);

#endif
