#include "db/intervention.h"

static PGresult *act(struct db *db, const char *statement, const int64_t *ids, size_t count,
		     struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	return db_call(db, statement, &args, err);
}

PGresult *intervention_cancel(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	return act(db, "job_cancel", ids, count, err);
}

PGresult *intervention_retry(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	return act(db, "job_retry", ids, count, err);
}
