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

/* Any of these texts; none when values is NULL. */
struct view_names {
	const char *const *values;
	size_t count;
};

/* Sorts of jobs that lie apart. */
enum view_sort { VIEW_CLAIMED, VIEW_UNCLAIMED, VIEW_COMPLETED, VIEW_NOT_COMPLETED };

/* Which jobs are wanted. Texts are borrowed; NULL lets every job pass. */
struct view_filter {
	struct view_names states;
	struct view_names queues;
	struct view_names handlers;
	const char *labels; /* a JSON object whose members a job's labels have to have */
	int64_t since;      /* as the server counts; ARGS_TIME_FIRST: no bound */
	int64_t until;      /* ARGS_TIME_LAST: no bound */
	bool by_end;        /* the two are about the end of jobs, not their submission */
	const char *error;  /* in the job's error, in whatever case */
	const char *key;
	const char *submitted_by;
};

/* Where to look. */
struct view_range {
	int64_t lowest; /* ids from this */
	int64_t before; /* up to, but not including this */
	int64_t most;   /* jobs in the answer */
	bool full;      /* with payload and result */
	bool by_label;  /* by the index of labels, not down the ids: for few jobs in many */
};

PGresult *view_jobs(struct db *db, const struct view_filter *filter, const struct view_range *range,
		    struct error *err);

/* How far down a search goes that looks at `scan` jobs below `before`: to the id *lowest, 0 for all that
 * there are, whose job was submitted at *reached. */
int view_floor(struct db *db, const struct view_filter *filter, int64_t before, int64_t scan,
	       int64_t *lowest, int64_t *reached, struct error *err);

/* Sets *id so that all jobs with a higher one were submitted after the moment, but for those of a
 * transaction that was open at it. */
int view_after(struct db *db, int64_t moment, int64_t *id, struct error *err);

/* The time that a text gives or, for NULL, the time so long ago, as the server counts. */
int view_moment(struct db *db, const char *text, int64_t ago_ms, int64_t *moment,
		struct error *err);

/* Whether jobs of this sort can pass. */
bool view_allows(const struct view_filter *filter, enum view_sort sort);

PGresult *view_states(struct db *db, const int64_t *ids, size_t count, struct error *err);
PGresult *view_job(struct db *db, int64_t id, struct error *err);
PGresult *view_episodes(struct db *db, int64_t id, struct error *err);
PGresult *view_workers(struct db *db, int64_t ended_within_ms, struct error *err);
PGresult *view_follow_ups(struct db *db, int64_t id, struct error *err);
PGresult *view_agents(struct db *db, struct error *err);
PGresult *view_handlers(struct db *db, struct error *err);
PGresult *view_queues(struct db *db, struct error *err);

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

/* Microseconds since 1970 for a time as the server counts. */
int64_t view_unix_us(int64_t time);

/* The same for a value. */
int64_t view_time_us(const PGresult *rows, int row, int column);

#endif
