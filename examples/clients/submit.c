/*
 * Submits a hundred jobs together, waits for them, and tells how they ended.
 *
 *   cc -o submit submit.c $(pkg-config --cflags --libs locum)
 *   ./submit CONNINFO [HANDLER]
 *
 * "echo", which locum up serves, returns its payload.
 */
#include <inttypes.h>
#include <locum.h>
#include <stdio.h>

enum { JOBS = 100, PATIENCE_MS = 60000 };

static int fail(const char *what, const struct locum_error *error)
{
	fprintf(stderr, "%s: %s\n", what, error->message);
	return -1;
}

/* All of them or none; the same request_id again would store nothing. */
static int submit(struct locum *locum, const char *handler, int64_t ids[JOBS])
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	char request_id[LOCUM_UUID_SIZE];
	struct locum_error error;
	struct locum_batch *batch = locum_batch_new(&error);
	int status = batch == NULL ? -1 : 0;

	options.labels = "{\"example\": \"submit\"}";
	options.timeout_ms = 10000;
	for (int i = 0; status == 0 && i < JOBS; i++) {
		char payload[32];

		snprintf(payload, sizeof(payload), "{\"number\": %d}", i + 1);
		status = locum_batch_add(batch, handler, payload, &options, &error);
	}
	locum_uuid(request_id);
	if (status == 0)
		status = locum_batch_submit(locum, batch, request_id, ids, &error);
	locum_batch_free(batch);
	return status == 0 ? 0 : fail("submit", &error);
}

static int await(struct locum *locum, const int64_t ids[JOBS])
{
	struct locum_error error;
	struct locum_outcomes *outcomes = locum_wait(locum, ids, JOBS, LOCUM_WAIT_ALL, PATIENCE_MS,
						     &error);
	const char *result;

	if (outcomes == NULL)
		return fail("wait", &error);
	result = locum_outcomes_result(outcomes, JOBS - 1);
	printf("%zu of %d jobs have ended; the last, %" PRId64 ", is %s: %s\n",
	       locum_outcomes_ended(outcomes), JOBS, ids[JOBS - 1],
	       locum_state_name(locum_outcomes_state(outcomes, JOBS - 1)),
	       result == NULL ? "no result" : result);
	locum_outcomes_free(outcomes);
	return 0;
}

int main(int argc, char **argv)
{
	const char *handler = argc > 2 ? argv[2] : "echo";
	struct locum_error error;
	struct locum *locum = locum_connect(argc > 1 ? argv[1] : NULL, &error);
	int64_t ids[JOBS];
	int status;

	if (locum == NULL)
		return fail("connect", &error) != 0;
	status = submit(locum, handler, ids);
	if (status == 0)
		status = await(locum, ids);
	locum_close(locum);
	return status != 0;
}
