/* Batches of liblocum, through the shared object, against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <locum.h>

#include "tests/support/database.h"

static struct locum_error error;

struct scene {
	struct database *d;
	struct locum *locum;
	struct locum_batch *batch;
};

static struct scene set_up(void **state)
{
	struct scene scene = { .d = *state };

	scene.locum = locum_connect(scene.d->conninfo, &error);
	scene.batch = locum_batch_new(&error);
	if (scene.locum == NULL || scene.batch == NULL)
		fail_msg("%s", error.message);
	return scene;
}

static void tear_down(struct scene *scene)
{
	locum_batch_free(scene->batch);
	locum_close(scene->locum);
}

static void add(struct scene *scene, const char *handler, const char *payload,
		const struct locum_options *options)
{
	if (locum_batch_add(scene->batch, handler, payload, options, &error) != 0)
		fail_msg("%s", error.message);
}

static void add_numbered(struct scene *scene, int count)
{
	for (int i = 0; i < count; i++) {
		char payload[32];

		snprintf(payload, sizeof(payload), "{ \"n\":%d}", i);
		add(scene, "h", payload, NULL);
	}
}

static void submit(struct scene *scene, const char *request_id, int64_t *ids)
{
	if (locum_batch_submit(scene->locum, scene->batch, request_id, ids, &error) != 0)
		fail_msg("%s", error.message);
}

static void ten_thousand_jobs_go_in_at_once_and_their_ids_come_in_order(void **state)
{
	struct scene scene = set_up(state);
	int64_t *ids = calloc(LOCUM_BATCH_MAX, sizeof(*ids));

	add_numbered(&scene, LOCUM_BATCH_MAX);
	assert_int_equal(locum_batch_add(scene.batch, "h", NULL, NULL, &error), 1);
	assert_int_equal(locum_batch_count(scene.batch), LOCUM_BATCH_MAX);
	submit(&scene, NULL, ids);
	assert_int_equal(locum_batch_count(scene.batch), 0);
	for (int i = 0; i < LOCUM_BATCH_MAX; i++)
		assert_int_equal(ids[i], i + 1);
	assert_sql(
		scene.d, "10000|0",
		"select count(*), count(*) filter (where payload::text <> '{ \"n\":' || id - 1 || '}') "
		"from locum.job");
	free(ids);
	tear_down(&scene);
}

static void each_job_keeps_its_own_options(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct scene scene = set_up(state);
	int64_t ids[5];

	add(&scene, "a", "[0]", NULL);
	options.queue = "mail";
	options.priority = 0;
	options.key = "k";
	add(&scene, "b", "[1]", &options);
	add(&scene, "c", "[2]", &options);
	options = (struct locum_options)LOCUM_OPTIONS_INIT;
	options.delay_ms = 3600000;
	options.labels = "{\"n\": \"3\"}";
	options.then = "{\"always\": \"next\"}";
	options.traceparent = "t";
	add(&scene, "d", NULL, &options);
	options = (struct locum_options)LOCUM_OPTIONS_INIT;
	options.max_attempts = 1;
	options.timeout_ms = 5;
	options.retry_backoff = "fixed";
	options.retry_delay_ms = 7;
	options.submitted_by = "me";
	add(&scene, "e", "[4]", &options);
	submit(&scene, NULL, ids);
	assert_int_equal(ids[1], ids[2]); /* one key, one job */
	assert_sql(
		scene.d,
		"a|[0]|default|5|-|pending|-|-|-|5|-|-|-|t\n"
		"b|[1]|mail|0|k|pending|-|-|-|5|-|-|-|t\n"
		"d|{}|default|5|-|scheduled|3|next|t|5|-|-|-|t\n"
		"e|[4]|default|5|-|pending|-|-|-|1|5|fixed|7|f",
		"select handler, payload, q.name, priority, key, state, labels->>'n', "
		"follow_ups->'always'->>'handler', traceparent, max_attempts, timeout_ms, retry_backoff, "
		"retry_delay_ms, submitted_by = session_user "
		"from locum.job j join locum.queue q on q.id = queue_id order by j.id");
	tear_down(&scene);
}

static void a_wrong_job_is_named_by_its_place_and_nothing_is_stored(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct scene scene = set_up(state);
	int64_t ids[4] = { -7, -7, -7, -7 };

	options.queue = "new";
	add(&scene, "h", NULL, &options);
	add(&scene, "h", NULL, NULL);
	options.priority = 11;
	add(&scene, "h", NULL, &options);
	add(&scene, "h", "{", NULL);
	assert_int_equal(locum_batch_submit(scene.locum, scene.batch, NULL, ids, &error), -1);
	assert_int_equal(error.place, 3);
	assert_int_equal(error.kind, LOCUM_ERROR_INPUT);
	assert_string_equal(error.message, "the priority must be 0 to 9, not 11");
	assert_int_equal(ids[0], -7);
	assert_int_equal(locum_batch_count(scene.batch), 4);
	assert_sql(scene.d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
	tear_down(&scene);
}

static void what_is_no_json_is_named_by_its_place(void **state)
{
	struct scene scene = set_up(state);

	add(&scene, "h", NULL, NULL);
	add(&scene, "h", "{", NULL);
	assert_int_equal(locum_batch_submit(scene.locum, scene.batch, NULL, NULL, &error), -1);
	assert_int_equal(error.place, 2);
	assert_string_equal(error.message, "invalid input syntax for type json");
	locum_batch_clear(scene.batch);
	add(&scene, "h", NULL, NULL);
	submit(&scene, NULL, NULL);
	assert_sql(scene.d, "1", "select count(*) from locum.job");
	tear_down(&scene);
}

static void a_job_that_cannot_be_added_leaves_the_batch_as_it_was(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct scene scene = set_up(state);

	add(&scene, "h", "[1]", NULL);
	options.delay_ms = 1;
	options.labels = "{";
	assert_int_equal(locum_batch_add(scene.batch, "h", "[2]", &options, &error), -1);
	assert_int_equal(error.place, 2);
	options.labels = NULL;
	options.priority = INT32_MIN;
	assert_int_equal(locum_batch_add(scene.batch, "h", "[3]", &options, &error), -1);
	assert_string_equal(error.message, "the priority must be 0 to 9, not -2147483648");
	options.priority = LOCUM_PRIORITY_DEFAULT;
	options.request_id = "7f3c1a52-9f5e-4c3c-8f3e-0d7f2b6c1a52";
	assert_int_equal(locum_batch_add(scene.batch, "h", "[3]", &options, &error), -1);
	assert_int_equal(locum_batch_count(scene.batch), 1);
	add(&scene, "h", "[4]", NULL);
	submit(&scene, NULL, NULL);
	assert_sql(scene.d, "[1]|-\n[4]|-", "select payload, run_at from locum.job order by id");
	tear_down(&scene);
}

static void the_same_request_again_stores_nothing_and_gives_the_same_ids(void **state)
{
	char request_id[LOCUM_UUID_SIZE];
	struct scene scene = set_up(state);
	int64_t first[3];
	int64_t second[3];

	locum_uuid(request_id);
	add_numbered(&scene, 3);
	submit(&scene, request_id, first);
	add_numbered(&scene, 3);
	submit(&scene, request_id, second);
	assert_memory_equal(first, second, sizeof(first));
	database_do(scene.d, "select locum.cancel(id) from locum.job");
	add_numbered(&scene, 3);
	submit(&scene, request_id, second);
	assert_memory_equal(first, second, sizeof(first));
	assert_sql(
		scene.d, "0|3",
		"select (select count(*) from locum.job), (select count(*) from locum.finished)");
	tear_down(&scene);
}

static void a_request_that_was_used_for_other_jobs_is_refused(void **state)
{
	char request_id[LOCUM_UUID_SIZE];
	struct scene scene = set_up(state);
	int64_t ids[4];

	locum_uuid(request_id);
	add_numbered(&scene, 3);
	submit(&scene, request_id, ids);
	add_numbered(&scene, 4);
	assert_int_equal(locum_batch_submit(scene.locum, scene.batch, request_id, ids, &error), -1);
	assert_int_equal(error.kind, LOCUM_ERROR_INPUT);
	assert_string_equal(error.message, "the request_id was used before, for 3 jobs, not 4");
	assert_int_equal(locum_batch_submit(scene.locum, scene.batch, "x", ids, &error), -1);
	assert_string_equal(error.message, "the request_id is no UUID: \"x\"");
	assert_int_equal(locum_batch_count(scene.batch), 4);
	tear_down(&scene);
}

static void a_batch_takes_part_in_the_callers_transaction(void **state)
{
	struct scene scene = set_up(state);
	struct locum *locum = locum_on(scene.d->sql, &error);

	database_do(scene.d, "begin");
	add_numbered(&scene, 3);
	assert_int_equal(locum_batch_submit(locum, scene.batch, NULL, NULL, &error), 0);
	database_do(scene.d, "rollback");
	assert_sql(scene.d, "0", "select count(*) from locum.job");
	add_numbered(&scene, 2);
	assert_int_equal(locum_batch_submit(locum, scene.batch, NULL, NULL, &error), 0);
	assert_sql(scene.d, "2", "select count(*) from locum.job");
	locum_close(locum);
	tear_down(&scene);
}

static void an_empty_batch_stores_nothing(void **state)
{
	struct scene scene = set_up(state);

	submit(&scene, NULL, NULL);
	locum_batch_free(NULL);
	assert_sql(scene.d, "0", "select count(*) from locum.job");
	tear_down(&scene);
}

static void payloads_of_a_mebibyte_fill_a_batch_before_its_count_does(void **state)
{
	enum { PAYLOAD = 1048576 };
	struct scene scene = set_up(state);
	char *payload = malloc(PAYLOAD + 1);
	size_t added;
	int status = 0;

	memset(payload, ' ', PAYLOAD);
	memcpy(payload, "1", 1);
	payload[PAYLOAD] = '\0';
	while ((status = locum_batch_add(scene.batch, "h", payload, NULL, &error)) == 0)
		;
	added = locum_batch_count(scene.batch);
	assert_int_equal(status, 1);
	assert_in_range(added, 2, 3);
	submit(&scene, NULL, NULL);
	assert_int_equal(database_int(scene.d, "select count(*) from locum.job"), added);
	assert_sql(scene.d, "1048576",
		   "select distinct octet_length(payload::text) from locum.job");
	free(payload);
	tear_down(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(ten_thousand_jobs_go_in_at_once_and_their_ids_come_in_order),
		DATABASE_TEST(each_job_keeps_its_own_options),
		DATABASE_TEST(a_wrong_job_is_named_by_its_place_and_nothing_is_stored),
		DATABASE_TEST(what_is_no_json_is_named_by_its_place),
		DATABASE_TEST(a_job_that_cannot_be_added_leaves_the_batch_as_it_was),
		DATABASE_TEST(the_same_request_again_stores_nothing_and_gives_the_same_ids),
		DATABASE_TEST(a_request_that_was_used_for_other_jobs_is_refused),
		DATABASE_TEST(a_batch_takes_part_in_the_callers_transaction),
		DATABASE_TEST(an_empty_batch_stores_nothing),
		DATABASE_TEST(payloads_of_a_mebibyte_fill_a_batch_before_its_count_does),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
