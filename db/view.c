#include "db/view.h"

#include "db/rows.h"
#include "db/state.h"

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

static void add_names(struct args *args, const struct view_names *names)
{
	args_string_array_or_null(args, names->values, names->count);
}

PGresult *view_jobs(struct db *db, const struct view_filter *filter, const struct view_range *range,
		    struct error *err)
{
	struct args args;

	args_init(&args);
	add_names(&args, &filter->states);
	add_names(&args, &filter->queues);
	add_names(&args, &filter->handlers);
	args_text(&args, filter->labels);
	args_time(&args, filter->since);
	args_time(&args, filter->until);
	args_bool(&args, filter->by_end);
	args_text(&args, filter->error);
	args_text(&args, filter->key);
	args_text(&args, filter->submitted_by);
	args_int8(&args, range->lowest);
	args_int8(&args, range->before);
	args_int4(&args, (int32_t)range->most);
	args_bool(&args, range->full);
	args_bool(&args, range->by_label);
	return db_call(db, "job_list", &args, err);
}

static enum view_sort sort_of(enum state state)
{
	if (state == STATE_ASSIGNED || state == STATE_ACTIVE)
		return VIEW_CLAIMED;
	if (!state_is_terminal(state))
		return VIEW_UNCLAIMED;
	return state == STATE_COMPLETED ? VIEW_COMPLETED : VIEW_NOT_COMPLETED;
}

/* What has ended by a time or by an error is not unfinished or completed, whatever the states say. */
bool view_allows(const struct view_filter *filter, enum view_sort sort)
{
	enum state state;

	if (filter->by_end && (sort == VIEW_CLAIMED || sort == VIEW_UNCLAIMED))
		return false;
	if (filter->error != NULL && sort == VIEW_COMPLETED)
		return false;
	if (filter->states.values == NULL)
		return true;
	for (size_t i = 0; i < filter->states.count; i++)
		if (state_read(filter->states.values[i], &state) == 0 && sort_of(state) == sort)
			return true;
	return false;
}

int view_floor(struct db *db, const struct view_filter *filter, int64_t before, int64_t scan,
	       int64_t *lowest, int64_t *reached, struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_int8(&args, before);
	args_int8(&args, scan);
	args_bool(&args, view_allows(filter, VIEW_UNCLAIMED));
	args_bool(&args, view_allows(filter, VIEW_COMPLETED));
	args_bool(&args, view_allows(filter, VIEW_NOT_COMPLETED));
	add_names(&args, &filter->states);
	rows = db_call(db, "job_floor", &args, err);
	if (rows == NULL)
		return -1;
	*lowest = view_int(rows, 0, "lowest");
	*reached = view_int(rows, 0, "reached");
	PQclear(rows);
	return 0;
}

/* An answer of one number. */
static int take_number(PGresult *rows, int64_t *number)
{
	if (rows == NULL)
		return -1;
	*number = rows_int(rows, 0, 0);
	PQclear(rows);
	return 0;
}

int view_after(struct db *db, int64_t moment, int64_t *id, struct error *err)
{
	struct args args;

	args_init(&args);
	args_time(&args, moment);
	return take_number(db_call(db, "job_after", &args, err), id);
}

int view_moment(struct db *db, const char *text, int64_t ago_ms, int64_t *moment, struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, text);
	args_int8(&args, ago_ms);
	return take_number(db_call(db, "moment_read", &args, err), moment);
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

PGresult *view_follow_ups(struct db *db, int64_t id, struct error *err)
{
	return about_job(db, "job_follow_ups", id, err);
}

PGresult *view_workers(struct db *db, int64_t ended_within_ms, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8(&args, ended_within_ms);
	return db_call(db, "worker_list", &args, err);
}

static PGresult *about_all(struct db *db, const char *statement, struct error *err)
{
	struct args args;

	args_init(&args);
	return db_call(db, statement, &args, err);
}

PGresult *view_agents(struct db *db, struct error *err)
{
	return about_all(db, "agent_list", err);
}

PGresult *view_handlers(struct db *db, struct error *err)
{
	return about_all(db, "handler_list", err);
}

PGresult *view_queues(struct db *db, struct error *err)
{
	return about_all(db, "queue_list", err);
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

int64_t view_unix_us(int64_t time)
{
	return time + EPOCH_2000_US;
}

int64_t view_time_us(const PGresult *rows, int row, int column)
{
	return view_unix_us(rows_int(rows, row, column));
}
