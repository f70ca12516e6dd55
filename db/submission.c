#include "db/submission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "db/rows.h"

enum { NUMBER_SIZE = 40 };

void submission_init(struct submission *submission)
{
	*submission = (struct submission){
		.payload = "{}",
		.queue = "default",
		.priority = LIMIT_PRIORITY_DEFAULT,
		.delay_ms = -1,
		.timeout_ms = -1,
		.expires_ms = -1,
		.on_interrupt = "retry",
	};
}

/* An interval as the server reads it, or NULL for none. */
static const char *interval_text(int64_t ms, char text[static NUMBER_SIZE])
{
	if (ms < 0)
		return NULL;
	snprintf(text, NUMBER_SIZE, "%lld milliseconds", (long long)ms);
	return text;
}

int submission_store(struct db *db, const struct submission *submission, int64_t *id,
		     struct error *err)
{
	char delay[NUMBER_SIZE];
	char timeout[NUMBER_SIZE];
	char expires[NUMBER_SIZE];
	char attempts[NUMBER_SIZE];
	struct args args;
	PGresult *rows;

	snprintf(attempts, sizeof(attempts), "%lld", (long long)submission->max_attempts);
	args_init(&args);
	args_text(&args, submission->handler);
	args_text(&args, submission->payload);
	args_text(&args, submission->queue);
	args_int4(&args, (int32_t)submission->priority);
	args_text(&args, submission->run_at);
	args_text(&args, interval_text(submission->delay_ms, delay));
	args_text(&args, submission->key);
	args_uuid_or_null(&args, submission->request_id);
	args_text(&args, submission->max_attempts == 0 ? NULL : attempts);
	args_text(&args, interval_text(submission->timeout_ms, timeout));
	args_text(&args, interval_text(submission->expires_ms, expires));
	args_text(&args, submission->on_interrupt);
	args_text(&args, submission->traceparent);
	rows = db_call(db, "job_submit", &args, err);
	if (rows == NULL)
		return -1;
	*id = rows_int(rows, 0, 0);
	PQclear(rows);
	return 0;
}

/* The DETAIL of a refused line is its place, from 1. */
static size_t bad_line(const struct db *db, size_t count)
{
	const char *detail = db_error_detail(db);
	unsigned long place = strtoul(detail, NULL, 10);

	if (detail[strspn(detail, "0123456789")] != '\0' || place == 0 || place > count)
		return count;
	return place - 1;
}

int submission_store_lines(struct db *db, const struct args_text *lines, size_t count,
			   struct uuid request_id, int64_t *ids, size_t *stored, size_t *bad,
			   struct error *err)
{
	struct args args;
	PGresult *rows;
	int found;

	*bad = count;
	args_init(&args);
	args_text_array(&args, lines, count);
	args_uuid_or_null(&args, request_id);
	rows = db_call(db, "job_submit_lines", &args, err);
	if (rows == NULL) {
		*bad = bad_line(db, count);
		return -1;
	}
	found = rows_count(rows);
	for (int row = 0; row < found && (size_t)row < count; row++)
		ids[row] = rows_int(rows, row, 0);
	*stored = (size_t)found;
	PQclear(rows);
	return 0;
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
