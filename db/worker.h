/* Statements of people about dispatchers. */
#ifndef LOCUM_DB_WORKER_H
#define LOCUM_DB_WORKER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"

/* Tells a dispatcher to drain. *told is false when none of that id lives. */
int worker_drain(struct db *db, struct uuid id, bool *told, struct error *err);

/* Sets *alive to whether an incarnation of the dispatcher has not ended. */
int worker_lives(struct db *db, struct uuid id, bool *alive, struct error *err);

#endif
