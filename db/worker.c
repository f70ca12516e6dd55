#include "db/worker.h"

#include "db/rows.h"

static int ask(struct db *db, const char *statement, struct uuid id, bool *answer,
	       struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_uuid(&args, id);
	rows = db_call(db, statement, &args, err);
	if (rows == NULL)
		return -1;
	*answer = rows_bool(rows, 0, 0);
	PQclear(rows);
	return 0;
}

int worker_drain(struct db *db, struct uuid id, bool *told, struct error *err)
{
	return ask(db, "worker_drain", id, told, err);
}

int worker_lives(struct db *db, struct uuid id, bool *alive, struct error *err)
{
	return ask(db, "worker_lives", id, alive, err);
}
