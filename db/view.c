#include "db/view.h"

#include "db/rows.h"

/* Type oids are fixed by PostgreSQL's catalogue. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT4 = 23,
	OID_JSON = 114,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
};

/* The server counts from 2000. */
#define EPOCH_2000_US ((int64_t)946684800 * 1000000)

PGresult *view_jobs(struct db *db, const struct view_filter *filter, struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, filter->state);
	args_text(&args, filter->queue);
	args_text(&args, filter->handler);
	args_int8(&args, filter->before);
	args_int4(&args, (int32_t)filter->most);
	args_int4(&args, (int32_t)filter->scan);
	args_bool(&args, filter->full);
	return db_call(db, "job_list", &args, err);
}

int view_jobs_are_cut(struct db *db, int64_t scan, bool *cut, struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_int4(&args, (int32_t)scan);
	rows = db_call(db, "job_floor", &args, err);
	if (rows == NULL)
		return -1;
	*cut = rows_bool(rows, 0, 0);
	PQclear(rows);
	return 0;
}

PGresult *view_states(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	return db_call(db, "job_states", &args, err);
}

static PGresult *about_job(struct db *db, const char *statement, int64_t id, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8(&args, id);
	return db_call(db, statement, &args, err);
}

PGresult *view_job(struct db *db, int64_t id, struct error *err)
{
	return about_job(db, "job_show", id, err);
}

PGresult *view_episodes(struct db *db, int64_t id, struct error *err)
{
	return about_job(db, "job_episodes", id, err);
}

PGresult *view_workers(struct db *db, int64_t ended_within_ms, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8(&args, ended_within_ms);
	return db_call(db, "worker_list", &args, err);
}

PGresult *view_agents(struct db *db, struct error *err)
{
	struct args args;

	args_init(&args);
	return db_call(db, "agent_list", &args, err);
}

enum view_type view_type(const PGresult *rows, int column)
{
	switch (PQftype(rows, column)) {
	case OID_INT4:
	case OID_INT8:
		return VIEW_NUMBER;
	case OID_BOOL:
		return VIEW_BOOLEAN;
	case OID_TIMESTAMPTZ:
		return VIEW_TIME;
	case OID_UUID:
		return VIEW_UUID;
	case OID_JSON:
		return VIEW_JSON;
	default:
		return VIEW_TEXT;
	}
}

int64_t view_int(const PGresult *rows, int row, const char *name)
{
	return rows_int(rows, row, PQfnumber(rows, name));
}

bool view_bool(const PGresult *rows, int row, const char *name)
{
	return rows_bool(rows, row, PQfnumber(rows, name));
}

const char *view_text(const PGresult *rows, int row, const char *name)
{
	return rows_text(rows, row, PQfnumber(rows, name));
}

struct uuid view_uuid(const PGresult *rows, int row, const char *name)
{
	return rows_uuid(rows, row, PQfnumber(rows, name));
}

bool view_is_null(const PGresult *rows, int row, const char *name)
{
	return rows_is_null(rows, row, PQfnumber(rows, name));
}

int64_t view_time_us(const PGresult *rows, int row, int column)
{
	return rows_int(rows, row, column) + EPOCH_2000_US;
}
