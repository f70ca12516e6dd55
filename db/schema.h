/* The schema's life: made and upgraded by `locum init`, checked by everybody else. */
#ifndef LOCUM_DB_SCHEMA_H
#define LOCUM_DB_SCHEMA_H

#include "db/db.h"

/* What schema_init did. */
struct schema_change {
	int before; /* newest migration it found, 0 for none */
	int after;
};

/* Brings the database to this binary's schema, in one transaction under an advisory lock: runs the missing
 * migrations, makes functions and views anew, makes the first partitions. Doing it twice changes nothing.
 * ERROR_FATAL for a newer schema, and for a database that is not UTF-8. */
int schema_init(struct db *db, struct schema_change *change, struct error *err);

/* Returns 0 when the database has exactly this binary's schema; else -1 with ERROR_FATAL and what to do. */
int schema_check(struct db *db, struct error *err);

/* The newest migration that this binary knows. */
int schema_newest(void);

#endif
