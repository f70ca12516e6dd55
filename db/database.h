/* The database of the private cluster. */
#ifndef LOCUM_DB_DATABASE_H
#define LOCUM_DB_DATABASE_H

#include "base/error.h"
#include "db/db.h"

/* Makes the database "locum" on the server of this connection if there is none. */
int database_ensure(struct db *db, struct error *err);

#endif
