#include "db/submission.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "db/column.h"
#include "db/rows.h"

enum { FULL_BYTES = 2 * 1024 * 1024, COLUMN_BYTES = 4 * FULL_BYTES };

struct submission {
	size_t count;
	size_t bytes; /* of the texts in it */
	struct column handlers;
	struct column payloads;
	struct column queues;
	struct column priorities;
	struct column keys;
	struct column options;
};

/* In the order of the statement's arguments. */
#define COLUMNS(X)                                                                                 \
	X(handlers, ARGS_TEXT)                                                                     \
	X(payloads, ARGS_TEXT)                                                                     \
	X(queues, ARGS_TEXT)                                                                       \
	X(priorities, ARGS_INT4)                                                                   \
	X(keys, ARGS_TEXT)                                                                         \
	X(options, ARGS_TEXT)

struct submission *submission_new(void)
{
	struct submission *submission = calloc(1, sizeof(*submission));

	if (submission == NULL)
		return NULL;
#define COLUMN_INIT(name, element) column_init(&submission->name, element, COLUMN_BYTES);
	COLUMNS(COLUMN_INIT)
#undef COLUMN_INIT
	return submission;
}

void submission_free(struct submission *submission)
{
	if (submission == NULL)
		return;
#define COLUMN_FINI(name, element) column_fini(&submission->name);
	COLUMNS(COLUMN_FINI)
#undef COLUMN_FINI
	free(submission);
}

void submission_clear(struct submission *submission)
{
	submission->count = 0;
	submission->bytes = 0;
#define COLUMN_CLEAR(name, element) column_clear(&submission->name);
	COLUMNS(COLUMN_CLEAR)
#undef COLUMN_CLEAR
}

size_t submission_count(const struct submission *submission)
{
	return submission->count;
}

bool submission_is_full(const struct submission *submission)
{
	return submission->count >= LIMIT_SUBMIT_BATCH || submission->bytes >= FULL_BYTES;
}

static int add_priority(struct submission *submission, int64_t priority, struct error *err)
{
	if (priority == SUBMISSION_PRIORITY_NONE)
		return column_add_null(&submission->priorities, err);
	return column_add_int4(&submission->priorities, (int32_t)priority, err);
}

static int add_columns(struct submission *submission, const struct submission_job *job,
		       struct error *err)
{
	if (column_add_text(&submission->handlers, job->handler, err) != 0 ||
	    column_add_text(&submission->payloads, job->payload, err) != 0 ||
	    column_add_text(&submission->queues, job->queue, err) != 0 ||
	    add_priority(submission, job->priority, err) != 0 ||
	    column_add_text(&submission->keys, job->key, err) != 0 ||
	    column_add_text(&submission->options, job->options, err) != 0)
		return -1;
	return 0;
}

int submission_add(struct submission *submission, const struct submission_job *job,
		   struct error *err)
{
#define COLUMN_MARK(name, element) struct column_mark name = column_mark(&submission->name);
	COLUMNS(COLUMN_MARK)
#undef COLUMN_MARK
	if (add_columns(submission, job, err) != 0) {
#define COLUMN_TAKE_BACK(name, element) column_take_back(&submission->name, name);
		COLUMNS(COLUMN_TAKE_BACK)
#undef COLUMN_TAKE_BACK
		return -1;
	}
	submission->count++;
	submission->bytes += job->handler.length + job->payload.length + job->queue.length +
			     job->key.length + job->options.length;
	return 0;
}

/* The DETAIL of a refused job is its place, from 1. */
static size_t bad_place(const struct db *db, size_t count)
{
	const char *detail = db_error_detail(db);
	unsigned long place = strtoul(detail, NULL, 10);

	if (detail[strspn(detail, "0123456789")] != '\0' || place == 0 || place > count)
		return count;
	return place - 1;
}

int submission_send(struct submission *submission, struct db *db, size_t count,
		    struct uuid request_id, struct submission_answer *answer, struct error *err)
{
	struct args args;
	PGresult *rows;
	int stored;

	args_init(&args);
	args_uuid_or_null(&args, request_id);
#define COLUMN_SEND(name, element) column_send(&submission->name, count, &args);
	COLUMNS(COLUMN_SEND)
#undef COLUMN_SEND
	rows = db_call(db, "job_submit_arrays", &args, err);
	if (rows == NULL) {
		answer->bad = bad_place(db, count);
		return -1;
	}
	stored = rows_count(rows);
	for (int row = 0; row < stored && (size_t)row < count; row++)
		answer->ids[row] = rows_int(rows, row, 0);
	answer->stored = (size_t)stored;
	PQclear(rows);
	return 0;
}

void submission_drop(struct submission *submission, size_t count)
{
	submission->count -= count;
#define COLUMN_DROP(name, element) column_drop(&submission->name, count);
	COLUMNS(COLUMN_DROP)
#undef COLUMN_DROP
}

struct args_text submission_payload(const struct submission *submission, size_t place)
{
	return column_text(&submission->payloads, place);
}

PGresult *submission_unserved(struct db *db, const int64_t *ids, size_t count, struct error *err)
{
	struct args args;

	args_init(&args);
	args_int8_array(&args, ids, count);
	return db_call(db, "job_unserved", &args, err);
}

int submission_request_is_known(struct db *db, struct uuid request_id, bool *found,
				struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_uuid(&args, request_id);
	rows = db_call(db, "request_find", &args, err);
	if (rows == NULL)
		return -1;
	*found = rows_count(rows) > 0;
	PQclear(rows);
	return 0;
}
