#include "agent/host/locum_job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* --- from the frame to the outcome ------------------------------------------------------------- */

/* A NUL goes behind what is kept, so that handlers get strings. */
static struct wire_bytes keep(char **to, struct wire_bytes bytes)
{
	struct wire_bytes kept = { .bytes = NULL };

	if (bytes.bytes == NULL)
		return kept;
	memcpy(*to, bytes.bytes, bytes.length);
	(*to)[bytes.length] = '\0';
	kept.bytes = *to;
	kept.length = bytes.length;
	*to += bytes.length + 1;
	return kept;
}

struct locum_job *locum_job_make(const struct wire_job *wire, uint64_t number, struct error *err)
{
	size_t texts = (size_t)wire->queue.length + wire->handler.length + wire->payload.length +
		       wire->traceparent.length + 4;
	struct locum_job *job = malloc(sizeof(*job) + texts);
	char *to = (char *)(job + 1);

	if (job == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for a job");
		return NULL;
	}
	memset(job, 0, sizeof(*job));
	job->number = number;
	job->delay_ms = -1;
	job->wire = *wire;
	job->wire.queue = keep(&to, wire->queue);
	job->wire.handler = keep(&to, wire->handler);
	job->wire.payload = keep(&to, wire->payload);
	job->wire.traceparent = keep(&to, wire->traceparent);
	uuid_text(wire->claim_id, job->claim);
	return job;
}

void locum_job_free(struct locum_job *job)
{
	output_free(&job->output);
	free(job->result);
	free(job->log);
	free(job->error);
	free(job);
}

void locum_job_stop(struct locum_job *job, enum locum_job_stop reason)
{
	int none = LOCUM_JOB_GOES_ON;

	atomic_compare_exchange_strong(&job->stop, &none, (int)reason);
}

static void set_error(struct locum_job *job, char *error)
{
	free(job->error);
	job->error = error;
}

void locum_job_end(struct locum_job *job, enum verdict verdict, const char *format, ...)
{
	char *error = NULL;
	va_list args;

	job->verdict = verdict;
	job->ended_ms = clock_boottime_ms();
	if (format == NULL)
		return;
	va_start(args, format);
	if (vasprintf(&error, format, args) >= 0)
		set_error(job, error);
	va_end(args);
}

int64_t locum_job_ran_ms(const struct locum_job *job)
{
	return clock_boottime_ms() - job->started_ms;
}

struct gate_claim locum_job_gate_claim(const struct locum_job *job)
{
	return (struct gate_claim){
		.id = job->wire.id,
		.claim_id = job->wire.claim_id,
		.timeout_ms = job->wire.timeout_ms,
	};
}

void locum_job_close_log(struct locum_job *job)
{
	if (job->log == NULL && job->output.total > 0)
		job->log = output_text(&job->output, &job->log_length);
}

static struct wire_bytes bytes_or_absent(const char *bytes, size_t length)
{
	if (bytes == NULL || length == 0)
		return (struct wire_bytes){ .bytes = NULL };
	return (struct wire_bytes){ .bytes = bytes, .length = (uint32_t)length };
}

void locum_job_outcome(const struct locum_job *job, struct wire_outcome *outcome)
{
	bool is_stored = job->verdict == VERDICT_SETTLED || job->verdict == VERDICT_LOST;

	*outcome = (struct wire_outcome){
		.id = job->wire.id,
		.claim_id = job->wire.claim_id,
		.verdict = job->verdict,
		.exit_code = -1,
		.started_ms = job->started_ms,
		.ended_ms = job->ended_ms,
		.delay_ms = job->delay_ms,
	};
	if (is_stored)
		return;
	outcome->log = bytes_or_absent(job->log, job->log_length);
	if (job->verdict == VERDICT_DONE)
		outcome->result = bytes_or_absent(job->result, job->result_length);
	else if (job->error != NULL)
		outcome->error = bytes_or_absent(job->error, strlen(job->error));
}

/* --- what handlers call ------------------------------------------------------------------------ */

int64_t locum_job_id(const struct locum_job *job)
{
	return job->wire.id;
}

int locum_job_attempt(const struct locum_job *job)
{
	return job->wire.attempt;
}

const char *locum_job_queue(const struct locum_job *job)
{
	return job->wire.queue.bytes;
}

const char *locum_job_handler(const struct locum_job *job)
{
	return job->wire.handler.bytes;
}

const char *locum_job_payload(const struct locum_job *job, size_t *length)
{
	if (length != NULL)
		*length = job->wire.payload.length;
	return job->wire.payload.bytes;
}

const char *locum_job_claim(const struct locum_job *job)
{
	return job->claim;
}

int64_t locum_job_claim_seq(const struct locum_job *job)
{
	return job->wire.claim_seq;
}

const char *locum_job_traceparent(const struct locum_job *job)
{
	return job->wire.traceparent.bytes;
}

int64_t locum_job_deadline_ms(const struct locum_job *job)
{
	if (job->wire.timeout_ms == 0)
		return 0;
	return clock_wall_ms() + job->wire.timeout_ms - locum_job_ran_ms(job);
}

int locum_job_result(struct locum_job *job, const char *json, size_t length)
{
	char *copy;

	if (length > LIMIT_RESULT_BYTES || text_valid(json, length) < length)
		return -1;
	copy = malloc(length + 1);
	if (copy == NULL)
		return -1;
	memcpy(copy, json, length);
	copy[length] = '\0';
	free(job->result);
	job->result = copy;
	job->result_length = length;
	return 0;
}

int locum_job_fail(struct locum_job *job, enum locum_end end, const char *message)
{
	size_t length;
	char *clean = text_clean(message, strnlen(message, LIMIT_ERROR_BYTES - 1), &length);

	if (clean != NULL)
		set_error(job, clean);
	return (int)end;
}

int locum_job_log(struct locum_job *job, const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return -1;
	output_add(&job->output, text, (size_t)length);
	free(text);
	return 0;
}

void locum_job_progress(struct locum_job *job)
{
	slate_progress(job->slate);
}

bool locum_job_cancelled(const struct locum_job *job)
{
	return atomic_load_explicit(&job->stop, memory_order_relaxed) != LOCUM_JOB_GOES_ON;
}

struct pg_conn *locum_job_connection(struct locum_job *job)
{
	struct gate_claim claim = locum_job_gate_claim(job);
	int held;

	if (job->gate != LOCUM_JOB_GATE_UNUSED)
		return job->connection;
	held = store_take(job->store, &claim, &job->connection, &job->refusal);
	if (held == 1)
		job->gate = LOCUM_JOB_GATE_HELD;
	else if (held == 0)
		job->gate = LOCUM_JOB_GATE_LOST;
	else
		job->gate = LOCUM_JOB_GATE_FAILED;
	return job->connection;
}
