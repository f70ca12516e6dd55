/*
 * The last completions that the database acknowledged, the oldest forgotten first, so that after a failover it
 * can be told which of them did not survive it. Owned by the pump's thread.
 */
#ifndef LOCUM_DISPATCHER_RECENT_H
#define LOCUM_DISPATCHER_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"
#include "dispatcher/ledger.h"

struct recent;

/* NULL when memory ends. */
struct recent *recent_open(void);
void recent_close(struct recent *recent);

/* The job's end was acknowledged. */
void recent_add(struct recent *recent, const struct holding *holding);

size_t recent_count(const struct recent *recent);

/* Looks for each of them in the database, logs each that is lost as an error, and forgets these. Returns how many, or
 * -1: then what was not looked for yet is looked for by the next call. */
int64_t recent_check(struct recent *recent, struct db *db, struct error *err);

#endif
