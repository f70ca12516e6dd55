#include "db/intervention.h"

#include "db/rows.h"

static PGresult *call(struct db *db, const char *statement, int64_t id, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8(&args, id);
	return db_call(db, statement, &args, err);
}

int intervention_cancel(struct db *db, int64_t id, bool *unfinished, struct error *err)
{
	PGresult *rows = call(db, "job_cancel", id, err);

	if (rows == NULL)
		return -1;
	*unfinished = rows_bool(rows, 0, 0);
	PQclear(rows);
	return 0;
}

int intervention_retry(struct db *db, int64_t id, int64_t *again, struct error *err)
{
	PGresult *rows = call(db, "job_retry", id, err);

	if (rows == NULL)
		return -1;
	*again = rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0);
	PQclear(rows);
	return 0;
}
