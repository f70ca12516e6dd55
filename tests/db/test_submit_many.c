#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* Each line is the options of a job. */
static PGresult *submit_lines(struct database *d, const char *const *lines, size_t count,
			      struct uuid request_id)
{
	struct args args;

	args_init(&args);
	args_uuid_or_null(&args, request_id);
	for (int i = 0; i < 3; i++)
		args_encoded_array(&args, ARGS_TEXT, NULL, 0, 0);
	args_encoded_array(&args, ARGS_INT4, NULL, 0, 0);
	args_encoded_array(&args, ARGS_TEXT, NULL, 0, 0);
	args_string_array(&args, lines, count);
	return database_try(d, "job_submit_arrays", &args);
}

static const struct uuid NONE;

static void the_ids_come_in_the_order_of_the_lines(void **state)
{
	static const char *const LINES[] = {
		"{\"handler\": \"c\", \"priority\": 9}",
		"{\"handler\": \"a\", \"priority\": 0, \"queue\": \"mail\"}",
		"{\"handler\": \"b\", \"key\": \"k\"}",
		"{\"handler\": \"d\"}",
	};
	struct database *d = *state;
	PGresult *result = submit_lines(d, LINES, 4, NONE);

	assert_int_equal(rows_count(result), 4);
	for (int row = 0; row < 4; row++)
		assert_int_equal(rows_int(result, row, 0), row + 1);
	PQclear(result);
	assert_sql(d, "c\na\nb\nd", "select handler from locum.job order by id");
}

static void every_option_of_a_line_is_stored_and_missing_ones_are_the_defaults(void **state)
{
	static const char *const LINES[] = {
		"{\"handler\": \"h\", \"payload\": { \"z\" :1e400, \"a\":-0 }, \"queue\": \"mail\", "
		"\"priority\": 1, \"run_at\": \"2001-02-03T04:05:06Z\", \"delay\": \"1 s\", \"key\": \"k\", "
		"\"max_attempts\": 2, \"timeout\": \"3 s\", \"expires\": \"1 h\", "
		"\"on_interrupt\": \"fail\", \"traceparent\": \"t\"}",
		"{\"handler\": \"h\"}",
		"{\"handler\": \"h\", \"delay\": \"1 h\", \"payload\": null}",
	};
	struct database *d = *state;

	PQclear(submit_lines(d, LINES, 3, NONE));
	assert_sql(
		d,
		"pending|0|mail|1|2|3000|fail|k|t|{ \"z\" :1e400, \"a\":-0 }|t|t\n"
		"pending|1|default|5|5|-|retry|-|-|{}|-|-\n"
		"scheduled|-|default|5|5|-|retry|-|-|null|f|-",
		"select state, lane, q.name, priority, max_attempts, timeout_ms, on_interrupt, key, "
		"traceparent, payload, run_at = '2001-02-03 04:05:07Z', "
		"expires_at = j.created_at + interval '1 h' "
		"from locum.job j join locum.queue q on q.id = queue_id order by j.id");
}

static void a_wrong_line_is_named_and_nothing_is_stored(void **state)
{
	static const char GOOD[] = "{\"handler\": \"h\", \"queue\": \"new\"}";
	static const char *const BAD[][2] = {
		{ "[]", "a job must be a JSON object, not array" },
		{ "{\"handler\": \"h\", \"prio\": 1}",
		  "there is no option \"prio\"; the options are handler, payload, queue, priority, run_at, "
		  "delay, key, max_attempts, timeout, expires, on_interrupt, traceparent, retry_delay, "
		  "retry_cap, retry_backoff, then, labels, submitted_by" },
		{ "{}", "the handler has no name" },
		{ "{\"handler\": \"h\", \"priority\": 11}", "the priority must be 0 to 9, not 11" },
		{ "{\"handler\": \"h\", \"priority\": \"x\"}",
		  "invalid input syntax for type integer: \"x\"" },
		{ "{\"handler\": \"h\", \"delay\": \"soon\"}",
		  "invalid input syntax for type interval: \"soon\"" },
		{ "{\"handler\": \"h\", \"on_interrupt\": \"panic\"}",
		  "on_interrupt must be retry, fail or hold, not 'panic'" },
		{ "{\"handler\": \"h\", \"queue\": \"\"}", "the queue has no name" },
		{ "{\"handler\": \"h\", \"submitted_by\": \"\"}",
		  "submitted_by has 0 bytes; 1 to 255 are allowed" },
		{ "{\"handler\": \"h\", \"expires\": \"-1 s\"}",
		  "expires must not be negative, not -00:00:01" },
		{ "{\"handler\": \"h\", \"delay\": \"40000 days\"}",
		  "delay must be at most 36500 days, not 40000 days" },
		{ "{\"handler\": \"h\", \"run_at\": \"-infinity\"}",
		  "run_at must be a time, not -infinity" },
		{ "{\"handler\": \"h\", \"delay\": \"1 s\", \"delay\": \"2 s\"}",
		  "\"delay\" is given twice" },
		{ "{\"handler\": {\"a\": 1}}", "handler must be a string, not object" },
		{ "{\"handler\": 7}", "handler must be a string, not number" },
		{ "{\"handler\": \"h\", \"queue\": [\"q\"]}", "queue must be a string, not array" },
		{ "{\"handler\": \"h\", \"delay\": 5}", "delay must be a string, not number" },
		{ "{\"handler\": \"h\", \"priority\": true}",
		  "priority must be a number, not boolean" },
		{ "{\"handler\": \"h\", \"key\": \"\"}", "the key is empty" },
		{ "{\"handler\": \"h\", \"timeout\": \"0\"}",
		  "the timeout must be 1ms or more, not 00:00:00" },
		{ "{\"handler\": \"h\", \"timeout\": \"-1 year 361 days\"}",
		  "the timeout must be 1ms or more, not -1 years +361 days" },
		{ "{\"handler\": \"h\", \"retry_cap\": \"-1000000 years 360000000 days\"}",
		  "retry_cap must not be negative, not -1000000 years +360000000 days" },
		{ NULL, "the handler has no name" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		const char *const lines[] = { GOOD, GOOD, BAD[i][0], GOOD };

		assert_null(submit_lines(d, lines, 4, NONE));
		assert_string_equal(d->err.text, BAD[i][1]);
		assert_int_equal(d->err.kind, ERROR_INPUT);
		assert_string_equal(db_error_detail(d->db), "3");
	}
	assert_sql(d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
}

static void a_key_twice_in_a_batch_is_one_job(void **state)
{
	static const char *const LINES[] = {
		"{\"handler\": \"h\", \"key\": \"old\"}",
		"{\"handler\": \"h\", \"key\": \"new\"}",
		"{\"handler\": \"h\", \"key\": \"new\"}",
		"{\"handler\": \"h\", \"key\": \"new\", \"queue\": \"mail\"}",
	};
	struct database *d = *state;
	int64_t old = fleet_submit(d, "'h', key => 'old'");
	PGresult *result = submit_lines(d, LINES, 4, NONE);

	assert_int_equal(rows_int(result, 0, 0), old);
	assert_int_equal(rows_int(result, 1, 0), rows_int(result, 2, 0));
	assert_int_not_equal(rows_int(result, 2, 0), rows_int(result, 3, 0));
	PQclear(result);
	assert_sql(d, "3", "select count(*) from locum.job");
}

static void a_request_is_stored_once(void **state)
{
	static const char *const LINES[] = { "{\"handler\": \"h\"}", "{\"handler\": \"h\"}" };
	struct database *d = *state;
	struct uuid request_id = uuid_make();
	PGresult *first = submit_lines(d, LINES, 2, request_id);
	PGresult *again;

	database_do(d, "select locum.cancel(1)");
	again = submit_lines(d, LINES, 2, request_id);
	assert_int_equal(rows_count(again), 2);
	for (int row = 0; row < 2; row++)
		assert_int_equal(rows_int(first, row, 0), rows_int(again, row, 0));
	PQclear(first);
	PQclear(again);
	assert_sql(d, "1", "select count(*) from locum.job");
}

static void nothing_is_nothing(void **state)
{
	struct database *d = *state;
	PGresult *result = submit_lines(d, NULL, 0, uuid_make());

	assert_int_equal(rows_count(result), 0);
	PQclear(result);
	assert_sql(d, "0", "select count(*) from locum.submit_many('{}')");
}

static void many_keys_are_quick(void **state)
{
	struct database *d = *state;
	static const char CALL[] =
		"select count(distinct id) from locum.submit_many(array(select json_build_object("
		"'handler', 'h', 'key', (n / 2)::text) from generate_series(0, 9999) as n)) as id";

	database_do(d, "set statement_timeout = '10 s'");
	assert_sql(d, "5000", "%s", CALL);
	assert_sql(d, "5000", "%s", CALL);
}

static void submit_many_is_in_the_callers_transaction(void **state)
{
	struct database *d = *state;

	database_do(d, "begin");
	assert_sql(d, "1\n2",
		   "select locum.submit_many(array['{\"handler\": \"h\"}', "
		   "'{\"handler\": \"h\", \"queue\": \"mail\"}']::json[])");
	database_do(d, "rollback");
	assert_sql(d, "0", "select count(*) from locum.job");
	assert_refused(d, "22023 the handler has no name|2",
		       "select locum.submit_many(array['{\"handler\": \"h\"}', '{}']::json[])");
}

static void a_text_that_is_too_long_is_refused_in_bulk(void **state)
{
	struct database *d = *state;

	assert_refused(d, "22023 the key has 256 bytes; at most 255 are allowed|1",
		       "select locum.submit_many(array[json_build_object('handler', 'h', 'key', "
		       "repeat('k', 256))])");
	assert_refused(d, "22023 the key has 256 bytes; at most 255 are allowed|1",
		       "select locum.submit_arrays(null, '{h}', keys => array[repeat('k', 256)])");
	assert_refused(d, "22023 the traceparent has 256 bytes; at most 255 are allowed|1",
		       "select locum.submit_many(array[json_build_object('handler', 'h', "
		       "'traceparent', repeat('t', 256))])");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(the_ids_come_in_the_order_of_the_lines),
		DATABASE_TEST(every_option_of_a_line_is_stored_and_missing_ones_are_the_defaults),
		DATABASE_TEST(a_wrong_line_is_named_and_nothing_is_stored),
		DATABASE_TEST(a_key_twice_in_a_batch_is_one_job),
		DATABASE_TEST(a_request_is_stored_once),
		DATABASE_TEST(nothing_is_nothing),
		DATABASE_TEST(many_keys_are_quick),
		DATABASE_TEST(a_text_that_is_too_long_is_refused_in_bulk),
		DATABASE_TEST(submit_many_is_in_the_callers_transaction),
	};

	return cmocka_run_group_tests_name("submit_many", tests, database_open, database_close);
}
