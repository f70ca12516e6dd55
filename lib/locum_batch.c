#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "db/submission.h"
#include "include/locum/client.h"
#include "lib/fault.h"
#include "lib/handle.h"
#include "lib/options.h"

_Static_assert((int)LOCUM_BATCH_MAX == (int)LIMIT_SUBMIT_BATCH, "one limit");

struct locum_batch {
	struct submission *jobs;
	struct buffer options; /* of the job that is being added */
};

struct locum_batch *locum_batch_new(struct locum_error *error)
{
	struct locum_batch *batch = calloc(1, sizeof(*batch));

	if (batch != NULL) {
		batch->jobs = submission_new();
		buffer_init(&batch->options, LIMIT_OPTIONS_BYTES);
	}
	if (batch != NULL && batch->jobs != NULL)
		return batch;
	locum_batch_free(batch);
	fault_memory(error);
	return NULL;
}

void locum_batch_free(struct locum_batch *batch)
{
	if (batch == NULL)
		return;
	submission_free(batch->jobs);
	buffer_free(&batch->options);
	free(batch);
}

/* No text is so long that a column of the batch could not take it. */
static int read_text(const char *what, const char *text, struct args_text *read, struct error *err)
{
	*read = (struct args_text){ text, text == NULL ? 0 : strlen(text) };
	if (read->length <= LIMIT_OPTIONS_BYTES)
		return 0;
	return error_set(err, ERROR_INPUT, "the %s has %zu bytes", what, read->length);
}

static int read_job(struct locum_batch *batch, struct submission_job *job, const char *handler,
		    const char *payload, const struct locum_options *options, struct error *err)
{
	buffer_consume(&batch->options, buffer_length(&batch->options));
	if (options->request_id != NULL)
		return error_set(err, ERROR_INPUT,
				 "a job of a batch has no request_id of its own; "
				 "locum_batch_submit takes one for all");
	/* Which a batch takes for no priority at all. */
	if (options->priority == SUBMISSION_PRIORITY_NONE)
		return error_set(err, ERROR_INPUT, "the priority must be 0 to %d, not %d",
				 LIMIT_PRIORITY_MAX, options->priority);
	job->priority = options->priority;
	if (read_text("name of the handler", handler, &job->handler, err) != 0 ||
	    read_text("payload", payload, &job->payload, err) != 0 ||
	    read_text("name of the queue", options->queue, &job->queue, err) != 0 ||
	    read_text("key", options->key, &job->key, err) != 0 ||
	    options_write(&batch->options, options, err) != 0)
		return -1;
	if (buffer_length(&batch->options) > 0)
		job->options = (struct args_text){ buffer_bytes(&batch->options),
						   buffer_length(&batch->options) };
	return 0;
}

static int add(struct locum_batch *batch, const char *handler, const char *payload,
	       const struct locum_options *given, struct error *err)
{
	struct locum_options options;
	struct submission_job job = { .priority = SUBMISSION_PRIORITY_NONE };

	if (submission_is_full(batch->jobs))
		return 1;
	if (options_read(given, &options, err) != 0 ||
	    read_job(batch, &job, handler, payload, &options, err) != 0)
		return -1;
	return submission_add(batch->jobs, &job, err);
}

int locum_batch_add(struct locum_batch *batch, const char *handler, const char *payload,
		    const struct locum_options *options, struct locum_error *error)
{
	struct error err;
	int status = add(batch, handler, payload, options, &err);

	return status < 0 ? fault_tell(error, &err, locum_batch_count(batch) + 1) : status;
}

size_t locum_batch_count(const struct locum_batch *batch)
{
	return submission_count(batch->jobs);
}

void locum_batch_clear(struct locum_batch *batch)
{
	submission_clear(batch->jobs);
}

/* Sends all jobs; answer->ids has room for theirs. */
static int send(struct locum *locum, struct locum_batch *batch, struct uuid request_id,
		struct submission_answer *answer, struct error *err)
{
	size_t count = submission_count(batch->jobs);
	int status;

	if (handle_begin(locum, err) != 0)
		return -1;
	status = submission_send(batch->jobs, locum->db, count, request_id, answer, err);
	handle_end(locum);
	if (status == 0 && answer->stored != count)
		return error_set(err, ERROR_INPUT,
				 "the request_id was used before, for %zu jobs, not %zu",
				 answer->stored, count);
	return status;
}

static int submit(struct locum *locum, struct locum_batch *batch, const char *request, int64_t *ids,
		  size_t *place, struct error *err)
{
	size_t count = submission_count(batch->jobs);
	struct submission_answer answer = { .ids = calloc(count + 1, sizeof(*ids)), .bad = count };
	struct uuid request_id;
	int status = -1;

	if (answer.ids == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (options_uuid("request_id", request, &request_id, err) == 0)
		status = count == 0 ? 0 : send(locum, batch, request_id, &answer, err);
	if (status == 0 && ids != NULL)
		memcpy(ids, answer.ids, count * sizeof(*ids));
	if (status == 0)
		submission_clear(batch->jobs);
	*place = status == 0 || answer.bad == count ? 0 : answer.bad + 1;
	free(answer.ids);
	return status;
}

int locum_batch_submit(struct locum *locum, struct locum_batch *batch, const char *request_id,
		       int64_t *ids, struct locum_error *error)
{
	size_t place = 0;
	struct error err;

	if (submit(locum, batch, request_id, ids, &place, &err) == 0)
		return 0;
	return fault_tell(error, &err, place);
}
