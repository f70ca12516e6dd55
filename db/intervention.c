#include "db/intervention.h"

PGresult *intervention_cancel(struct db *db, const int64_t *ids, size_t count,
			      const char *const *states, size_t state_count, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	args_string_array_or_null(&args, states, state_count);
	return db_call(db, "job_cancel", &args, err);
}

PGresult *intervention_retry(struct db *db, const int64_t *ids, size_t count, bool again,
			     struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	args_bool(&args, again);
	return db_call(db, "job_retry", &args, err);
}

PGresult *intervention_retried(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	return db_call(db, "job_retried", &args, err);
}
