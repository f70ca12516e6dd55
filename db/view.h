/*
 * Answers for people: what `locum list`, `show`, `wait` and `workers` print.
 *
 * Each reader returns rows, the caller's to PQclear, or NULL with *err. The columns and their meaning stand
 * in the signature of the statement; values are read by name, and by the type that the server says.
 */
#ifndef LOCUM_DB_VIEW_H
#define LOCUM_DB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"

struct view_filter {
	const char *state; /* of the jobs, or NULL; so too the next two */
	const char *queue;
	const char *handler;
	int64_t before; /* only jobs with a smaller id */
	int64_t most;   /* jobs in the answer */
	int64_t scan;   /* jobs that are looked at */
	bool full;      /* with payload and result */
};

PGresult *view_jobs(struct db *db, const struct view_filter *filter, struct error *err);

/* Sets *cut to whether view_jobs with this `scan` does not look at all jobs. */
int view_jobs_are_cut(struct db *db, int64_t scan, bool *cut, struct error *err);

PGresult *view_states(struct db *db, const int64_t *ids, size_t count, struct error *err);
PGresult *view_job(struct db *db, int64_t id, struct error *err);
PGresult *view_episodes(struct db *db, int64_t id, struct error *err);
PGresult *view_workers(struct db *db, int64_t ended_within_ms, struct error *err);
PGresult *view_agents(struct db *db, struct error *err);

enum view_type {
	VIEW_NUMBER,
	VIEW_BOOLEAN,
	VIEW_TIME,
	VIEW_UUID,
	VIEW_JSON,
	VIEW_TEXT,
};
enum view_type view_type(const PGresult *rows, int column);

/* Values by the column's name; a null reads as 0, false or NULL. */
int64_t view_int(const PGresult *rows, int row, const char *name);
bool view_bool(const PGresult *rows, int row, const char *name);
const char *view_text(const PGresult *rows, int row, const char *name);
struct uuid view_uuid(const PGresult *rows, int row, const char *name);
bool view_is_null(const PGresult *rows, int row, const char *name);

/* Microseconds since 1970, by the database's clock. */
int64_t view_time_us(const PGresult *rows, int row, int column);

#endif
