/* Statements that keep house: partitions of `finished`, what is too old, the epoch. */
#ifndef LOCUM_DB_HOUSE_H
#define LOCUM_DB_HOUSE_H

#include "base/error.h"
#include "db/db.h"

/* Makes the partitions for today and the days ahead. Returns how many were missing, or -1. */
int partition_prepare(struct db *db, struct error *err);

/* Detaches and drops the partitions that no queue keeps any more. Returns how many commands ran, or -1. */
int partition_drop(struct db *db, struct error *err);

/* Deletes up to `most` finished jobs and other rows past their time. Returns how many jobs, or -1. */
int house_keep(struct db *db, int most, struct error *err);

/* Makes the epoch's row when it is missing. */
int epoch_ensure(struct db *db, struct error *err);

#endif
