#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/submission.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const struct uuid NONE;
static const struct uuid REQUEST = { { 7 } };

static struct args_text text(const char *bytes)
{
	return (struct args_text){ bytes, bytes == NULL ? 0 : strlen(bytes) };
}

/* A batch of jobs of handler "h" with these payloads; NULL ends them. */
static struct submission *batch_of(const char *const *payloads)
{
	struct submission *batch = submission_new();

	for (; *payloads != NULL; payloads++) {
		struct submission_job job = { .handler = text("h"),
					      .payload = text(*payloads),
					      .priority = SUBMISSION_PRIORITY_NONE };

		assert_int_equal(submission_add(batch, &job, NULL), 0);
	}
	return batch;
}

static int send_first(struct database *d, struct submission *batch, size_t count,
		      struct uuid request, struct submission_answer *answer)
{
	return submission_send(batch, d->db, count, request, answer, &d->err);
}

static void every_array_may_have_nulls_anywhere(void **state)
{
	static const struct submission_job JOBS[] = {
		{ .handler = { "a", 1 }, .priority = SUBMISSION_PRIORITY_NONE },
		{ .handler = { "b", 1 }, .payload = { "[1]", 3 }, .priority = 0 },
		{ .handler = { "c", 1 },
		  .queue = { "mail", 4 },
		  .key = { "k", 1 },
		  .priority = SUBMISSION_PRIORITY_NONE },
		{ .options = { "{\"handler\":\"d\",\"delay\":\"1h\"}", 28 },
		  .priority = SUBMISSION_PRIORITY_NONE },
	};
	struct database *d = *state;
	struct submission *batch = submission_new();
	int64_t ids[4];
	struct submission_answer answer = { .ids = ids };

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(submission_add(batch, &JOBS[i], NULL), 0);
	assert_int_equal(send_first(d, batch, 4, NONE, &answer), 0);
	assert_int_equal(answer.stored, 4);
	assert_sql(
		d,
		"a|{}|default|5|-|pending\nb|[1]|default|0|-|pending\nc|{}|mail|5|k|pending\n"
		"d|{}|default|5|-|scheduled",
		"select handler, payload, queue, priority, key, state from locum.jobs order by id");
	submission_free(batch);
}

static void an_array_wins_over_an_option_of_its_name(void **state)
{
	struct database *d = *state;

	assert_sql(
		d, "1",
		"select * from locum.submit_arrays(null, '{h}', '{[1]}', '{mail}', '{1}', '{k}', "
		"array['{\"handler\":\"x\",\"payload\":[2],\"queue\":\"x\",\"priority\":9,"
		"\"key\":\"x\"}']::json[])");
	assert_sql(d, "h|[1]|mail|1|k",
		   "select handler, payload, queue, priority, key from locum.jobs");
}

static void a_bad_job_is_named_by_its_place_in_each_way_of_storing(void **state)
{
	static const char *const CALLS[][2] = {
		{ "'{h,h,h}', '{1,2,x}'", "22P02 invalid input syntax for type json|3" },
		{ "'{h,h,h}', '{1,2,x}', keys => '{a,b,c}'",
		  "22P02 invalid input syntax for type json|3" },
		{ "array['h', null]", "22023 the handler has no name|2" },
		{ "'{h}', '{1,2}'", "22023 the handler has no name|2" },
		{ "'{h,h}', priorities => '{1,10}'",
		  "22023 the priority must be 0 to 9, not 10|2" },
		{ "'{h,h}', queues => array['q', '']", "22023 the queue has no name|2" },
		{ "'{h,h}', keys => array['k', '']", "22023 the key is empty|2" },
		{ "'{h,h}', options => array[null, '[]']::json[]",
		  "22023 a job must be a JSON object, not array|2" },
		{ "'{h,h}', array['1', to_json(repeat('x', 1048575))::text]",
		  "22023 the payload has 1048577 bytes; at most 1048576 are allowed|2" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++)
		assert_refused(d, CALLS[i][1], "select locum.submit_arrays(null, %s)", CALLS[i][0]);
	assert_sql(d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
}

static void a_payload_of_a_nul_escape_is_kept_with_options_and_without(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.submit_arrays(null, '{h}', array['\"\\u0000\"'])");
	database_do(d, "select locum.submit_arrays(null, '{h}', array['\"\\u0000\"'], options => "
		       "array['{\"delay\":\"1h\"}']::json[])");
	assert_sql(d, "\"\\u0000\"\n\"\\u0000\"", "select payload from locum.job order by id");
}

static void the_same_request_again_gives_the_same_ids(void **state)
{
	static const char *const PAYLOADS[] = { "1", "2", "3", NULL };
	struct database *d = *state;
	struct submission *batch = batch_of(PAYLOADS);
	int64_t first[3];
	int64_t again[3];
	struct submission_answer answer = { .ids = first };

	assert_int_equal(send_first(d, batch, 3, REQUEST, &answer), 0);
	database_do(d, "select locum.cancel(2)");
	answer.ids = again;
	assert_int_equal(send_first(d, batch, 3, REQUEST, &answer), 0);
	assert_int_equal(answer.stored, 3);
	assert_memory_equal(first, again, sizeof(first));
	assert_sql(d, "2", "select count(*) from locum.job");
	submission_free(batch);
}

static void a_request_knows_its_jobs_by_all_of_their_arrays(void **state)
{
	static const char *const OTHERS[] = {
		"'{i}', '{1}', '{q}', '{1}', '{k}', array['{\"timeout\": \"1 s\"}']::json[]",
		"'{h}', '{2}', '{q}', '{1}', '{k}', array['{\"timeout\": \"1 s\"}']::json[]",
		"'{h}', '{1}', '{r}', '{1}', '{k}', array['{\"timeout\": \"1 s\"}']::json[]",
		"'{h}', '{1}', '{q}', '{2}', '{k}', array['{\"timeout\": \"1 s\"}']::json[]",
		"'{h}', '{1}', '{q}', '{1}', '{l}', array['{\"timeout\": \"1 s\"}']::json[]",
		"'{h}', '{1}', '{q}', '{1}', '{k}', array['{\"timeout\": \"2 s\"}']::json[]",
	};
	static const char REQUEST_TEXT[] = "'00000000-0000-0000-0000-000000000007'";
	struct database *d = *state;

	for (int i = 0; i < 2; i++)
		assert_sql(d, "1",
			   "select locum.submit_arrays(%s, '{h}', '{1}', '{q}', '{1}', '{k}', "
			   "array['{\"timeout\": \"1 s\"}']::json[])",
			   REQUEST_TEXT);
	for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
		assert_refused(d,
			       "22023 the request_id 00000000-0000-0000-0000-000000000007 was used "
			       "before, for other jobs",
			       "select locum.submit_arrays(%s, %s)", REQUEST_TEXT, OTHERS[i]);
}

static void the_same_request_for_other_jobs_is_refused(void **state)
{
	static const char *const PAYLOADS[] = { "1", "2", NULL };
	static const char *const OTHERS[] = { "1", "3", NULL };
	struct database *d = *state;
	struct submission *batch = batch_of(PAYLOADS);
	struct submission *other = batch_of(OTHERS);
	int64_t ids[2];
	struct submission_answer answer = { .ids = ids };

	assert_int_equal(send_first(d, batch, 2, REQUEST, &answer), 0);
	assert_int_equal(send_first(d, other, 2, REQUEST, &answer), -1);
	assert_int_equal(d->err.kind, ERROR_INPUT);
	assert_non_null(strstr(d->err.text, "was used before, for other jobs"));
	assert_int_equal(answer.bad, 2);
	assert_sql(d, "2", "select count(*) from locum.job");
	submission_free(batch);
	submission_free(other);
}

static void what_is_left_of_a_batch_is_sent_as_if_it_were_the_whole(void **state)
{
	static const char *const PAYLOADS[] = { "1", "2", "3", "4", NULL };
	struct database *d = *state;
	struct submission *batch = batch_of(PAYLOADS);
	int64_t ids[4];
	struct submission_answer answer = { .ids = ids };

	assert_int_equal(send_first(d, batch, 2, REQUEST, &answer), 0);
	assert_int_equal(send_first(d, batch, 4, REQUEST, &answer), 0);
	assert_int_equal(answer.stored, 2);
	submission_drop(batch, 2);
	assert_int_equal(submission_count(batch), 2);
	assert_int_equal(send_first(d, batch, 2, NONE, &answer), 0);
	assert_sql(d, "1\n2\n3\n4", "select payload from locum.job order by id");
	submission_free(batch);
}

static void a_job_that_does_not_fit_leaves_the_batch_as_it_was(void **state)
{
	enum { TOO_MANY = 16 * 1024 * 1024 };
	static const char *const PAYLOADS[] = { "1", NULL };
	struct database *d = *state;
	struct submission *batch = batch_of(PAYLOADS);
	struct submission_job job = { .handler = text("big"), .payload = text("2"), .priority = 1 };
	char *many = calloc(TOO_MANY, 1);
	int64_t ids[2];
	struct submission_answer answer = { .ids = ids };

	job.key = (struct args_text){ many, TOO_MANY };
	assert_int_equal(submission_add(batch, &job, &d->err), -1);
	assert_int_equal(d->err.kind, ERROR_INPUT);
	free(many);
	assert_int_equal(submission_count(batch), 1);
	job.key = text("k");
	job.handler = text("h");
	assert_int_equal(submission_add(batch, &job, NULL), 0);
	assert_int_equal(send_first(d, batch, 2, NONE, &answer), 0);
	assert_sql(d, "h|1|5|-\nh|2|1|k",
		   "select handler, payload, priority, key from locum.job order by id");
	submission_free(batch);
}

static void a_batch_of_the_limit_is_full(void **state)
{
	struct submission_job job = { .handler = text("h"), .priority = SUBMISSION_PRIORITY_NONE };
	struct submission *batch = submission_new();

	(void)state;
	for (int i = 0; i < LIMIT_SUBMIT_BATCH; i++) {
		assert_false(submission_is_full(batch));
		assert_int_equal(submission_add(batch, &job, NULL), 0);
	}
	assert_true(submission_is_full(batch));
	submission_clear(batch);
	assert_false(submission_is_full(batch));
	submission_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(every_array_may_have_nulls_anywhere),
		DATABASE_TEST(an_array_wins_over_an_option_of_its_name),
		DATABASE_TEST(a_bad_job_is_named_by_its_place_in_each_way_of_storing),
		DATABASE_TEST(a_payload_of_a_nul_escape_is_kept_with_options_and_without),
		DATABASE_TEST(the_same_request_again_gives_the_same_ids),
		DATABASE_TEST(the_same_request_for_other_jobs_is_refused),
		DATABASE_TEST(a_request_knows_its_jobs_by_all_of_their_arrays),
		DATABASE_TEST(what_is_left_of_a_batch_is_sent_as_if_it_were_the_whole),
		DATABASE_TEST(a_job_that_does_not_fit_leaves_the_batch_as_it_was),
		DATABASE_TEST(a_batch_of_the_limit_is_full),
	};

	return cmocka_run_group_tests_name("submit_arrays", tests, database_open, database_close);
}
