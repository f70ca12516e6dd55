#include "db/database.h"

#include "db/rows.h"

int database_ensure(struct db *db, struct error *err)
{
	struct args args;
	PGresult *rows;
	int found;

	args_init(&args);
	rows = db_call(db, "database_find", &args, err);
	if (rows == NULL)
		return -1;
	found = rows_count(rows);
	PQclear(rows);
	if (found > 0)
		return 0;
	args_init(&args);
	return db_do(db, "database_create", &args, err);
}
