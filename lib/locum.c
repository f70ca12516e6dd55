#include "include/locum/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "db/rows.h"
#include "lib/fault.h"
#include "lib/handle.h"
#include "lib/options.h"

_Static_assert((int)LOCUM_UUID_SIZE == (int)UUID_TEXT_SIZE, "one size");

/* --- connections ---------------------------------------------------------------------------------- */

static const char *conninfo_of_environment(void)
{
	static const char *const URLS[] = { "LOCUM_DATABASE_URL", "DATABASE_URL" };

	for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
		const char *value = getenv(URLS[i]);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return "";
}

struct locum *locum_connect(const char *conninfo, struct locum_error *error)
{
	struct locum *locum = calloc(1, sizeof(*locum));
	struct error err;

	if (locum != NULL)
		locum->conninfo = strdup(conninfo == NULL ? conninfo_of_environment() : conninfo);
	if (locum == NULL || locum->conninfo == NULL) {
		fault_memory(error);
	} else if (handle_begin(locum, &err) != 0) {
		fault_tell(error, &err, 0);
	} else {
		handle_end(locum);
		return locum;
	}
	locum_close(locum);
	return NULL;
}

struct locum *locum_on(struct pg_conn *conn, struct locum_error *error)
{
	struct locum *locum;
	struct error err;

	if (loan_check(conn, &err) != 0) {
		fault_tell(error, &err, 0);
		return NULL;
	}
	locum = calloc(1, sizeof(*locum));
	if (locum == NULL) {
		fault_memory(error);
		return NULL;
	}
	locum->conn = conn;
	return locum;
}

void locum_close(struct locum *locum)
{
	if (locum == NULL)
		return;
	db_close(locum->db);
	free(locum->conninfo);
	free(locum);
}

/* --- one job -------------------------------------------------------------------------------------- */

/* A job on its way to job_submit_one. */
struct job {
	const char *handler;
	const char *payload;
	struct locum_options options;
	struct uuid request_id;
	struct buffer rare; /* those of the options that have no parameter of their own, as JSON */
};

static int read_job(struct job *job, const struct locum_options *given, struct error *err)
{
	if (options_read(given, &job->options, err) != 0 ||
	    options_uuid("request_id", job->options.request_id, &job->request_id, err) != 0 ||
	    options_write(&job->rare, &job->options, err) != 0)
		return -1;
	return buffer_length(&job->rare) == 0 ? 0 : buffer_append(&job->rare, "", 1, err);
}

static int call_submit(struct db *db, const struct job *job, int64_t *id, struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_text(&args, job->handler);
	args_text(&args, job->payload);
	args_text(&args, job->options.queue);
	args_int4(&args, job->options.priority);
	args_text(&args, job->options.key);
	args_text(&args, buffer_length(&job->rare) == 0 ? NULL : buffer_bytes(&job->rare));
	args_uuid_or_null(&args, job->request_id);
	rows = db_call(db, "job_submit_one", &args, err);
	if (rows == NULL)
		return -1;
	*id = rows_int(rows, 0, 0);
	PQclear(rows);
	return 0;
}

static int submit(struct locum *locum, struct job *job, const struct locum_options *given,
		  int64_t *id, struct error *err)
{
	int status;

	if (read_job(job, given, err) != 0 || handle_begin(locum, err) != 0)
		return -1;
	status = call_submit(locum->db, job, id, err);
	handle_end(locum);
	return status;
}

int64_t locum_submit(struct locum *locum, const char *handler, const char *payload,
		     const struct locum_options *options, struct locum_error *error)
{
	struct job job = { .handler = handler, .payload = payload };
	struct error err;
	int64_t id;
	int status;

	buffer_init(&job.rare, LIMIT_OPTIONS_BYTES);
	status = submit(locum, &job, options, &id, &err);
	buffer_free(&job.rare);
	return status == 0 ? id : fault_tell(error, &err, 0);
}

void locum_uuid(char text[LOCUM_UUID_SIZE])
{
	uuid_text(uuid_make(), text);
}

/* --- completing ----------------------------------------------------------------------------------- */

static int complete(struct locum *locum, int64_t job, const char *claim, const char *result,
		    struct error *err)
{
	struct uuid claim_id;
	struct args args;
	int status;

	if (claim == NULL)
		return error_set(err, ERROR_INPUT, "there is no claim_id");
	if (options_uuid("claim_id", claim, &claim_id, err) != 0 || handle_begin(locum, err) != 0)
		return -1;
	args_init(&args);
	args_int8(&args, job);
	args_uuid(&args, claim_id);
	args_text(&args, result);
	status = db_do(locum->db, "claim_complete", &args, err);
	handle_end(locum);
	return status;
}

int locum_complete(struct locum *locum, int64_t job, const char *claim_id, const char *result,
		   struct locum_error *error)
{
	struct error err;

	return complete(locum, job, claim_id, result, &err) == 0 ? 0 : fault_tell(error, &err, 0);
}
