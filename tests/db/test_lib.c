/* liblocum as a program has it: through the shared object, against a real server. */
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
#include "tests/support/fleet.h"

static struct locum_error error;

static struct locum *connected(struct database *d)
{
	struct locum *locum = locum_connect(d->conninfo, &error);

	if (locum == NULL)
		fail_msg("%s", error.message);
	return locum;
}

static struct locum *on_sql(struct database *d)
{
	struct locum *locum = locum_on(d->sql, &error);

	if (locum == NULL)
		fail_msg("%s", error.message);
	return locum;
}

static int64_t submit(struct locum *locum, const char *payload, const struct locum_options *options)
{
	int64_t id = locum_submit(locum, "h", payload, options, &error);

	if (id < 0)
		fail_msg("%s", error.message);
	return id;
}

static void assert_error(enum locum_error_kind kind, const char *message)
{
	assert_string_equal(error.message, message);
	assert_int_equal(error.kind, kind);
}

/* --- one job -------------------------------------------------------------------------------------- */

static void a_payload_is_kept_byte_for_byte(void **state)
{
	static const char PAYLOAD[] =
		" { \"z\" :1e400, \"a\":-0 , \"a\":\t\"\\u00e9 \xc3\xa9 \xf0\x9f\x90\x98\\n\" } ";
	struct database *d = *state;
	struct locum *locum = connected(d);

	submit(locum, PAYLOAD, NULL);
	assert_sql(d, PAYLOAD, "select payload from locum.job");
	locum_close(locum);
}

static void without_options_each_has_its_default(void **state)
{
	const struct locum_options options = LOCUM_OPTIONS_INIT;
	struct database *d = *state;
	struct locum *locum = connected(d);

	assert_int_equal(submit(locum, NULL, NULL), 1);
	assert_int_equal(submit(locum, "{}", &options), 2);
	assert_sql(d, "t", "select locum.submit('h') = 3");
	assert_sql(
		d, "1",
		"select count(distinct to_jsonb(j) - '{id,created_at}'::text[]) from locum.job j");
	locum_close(locum);
}

static void every_option_arrives(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct database *d = *state;
	struct locum *locum = connected(d);

	options.priority = 0;
	options.max_attempts = 7;
	options.queue = "mail";
	options.run_at_ms = 4102444800123; /* 2100-01-01 */
	options.delay_ms = 1;
	options.key = "k \"1\"";
	options.request_id = "7f3c1a52-9f5e-4c3c-8f3e-0d7f2b6c1a52";
	options.timeout_ms = 3001;
	options.expires_ms = 3600000;
	options.on_interrupt = "fail";
	options.retry_backoff = "linear";
	options.retry_delay_ms = 250;
	options.retry_cap_ms = 90000;
	options.then = "{\"failure\": {\"handler\": \"mourn\", \"payload\": { \"a\" : 1}}}";
	options.labels = "{\"team\": \"a \\\"b\\\"\"}";
	options.traceparent = "00-\"t\"";
	options.submitted_by = "somebody";
	assert_int_equal(submit(locum, "[1]", &options), 1);
	assert_sql(
		d,
		"scheduled|mail|0|7|3001|fail|linear|250|90000|k \"1\"|00-\"t\"|somebody|[1]|"
		"a \"b\"|mourn|{ \"a\" : 1}|t|t",
		"select state, q.name, priority, max_attempts, timeout_ms, on_interrupt, retry_backoff, "
		"retry_delay_ms, retry_cap_ms, key, traceparent, submitted_by, payload, labels->>'team', "
		"follow_ups->'failure'->>'handler', follow_ups->'failure'->'payload', "
		"run_at = '2100-01-01 00:00:00.124Z', expires_at = j.created_at + interval '1 h' "
		"from locum.job j join locum.queue q on q.id = queue_id");
	assert_sql(d, "7f3c1a52-9f5e-4c3c-8f3e-0d7f2b6c1a52|{1}",
		   "select request_id, jobs from locum.request");
	locum_close(locum);
}

static void a_negative_retry_delay_is_none(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct database *d = *state;
	struct locum *locum = connected(d);

	submit(locum, NULL, &options);
	options.retry_delay_ms = -1;
	submit(locum, NULL, &options);
	assert_sql(d, "-\n0", "select retry_delay_ms from locum.job order by id");
	locum_close(locum);
}

static void the_same_request_gives_the_same_id_even_when_the_job_has_finished(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	char request_id[LOCUM_UUID_SIZE];
	struct database *d = *state;
	struct locum *locum = connected(d);
	int64_t first;

	locum_uuid(request_id);
	options.request_id = request_id;
	first = submit(locum, NULL, &options);
	assert_int_equal(submit(locum, NULL, &options), first);
	database_do(d, "select locum.cancel(%lld)", (long long)first);
	assert_int_equal(submit(locum, NULL, &options), first);
	assert_sql(
		d, "0|1",
		"select (select count(*) from locum.job), (select count(*) from locum.finished)");
	locum_close(locum);
}

static void a_wrong_job_is_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *handler;
		const char *payload;
		struct locum_options options;
		const char *message;
	} WRONG[] = {
#define SET(...) { .size = sizeof(struct locum_options), __VA_ARGS__ }
		{ "", "{}", SET(.priority = 5), "the handler has no name" },
		{ NULL, "{}", SET(.priority = 5), "the handler has no name" },
		{ "h", "{", SET(.priority = 5), "invalid input syntax for type json" },
		{ "h", "\xff", SET(.priority = 5),
		  "invalid byte sequence for encoding \"UTF8\": 0xff" },
		{ "h", "{}", SET(.priority = 10), "the priority must be 0 to 9, not 10" },
		{ "h", "{}", SET(.max_attempts = -1), "max_attempts must be 1 to 1000, not -1" },
		{ "h", "{}", SET(.queue = "\n"),
		  "the name of the queue contains a control character" },
		{ "h", "{}", SET(.delay_ms = -5), "delay_ms must not be negative, not -5" },
		{ "h", "{}", SET(.timeout_ms = -5), "timeout_ms must not be negative, not -5" },
		{ "h", "{}", SET(.run_at_ms = -1), "run_at_ms is no time: -1" },
		{ "h", "{}", SET(.run_at_ms = INT64_MAX),
		  "timestamp out of range: \"292278994-08-17T07:12:55.807Z\"" },
		{ "h", "{}", SET(.on_interrupt = "panic"),
		  "on_interrupt must be retry, fail or hold, not 'panic'" },
		{ "h", "{}", SET(.retry_backoff = "never"),
		  "retry_backoff must be exponential, linear or fixed, not 'never'" },
		{ "h", "{}", SET(.request_id = "1"), "the request_id is no UUID: \"1\"" },
		{ "h", "{}", SET(.request_id = "00000000-0000-0000-0000-000000000000"),
		  "the request_id is no UUID: \"00000000-0000-0000-0000-000000000000\"" },
		{ "h", "{}", SET(.labels = "1"), "the labels must be a JSON object, not number" },
		{ "h", "{}", { .size = 0 }, "the options were not begun with LOCUM_OPTIONS_INIT" },
		{ "h",
		  "{}",
		  { .size = sizeof(struct locum_options) + 8 },
		  "the options are of a newer locum than this library" },
#undef SET
	};
	struct database *d = *state;
	struct locum *locum = connected(d);

	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		assert_int_equal(locum_submit(locum, WRONG[i].handler, WRONG[i].payload,
					      &WRONG[i].options, &error),
				 -1);
		assert_error(LOCUM_ERROR_INPUT, WRONG[i].message);
	}
	assert_sql(d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
	assert_int_equal(submit(locum, NULL, NULL) > 0, 1);
	locum_close(locum);
}

static void json_of_an_option_cannot_slip_in_another(void **state)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct database *d = *state;
	struct locum *locum = connected(d);

	options.labels = "{}, \"submitted_by\": \"root\"";
	assert_int_equal(locum_submit(locum, "h", "{}", &options, &error), -1);
	assert_int_equal(error.kind, LOCUM_ERROR_INPUT);
	assert_memory_equal(error.message, "labels: ", 8);
	assert_sql(d, "0", "select count(*) from locum.job");
	locum_close(locum);
}

static void an_error_need_not_be_asked_for(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);

	assert_int_equal(locum_submit(locum, "", NULL, NULL, NULL), -1);
	assert_null(locum_on(NULL, NULL));
	locum_close(locum);
	locum_close(NULL);
}

/* --- the caller's own connection ------------------------------------------------------------------ */

static void a_job_of_a_transaction_that_is_rolled_back_never_was(void **state)
{
	struct database *d = *state;
	struct locum *locum = on_sql(d);
	struct locum *other = connected(d);

	database_do(d, "begin");
	database_do(d, "create table public.picture (path text)");
	submit(locum, NULL, NULL);
	database_do(d, "rollback");
	assert_sql(d, "0|-", "select count(*), to_regclass('public.picture') from locum.job");
	database_do(d, "begin");
	submit(locum, "[2]", NULL);
	assert_sql(d, "1", "select count(*) from locum.job");
	database_do(d, "commit");
	submit(locum, "[3]", NULL);
	submit(other, "[4]", NULL);
	assert_sql(d, "[2]\n[3]\n[4]", "select payload from locum.job order by id");
	locum_close(locum);
	locum_close(other);
	assert_sql(d, "1", "select 1"); /* the connection is still the caller's */
}

static void a_refused_job_spares_the_transaction_behind_a_savepoint(void **state)
{
	struct database *d = *state;
	struct locum *locum = on_sql(d);

	database_do(d, "begin");
	submit(locum, NULL, NULL);
	database_do(d, "savepoint s");
	assert_int_equal(locum_submit(locum, "h", "{", NULL, &error), -1);
	assert_string_equal(error.sqlstate, "22P02");
	assert_int_equal(locum_submit(locum, "h", "{}", NULL, &error), -1);
	assert_string_equal(error.sqlstate, "25P02");
	database_do(d, "rollback to s");
	submit(locum, NULL, NULL);
	database_do(d, "commit");
	assert_sql(d, "2", "select count(*) from locum.job");
	locum_close(locum);
}

static void a_connection_comes_back_as_it_was(void **state)
{
	struct database *d = *state;
	struct locum *locum = on_sql(d);

	for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
		assert_int_equal(PQsetnonblocking(d->sql, nonblocking), 0);
		submit(locum, NULL, NULL);
		assert_int_equal(locum_submit(locum, "", NULL, NULL, &error), -1);
		assert_int_equal(PQisnonblocking(d->sql), nonblocking);
		assert_int_equal(PQpipelineStatus(d->sql), PQ_PIPELINE_OFF);
		assert_int_equal(PQtransactionStatus(d->sql), PQTRANS_IDLE);
	}
	assert_int_equal(PQsetnonblocking(d->sql, 0), 0);
	locum_close(locum);
}

static void a_connection_that_is_busy_is_refused_and_left_alone(void **state)
{
	struct database *d = *state;
	struct locum *locum = on_sql(d);
	PGresult *result;

	assert_int_equal(PQsendQuery(d->sql, "select 7"), 1);
	assert_int_equal(locum_submit(locum, "h", NULL, NULL, &error), -1);
	assert_error(LOCUM_ERROR_INPUT, "a statement is running on the connection");
	result = PQgetResult(d->sql);
	assert_string_equal(PQgetvalue(result, 0, 0), "7");
	PQclear(result);
	assert_null(PQgetResult(d->sql));
	assert_int_equal(PQenterPipelineMode(d->sql), 1);
	assert_int_equal(locum_submit(locum, "h", NULL, NULL, &error), -1);
	assert_error(LOCUM_ERROR_INPUT, "the connection is in pipeline mode");
	assert_int_equal(PQexitPipelineMode(d->sql), 1);
	database_do(d, "set client_encoding = latin1");
	assert_int_equal(locum_submit(locum, "h", NULL, NULL, &error), -1);
	assert_error(LOCUM_ERROR_INPUT,
		     "the connection has the client_encoding LATIN1; locum needs UTF8");
	database_do(d, "reset client_encoding");
	submit(locum, NULL, NULL);
	locum_close(locum);
}

/* --- connections ---------------------------------------------------------------------------------- */

static void a_wrong_conninfo_is_the_callers_fault(void **state)
{
	(void)state;
	assert_null(locum_connect("host=", &error));
	assert_null(locum_connect("hots=localhost", &error));
	assert_error(LOCUM_ERROR_INPUT,
		     "the connection string is wrong: invalid connection option \"hots\"");
	assert_null(locum_connect("host=/nowhere dbname=app", &error));
	assert_int_equal(error.kind, LOCUM_ERROR_RETRY);
}

static void a_database_without_locum_is_named_as_such(void **state)
{
	char conninfo[600];
	struct database *d = *state;
	struct locum *locum;

	snprintf(conninfo, sizeof(conninfo), "%s dbname=template1", d->conninfo);
	locum = locum_connect(conninfo, &error);
	assert_non_null(locum);
	assert_int_equal(locum_submit(locum, "h", NULL, NULL, &error), -1);
	assert_error(LOCUM_ERROR_FATAL,
		     "the database has no schema of locum, or an older one: run \"locum init\"");
	locum_close(locum);
}

static void a_handle_connects_anew_after_its_connection_was_lost(void **state)
{
	struct database *d = *state;
	struct locum *locum = connected(d);

	submit(locum, NULL, NULL);
	assert_sql(d, "t",
		   "select bool_and(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
		   "where application_name = 'locum' and datname = current_database()");
	assert_int_equal(locum_submit(locum, "h", NULL, NULL, &error), -1);
	assert_int_equal(error.kind, LOCUM_ERROR_RETRY);
	submit(locum, NULL, NULL);
	assert_sql(d, "2", "select count(*) from locum.job");
	locum_close(locum);
}

static void a_program_may_name_itself(void **state)
{
	char conninfo[600];
	struct database *d = *state;
	struct locum *locum;

	snprintf(conninfo, sizeof(conninfo), "%s application_name=shop", d->conninfo);
	locum = locum_connect(conninfo, &error);
	assert_non_null(locum);
	assert_sql(d, "1",
		   "select count(*) from pg_stat_activity where application_name = 'shop' "
		   "and datname = current_database()");
	locum_close(locum);
}

/* --- completing ----------------------------------------------------------------------------------- */

struct scene {
	int64_t id;
	char claim[UUID_TEXT_SIZE];
	struct uuid dispatcher;
};

static struct scene claimed(struct database *d)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };
	struct uuid claim_id;

	fleet_submit(d, "'h'");
	scene.id = fleet_claim_one(d, scene.dispatcher, &claim_id);
	uuid_text(claim_id, scene.claim);
	return scene;
}

static void a_job_is_completed_in_the_callers_transaction(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d);
	struct locum *locum = on_sql(d);

	database_do(d, "begin");
	assert_int_equal(locum_complete(locum, scene.id, scene.claim, "{ \"ok\":1}", &error), 0);
	database_do(d, "rollback");
	assert_sql(d, "assigned", "select state from locum.jobs");
	database_do(d, "begin");
	assert_int_equal(locum_complete(locum, scene.id, scene.claim, "{ \"ok\":1}", &error), 0);
	assert_int_equal(locum_complete(locum, scene.id, scene.claim, NULL, &error), 0);
	database_do(d, "commit");
	assert_sql(d, "completed|{ \"ok\":1}", "select state, result from locum.jobs");
	locum_close(locum);
}

static void a_reassigned_job_is_lost_and_not_to_be_tried_again(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d);
	struct locum *locum = on_sql(d);

	fleet_kill(d, scene.dispatcher);
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	database_do(d, "create table public.left_behind (n int)");
	database_do(d, "begin");
	database_do(d, "insert into public.left_behind values (1)");
	assert_int_equal(locum_complete(locum, scene.id, scene.claim, NULL, &error), -1);
	assert_error(LOCUM_ERROR_LOST, "job was reassigned");
	assert_string_equal(error.sqlstate, "LC001");
	database_do(d, "commit"); /* of a failed transaction is a rollback */
	assert_sql(d, "0|pending",
		   "select (select count(*) from public.left_behind), state from locum.jobs");
	database_do(d, "drop table public.left_behind");
	locum_close(locum);
}

static void a_completion_needs_a_claim_and_a_result_that_is_json(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d);
	struct locum *locum = connected(d);

	assert_int_equal(locum_complete(locum, scene.id, NULL, NULL, &error), -1);
	assert_error(LOCUM_ERROR_INPUT, "there is no claim_id");
	assert_int_equal(locum_complete(locum, scene.id, "x", NULL, &error), -1);
	assert_error(LOCUM_ERROR_INPUT, "the claim_id is no UUID: \"x\"");
	assert_int_equal(locum_complete(locum, scene.id, scene.claim, "{", &error), -1);
	assert_error(LOCUM_ERROR_INPUT, "invalid input syntax for type json");
	assert_sql(d, "assigned", "select state from locum.jobs");
	locum_close(locum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_payload_is_kept_byte_for_byte),
		DATABASE_TEST(without_options_each_has_its_default),
		DATABASE_TEST(every_option_arrives),
		DATABASE_TEST(a_negative_retry_delay_is_none),
		DATABASE_TEST(the_same_request_gives_the_same_id_even_when_the_job_has_finished),
		DATABASE_TEST(a_wrong_job_is_refused_with_a_sentence),
		DATABASE_TEST(json_of_an_option_cannot_slip_in_another),
		DATABASE_TEST(an_error_need_not_be_asked_for),
		DATABASE_TEST(a_job_of_a_transaction_that_is_rolled_back_never_was),
		DATABASE_TEST(a_refused_job_spares_the_transaction_behind_a_savepoint),
		DATABASE_TEST(a_connection_comes_back_as_it_was),
		DATABASE_TEST(a_connection_that_is_busy_is_refused_and_left_alone),
		DATABASE_TEST(a_wrong_conninfo_is_the_callers_fault),
		DATABASE_TEST(a_database_without_locum_is_named_as_such),
		DATABASE_TEST(a_handle_connects_anew_after_its_connection_was_lost),
		DATABASE_TEST(a_program_may_name_itself),
		DATABASE_TEST(a_job_is_completed_in_the_callers_transaction),
		DATABASE_TEST(a_reassigned_job_is_lost_and_not_to_be_tried_again),
		DATABASE_TEST(a_completion_needs_a_claim_and_a_result_that_is_json),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
