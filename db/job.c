#include "db/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* Columns of an array of ranges, as the statement takes them. */
static void add_ranges(struct args *args, const struct job_range *ranges, size_t count)
{
	int32_t *numbers = calloc(count + 1, sizeof(*numbers));
	int64_t *lowest = calloc(count + 1, sizeof(*lowest));

	if (numbers == NULL || lowest == NULL) {
		args->failed = true;
		goto out;
	}
	for (size_t i = 0; i < count; i++)
		numbers[i] = ranges[i].queue_id;
	args_int4_array(args, numbers, count);
	for (size_t i = 0; i < count; i++)
		numbers[i] = ranges[i].priority;
	args_int4_array(args, numbers, count);
	for (size_t i = 0; i < count; i++)
		numbers[i] = ranges[i].lane;
	args_int4_array(args, numbers, count);
	for (size_t i = 0; i < count; i++)
		lowest[i] = ranges[i].lowest;
	args_int8_array(args, lowest, count);
out:
	free(lowest);
	free(numbers);
}

void job_claim_call(struct db_call *call, const struct job_claim_args *claim)
{
	call->statement = "job_claim";
	args_init(&call->args);
	args_uuid(&call->args, claim->incarnation);
	args_uuid(&call->args, claim->claim_id);
	add_ranges(&call->args, claim->ranges, claim->range_count);
	args_string_array(&call->args, claim->handlers, claim->handler_count);
	args_int4(&call->args, claim->most);
	args_bool(&call->args, claim->probation);
}

void job_look_call(struct db_call *call, const struct job_look_args *look)
{
	call->statement = "job_look";
	args_init(&call->args);
	args_int4_array(&call->args, look->queues, look->queue_count);
	args_string_array(&call->args, look->handlers, look->handler_count);
	args_string_array(&call->args, look->names, look->name_count);
	args_int4_array(&call->args, look->known, look->name_count);
}

int job_look_rows(const PGresult *rows, struct job_sight *sight, struct error *err)
{
	static const char *const NAMES[] = { "ready", "due", "expired", "changed" };
	int at[4];

	if (rows_columns(rows, NAMES, 4, at, err) != 0)
		return -1;
	*sight = (struct job_sight){
		.ready = rows_bool(rows, 0, at[0]),
		.due = rows_bool(rows, 0, at[1]),
		.expired = rows_bool(rows, 0, at[2]),
		.changed = rows_bool(rows, 0, at[3]),
	};
	return 0;
}

enum claim_column {
	CLAIM_ID,
	CLAIM_QUEUE_ID,
	CLAIM_PRIORITY,
	CLAIM_LANE,
	CLAIM_HANDLER,
	CLAIM_ATTEMPT,
	CLAIM_MAX_ATTEMPTS,
	CLAIM_SEQ,
	CLAIM_INTERRUPTIONS,
	CLAIM_RECOVERIES,
	CLAIM_ON_INTERRUPT,
	CLAIM_TIMEOUT_MS,
	CLAIM_EXPIRES_IN_MS,
	CLAIM_PAYLOAD,
	CLAIM_TRACEPARENT,
	CLAIM_CHECKPOINT,
	CLAIM_PLACE,
	CLAIM_COLUMNS,
};

static const char *const CLAIM_NAMES[CLAIM_COLUMNS] = {
	[CLAIM_ID] = "id",
	[CLAIM_QUEUE_ID] = "queue_id",
	[CLAIM_PRIORITY] = "priority",
	[CLAIM_LANE] = "lane",
	[CLAIM_HANDLER] = "handler",
	[CLAIM_ATTEMPT] = "attempt",
	[CLAIM_MAX_ATTEMPTS] = "max_attempts",
	[CLAIM_SEQ] = "claim_seq",
	[CLAIM_INTERRUPTIONS] = "interruptions",
	[CLAIM_RECOVERIES] = "recoveries",
	[CLAIM_ON_INTERRUPT] = "on_interrupt",
	[CLAIM_TIMEOUT_MS] = "timeout_ms",
	[CLAIM_EXPIRES_IN_MS] = "expires_in_ms",
	[CLAIM_PAYLOAD] = "payload",
	[CLAIM_TRACEPARENT] = "traceparent",
	[CLAIM_CHECKPOINT] = "checkpoint",
	[CLAIM_PLACE] = "place",
};

/* What a row leaves out is as by default. */
static int64_t int_or(const PGresult *rows, int row, int column, int64_t missing)
{
	return rows_is_null(rows, row, column) ? missing : rows_int(rows, row, column);
}

/* A row that somebody else has written may say anything: less than none is none. */
static int64_t read_timeout_ms(const PGresult *rows, int row, int column)
{
	int64_t timeout_ms = rows_int(rows, row, column);

	return timeout_ms < 0 ? 0 : timeout_ms;
}

static void read_claimed(const PGresult *rows, int row, const int *at, struct job_claimed *job)
{
	*job = (struct job_claimed){
		.id = rows_int(rows, row, at[CLAIM_ID]),
		.queue_id = (int)rows_int(rows, row, at[CLAIM_QUEUE_ID]),
		.priority = (int)rows_int(rows, row, at[CLAIM_PRIORITY]),
		.lane = (int)rows_int(rows, row, at[CLAIM_LANE]),
		.handler = rows_text(rows, row, at[CLAIM_HANDLER]),
		.attempt = (int)rows_int(rows, row, at[CLAIM_ATTEMPT]),
		.max_attempts = (int)int_or(rows, row, at[CLAIM_MAX_ATTEMPTS],
					    LIMIT_ATTEMPTS_DEFAULT),
		.claim_seq = rows_int(rows, row, at[CLAIM_SEQ]),
		.interruptions = (int)rows_int(rows, row, at[CLAIM_INTERRUPTIONS]),
		.recoveries = (int)rows_int(rows, row, at[CLAIM_RECOVERIES]),
		.retries_when_interrupted = rows_is_null(rows, row, at[CLAIM_ON_INTERRUPT]),
		.timeout_ms = read_timeout_ms(rows, row, at[CLAIM_TIMEOUT_MS]),
		.expires_in_ms = int_or(rows, row, at[CLAIM_EXPIRES_IN_MS], -1),
		.payload = rows_text(rows, row, at[CLAIM_PAYLOAD]),
		.payload_length = rows_length(rows, row, at[CLAIM_PAYLOAD]),
		.traceparent = rows_text(rows, row, at[CLAIM_TRACEPARENT]),
		.checkpoint = rows_text(rows, row, at[CLAIM_CHECKPOINT]),
		.place = rows_place(rows, row, at[CLAIM_PLACE]),
	};
}

struct job_claimed *job_claim_rows(const PGresult *rows, size_t *count, struct error *err)
{
	size_t found = (size_t)rows_count(rows);
	struct job_claimed *jobs;
	int at[CLAIM_COLUMNS];

	*count = 0;
	if (rows_columns(rows, CLAIM_NAMES, CLAIM_COLUMNS, at, err) != 0 || found == 0)
		return NULL;
	jobs = calloc(found, sizeof(*jobs));
	if (jobs == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for %zu claimed jobs", found);
		return NULL;
	}
	for (size_t i = 0; i < found; i++)
		read_claimed(rows, (int)i, at, &jobs[i]);
	*count = found;
	return jobs;
}

/* A column of texts. One without any goes as an empty array, which unnest fills up with nulls at no cost. */
static void add_texts(struct args *args, const struct args_text *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (texts[i].bytes != NULL) {
			args_text_array(args, texts, count);
			return;
		}
	}
	args_text_array(args, NULL, 0);
}

/* The outcomes; one that is left out is "completed". */
static void add_outcomes(struct args *args, const struct args_text *outcomes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(outcomes[i].bytes, "completed") != 0) {
			args_text_array(args, outcomes, count);
			return;
		}
	}
	args_text_array(args, NULL, 0);
}

void job_complete_call(struct db_call *call, const struct job_completion *completion)
{
	struct args *args = &call->args;

	call->statement = "job_complete";
	args_init(args);
	args_uuid(args, completion->incarnation);
	args_uuid(args, completion->completion_id);
	args_uuid_array(args, completion->confirmed, completion->confirmed_count);
	args_int8_array(args, completion->ids, completion->count);
	args_uuid_array(args, completion->claim_ids, completion->count);
	add_outcomes(args, completion->outcomes, completion->count);
	add_texts(args, completion->results, completion->count);
	add_texts(args, completion->errors, completion->count);
	add_texts(args, completion->logs, completion->count);
	args_int8_array(args, completion->started_ago_ms, completion->count);
	args_int8_array(args, completion->delay_ms, completion->count);
	args_bool(args, completion->skip);
	args_place_array(args, completion->places,
			 completion->places == NULL ? 0 : completion->count);
}

static enum job_lookup lookup_verdict(const char *name)
{
	if (strcmp(name, "mine") == 0)
		return JOB_MINE;
	if (strcmp(name, "held") == 0)
		return JOB_HELD;
	if (strcmp(name, "lost") == 0)
		return JOB_LOST;
	return JOB_GONE;
}

static void read_fate(const PGresult *rows, int row, const int *at, struct job_fate *fate)
{
	const char *state = rows_text(rows, row, at[2]);

	fate->lookup = lookup_verdict(rows_text(rows, row, at[1]));
	snprintf(fate->state, sizeof(fate->state), "%s", state == NULL ? "" : state);
}

int completion_lookup(struct db *db, struct uuid completion_id, const int64_t *ids,
		      const struct uuid *claim_ids, size_t count, struct job_fate *fates,
		      struct error *err)
{
	static const char *const NAMES[] = { "id", "verdict", "state" };
	struct args args;
	PGresult *rows;
	int at[3];

	args_init(&args);
	args_uuid(&args, completion_id);
	args_int8_array(&args, ids, count);
	args_uuid_array(&args, claim_ids, count);
	rows = db_call(db, "completion_lookup", &args, err);
	if (rows == NULL || rows_columns(rows, NAMES, 3, at, err) != 0) {
		PQclear(rows);
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		fates[i] = (struct job_fate){ .lookup = JOB_GONE };
	for (int row = 0; row < rows_count(rows); row++)
		for (size_t i = 0; i < count; i++)
			if (ids[i] == rows_int(rows, row, at[0]))
				read_fate(rows, row, at, &fates[i]);
	PQclear(rows);
	return 0;
}

void receipt_confirm_call(struct db_call *call, const struct uuid *confirmed, size_t count)
{
	call->statement = "receipt_confirm";
	args_init(&call->args);
	args_uuid_array(&call->args, confirmed, count);
}

void completion_check_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
			   const int32_t *queues, const int64_t *ages_ms, size_t count)
{
	call->statement = "completion_check";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
	args_int4_array(&call->args, queues, count);
	args_int8_array(&call->args, ages_ms, count);
}

void job_start_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		    const int64_t *started_ago_ms, size_t count)
{
	call->statement = "job_start";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
	args_int8_array(&call->args, started_ago_ms, count);
}

void job_note_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		   const struct args_text *checkpoints, const struct args_text *progresses,
		   size_t count)
{
	call->statement = "job_note";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
	add_texts(&call->args, checkpoints, count);
	add_texts(&call->args, progresses, count);
}

void job_payload_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		      size_t count)
{
	call->statement = "job_payload";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
}

void job_due_call(struct db_call *call, int most)
{
	call->statement = "job_due";
	args_init(&call->args);
	args_int4(&call->args, most);
}

void job_expire_call(struct db_call *call, int most)
{
	call->statement = "job_expire";
	args_init(&call->args);
	args_int4(&call->args, most);
}

void claim_unknown_call(struct db_call *call, struct uuid incarnation, const int64_t *known,
			size_t count)
{
	call->statement = "claim_unknown";
	args_init(&call->args);
	args_uuid(&call->args, incarnation);
	args_int8_array(&call->args, known, count);
}

void claim_release_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
			size_t count)
{
	call->statement = "claim_release";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
}

void claim_look_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		     size_t count)
{
	call->statement = "claim_look";
	args_init(&call->args);
	args_int8_array(&call->args, ids, count);
	args_uuid_array(&call->args, claim_ids, count);
}

bool job_rows_have(const PGresult *rows, int64_t id)
{
	int column = PQfnumber(rows, "id");

	for (int row = 0; column >= 0 && row < rows_count(rows); row++)
		if (rows_int(rows, row, column) == id)
			return true;
	return false;
}

int job_reclaim(struct db *db, struct uuid incarnation, int most, int passed, struct error *err)
{
	struct args args;
	PGresult *rows;
	int taken;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int4(&args, most);
	args_int4(&args, passed);
	rows = db_call(db, "job_reclaim", &args, err);
	if (rows == NULL)
		return -1;
	taken = rows_count(rows);
	PQclear(rows);
	return taken;
}
