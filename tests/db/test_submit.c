#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static void a_job_has_the_defaults(void **state)
{
	struct database *d = *state;

	assert_int_equal(fleet_submit(d, "'h'"), 1);
	assert_sql(
		d, "pending|1|5|5|0|0|0|0|retry|h|{}|t|-|-|-|-|-|-",
		"select state, lane, priority, max_attempts, attempt, interruptions, recoveries, "
		"claim_seq, on_interrupt, handler, payload, submitted_by = session_user, key, run_at, expires_at, "
		"timeout_ms, traceparent, history from locum.job");
	assert_sql(d, "default", "select queue from locum.jobs");
}

static void every_option_is_stored(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', '[1]', 'mail', 0, run_at => '2001-02-03 04:05:06Z', delay => '1 s', "
			"key => 'k', max_attempts => 1, timeout => '1.5 s', expires => '1 h', "
			"on_interrupt => 'hold', traceparent => 't'");
	assert_sql(
		d, "pending|0|0|1|hold|[1]|k|t|1500|t|t|mail",
		"select j.state, lane, j.priority, j.max_attempts, j.on_interrupt, j.payload, j.key, "
		"j.traceparent, timeout_ms, j.run_at = '2001-02-03 04:05:07Z', "
		"j.expires_at = j.created_at + interval '1 h', queue "
		"from locum.job j join locum.jobs using (id)");
}

static void a_job_for_later_is_scheduled(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', delay => '1 h'");
	fleet_submit(d, "'h', run_at => now() + interval '1 h'");
	fleet_submit(d, "'h', run_at => now() + interval '1 h', delay => '-2 h'");
	assert_sql(d, "scheduled|-\nscheduled|-\npending|0",
		   "select state, lane from locum.job order by id");
}

static void every_bad_option_is_refused_with_its_sentence(void **state)
{
	static const char *const BAD[][2] = {
		{ "null", "22023 the handler has no name" },
		{ "''", "22023 the handler has no name" },
		{ "repeat('h', 64)",
		  "22023 the name of the handler has 64 bytes; at most 63 are allowed" },
		{ "E'a\\nb'", "22023 the name of the handler contains a control character" },
		{ "'h', queue => ''", "22023 the queue has no name" },
		{ "'h', queue => repeat('é', 32)",
		  "22023 the name of the queue has 64 bytes; at most 63 are allowed" },
		{ "'h', null", "22023 the payload is missing" },
		{ "'h', to_json(repeat('x', 1048575))",
		  "22023 the payload has 1048577 bytes; at most 1048576 are allowed" },
		{ "'h', priority => 10", "22023 the priority must be 0 to 9, not 10" },
		{ "'h', priority => -1", "22023 the priority must be 0 to 9, not -1" },
		{ "'h', key => ''", "22023 the key is empty" },
		{ "'h', key => repeat('k', 256)",
		  "22023 the key has 256 bytes; at most 255 are allowed" },
		{ "'h', max_attempts => 0", "22023 max_attempts must be 1 to 1000, not 0" },
		{ "'h', max_attempts => 1001", "22023 max_attempts must be 1 to 1000, not 1001" },
		{ "'h', timeout => '0'", "22023 the timeout must be 1ms or more, not 00:00:00" },
		{ "'h', timeout => '-1 year 361 days'",
		  "22023 the timeout must be 1ms or more, not -1 years +361 days" },
		{ "'h', retry_delay => '-1000000 years 360000000 days'",
		  "22023 retry_delay must not be negative, not -1000000 years +360000000 days" },
		{ "'h', delay => '1000000 years -360000000 days'",
		  "22023 delay must be at most 36500 days, not 1000000 years -360000000 days" },
		{ "'h', expires => '-1 s'", "22023 expires must not be negative, not -00:00:01" },
		{ "'h', on_interrupt => 'panic'",
		  "22023 on_interrupt must be retry, fail or hold, not 'panic'" },
		{ "'h', traceparent => repeat('t', 256)",
		  "22023 the traceparent has 256 bytes; at most 255 are allowed" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_refused(d, BAD[i][1], "select locum.submit(%s)", BAD[i][0]);
	assert_memory_equal(database_refusal(d, "select locum.submit('h', '{')"), "22P02", 5);
	assert_sql(d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
}

static void the_limits_themselves_are_accepted(void **state)
{
	struct database *d = *state;

	fleet_submit(d,
		     "repeat('h', 63), to_json(repeat('x', %d - 2)), queue => repeat('q', 63), "
		     "key => repeat('k', 255), max_attempts => 1000, timeout => '1 ms'",
		     LIMIT_PAYLOAD_BYTES);
	assert_sql(d, "1048576", "select octet_length(payload::text) from locum.job");
}

static const char *const ODD_PAYLOADS[] = {
	"1e400",
	"-0",
	"1.0000000000000000000001",
	"12345678901234567890123456789",
	"{\"b\": 1, \"a\": 2, \"b\": 3}",
	"\"\\u00e9 \\/ \\\" é 漢 😀\"",
	" { \"a\" : [ 1 ,\t2 ] }\n",
	"null",
	"\"\"",
	"[]",
	"\"\\u0000\"",
};

static void assert_payload(struct database *d, int64_t id, const char *payload)
{
	char text[32];
	const char *values[] = { text };
	PGresult *result;

	snprintf(text, sizeof(text), "%lld", (long long)id);
	result = PQexecParams(d->sql, "select payload from locum.job where id = $1::int8", 1, NULL,
			      values, NULL, NULL, 0);
	assert_string_equal(PQgetvalue(result, 0, 0), payload);
	PQclear(result);
}

static PGresult *submit_text(struct database *d, const char *payload)
{
	static const char *const HANDLERS[] = { "h" };
	struct args args;

	args_init(&args);
	args_uuid_or_null(&args, (struct uuid){ { 0 } });
	args_string_array(&args, HANDLERS, 1);
	args_string_array(&args, &payload, 1);
	args_encoded_array(&args, ARGS_TEXT, NULL, 0, 0);
	args_encoded_array(&args, ARGS_INT4, NULL, 0, 0);
	args_encoded_array(&args, ARGS_TEXT, NULL, 0, 0);
	args_encoded_array(&args, ARGS_TEXT, NULL, 0, 0);
	return database_try(d, "job_submit_arrays", &args);
}

static void a_payload_is_kept_byte_for_byte(void **state)
{
	struct database *d = *state;
	struct fleet_claim claim = { .incarnation = fleet_dispatcher(d), .most = 1 };

	for (size_t i = 0; i < sizeof(ODD_PAYLOADS) / sizeof(ODD_PAYLOADS[0]); i++) {
		PGresult *result = submit_text(d, ODD_PAYLOADS[i]);

		assert_non_null(result);
		assert_payload(d, rows_int(result, 0, 0), ODD_PAYLOADS[i]);
		PQclear(result);
		claim.claim_id = uuid_make();
		result = fleet_claim_with(d, &claim);
		assert_string_equal(rows_text(result, 0, PQfnumber(result, "payload")),
				    ODD_PAYLOADS[i]);
		PQclear(result);
	}
}

static void text_that_is_no_json_is_refused(void **state)
{
	static const char *const BROKEN[] = {
		"", "{", "{'a': 1}", "nul", "[1,]", "1 2", "\"\xff\""
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(BROKEN) / sizeof(BROKEN[0]); i++) {
		assert_null(submit_text(d, BROKEN[i]));
		assert_int_equal(d->err.kind, ERROR_INPUT);
	}
	assert_sql(d, "0", "select count(*) from locum.job");
}

static void a_key_is_unique_in_its_queue_among_unfinished_jobs(void **state)
{
	struct database *d = *state;
	int64_t first = fleet_submit(d, "'h', key => 'k'");
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .id = first, .outcome = "completed" };

	assert_int_equal(fleet_submit(d, "'other', key => 'k'"), first);
	assert_int_not_equal(fleet_submit(d, "'h', key => 'k', queue => 'mail'"), first);
	assert_int_equal(fleet_claim_one(d, dispatcher, &end.claim_id), first);
	assert_int_equal(fleet_submit(d, "'h', key => 'k'"), first);
	assert_string_equal(fleet_complete(d, dispatcher, &end), "completed");
	assert_int_not_equal(fleet_submit(d, "'h', key => 'k'"), first);
}

static void a_request_gives_the_same_job_even_after_it_finished(void **state)
{
	static const char REQUEST[] = "'h', request_id => '00000000-0000-0000-0000-000000000007', "
				      "run_at => now() + interval '1 day', timeout => '1 h'";
	struct database *d = *state;
	int64_t id = fleet_submit(d, "%s", REQUEST);

	database_do(d, "set intervalstyle = sql_standard; set timezone = 'Asia/Tokyo'");
	assert_int_equal(fleet_submit(d, "%s", REQUEST), id);
	database_do(d, "reset all; select locum.cancel(%d)", (int)id);
	assert_int_equal(fleet_submit(d, "%s", REQUEST), id);
	assert_sql(d, "0", "select count(*) from locum.job");
}

static void a_request_that_was_used_for_another_job_is_refused(void **state)
{
	static const char *const OTHERS[] = {
		"'i'",
		"'h', '[]'",
		"'h', queue => 'q'",
		"'h', priority => 4",
		"'h', delay => '1 s'",
		"'h', key => 'k'",
		"'h', max_attempts => 2",
		"'h', timeout => '1 s'",
		"'h', expires => '1 s'",
		"'h', on_interrupt => 'fail'",
		"'h', traceparent => 't'",
		"'h', retry_delay => '2 s'",
		"'h', retry_cap => '2 s'",
		"'h', retry_backoff => 'fixed'",
		"'h', \"then\" => '{\"always\": \"h\"}'",
		"'h', labels => '{\"a\": 1}'",
		"'h', submitted_by => 'a'",
	};
	struct database *d = *state;

	fleet_submit(d, "'h', request_id => '00000000-0000-0000-0000-000000000007'");
	database_do(d, "select locum.submit_arrays('00000000-0000-0000-0000-000000000008', '{}')");
	for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
		assert_refused(d,
			       "22023 the request_id 00000000-0000-0000-0000-000000000007 was used "
			       "before, for another job",
			       "select locum.submit(%s, request_id => "
			       "'00000000-0000-0000-0000-000000000007')",
			       OTHERS[i]);
	assert_refused(d,
		       "22023 the request_id 00000000-0000-0000-0000-000000000008 was used before, "
		       "for another job",
		       "select locum.submit('h', request_id => "
		       "'00000000-0000-0000-0000-000000000008')");
	assert_sql(d, "1", "select count(*) from locum.job");
}

static void a_submission_belongs_to_the_callers_transaction(void **state)
{
	struct database *d = *state;

	database_do(d, "begin");
	fleet_submit(d, "'h', queue => 'mail', request_id => gen_random_uuid()");
	database_do(d, "rollback");
	assert_sql(d, "0|1|0",
		   "select (select count(*) from locum.job), "
		   "(select count(*) from locum.queue), (select count(*) from locum.request)");
}

static void an_idle_dispatcher_of_the_queue_is_woken_and_no_other(void **state)
{
	struct database *d = *state;
	struct uuid idle = fleet_dispatcher(d);
	char text[UUID_TEXT_SIZE];
	PGnotify *notify;

	uuid_text(idle, text);
	database_do(
		d,
		"insert into locum.agent (incarnation, name, size, queues, handlers, idle) values "
		"('%s', 'main', 1, '{mail}', '{h}', true), "
		"(gen_random_uuid(), 'main', 1, '{mail}', '{h}', false), "
		"(gen_random_uuid(), 'main', 1, '{default}', '{h}', true)",
		text);
	database_do(d, "listen \"locum_%s\"", text);
	fleet_submit(d, "'h', queue => 'mail', delay => '1 h'");
	fleet_submit(d, "'h'");
	assert_null(PQnotifies(d->sql));
	fleet_submit(d, "'h', queue => 'mail'");
	notify = PQnotifies(d->sql);
	assert_non_null(notify);
	PQfreemem(notify);
	database_do(
		d,
		"select locum.submit_many(array['{\"handler\": \"h\", \"queue\": \"mail\"}']::json[])");
	notify = PQnotifies(d->sql);
	assert_non_null(notify);
	PQfreemem(notify);
	database_do(d, "unlisten *");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_job_has_the_defaults),
		DATABASE_TEST(every_option_is_stored),
		DATABASE_TEST(a_job_for_later_is_scheduled),
		DATABASE_TEST(every_bad_option_is_refused_with_its_sentence),
		DATABASE_TEST(the_limits_themselves_are_accepted),
		DATABASE_TEST(a_payload_is_kept_byte_for_byte),
		DATABASE_TEST(text_that_is_no_json_is_refused),
		DATABASE_TEST(a_key_is_unique_in_its_queue_among_unfinished_jobs),
		DATABASE_TEST(a_request_gives_the_same_job_even_after_it_finished),
		DATABASE_TEST(a_request_that_was_used_for_another_job_is_refused),
		DATABASE_TEST(a_submission_belongs_to_the_callers_transaction),
		DATABASE_TEST(an_idle_dispatcher_of_the_queue_is_woken_and_no_other),
	};

	return cmocka_run_group_tests_name("submit", tests, database_open, database_close);
}
