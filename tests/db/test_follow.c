#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* Job 1 has a follow-up for each way to end; what was submitted since then tells which were due. */
#define EACH "'h', \"then\" => '{\"success\": \"ok\", \"failure\": \"bad\", \"always\": \"any\"}'"

/* The handlers of the follow-ups of job 1, in order. */
#define FOLLOWERS                                                                                  \
	"select coalesce(string_agg(handler, ' ' order by handler), 'none') from locum.job "       \
	"where follows = 1"

static const struct uuid NONE;

struct scene {
	struct uuid dispatcher;
	struct fleet_outcome end;
	char claim[UUID_TEXT_SIZE];
};

static struct scene claimed(struct database *d, const char *options)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };

	fleet_submit(d, "%s", options);
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	scene.end.delay_ms = -1;
	uuid_text(scene.end.claim_id, scene.claim);
	assert_int_equal(scene.end.id, 1);
	return scene;
}

static const char *ends(struct database *d, struct scene *scene, const char *outcome)
{
	scene->end.outcome = outcome;
	return fleet_complete(d, scene->dispatcher, &scene->end);
}

/* --- each way to end ---------------------------------------------------------------------------- */

static void each_outcome_submits_what_follows_it(void **state)
{
	static const char *const OUTCOMES[][2] = {
		{ "completed", "any ok" }, { "failed", "any bad" }, { "cancelled", "any" },
		{ "retry", "none" },       { "snooze", "none" },    { "release", "none" },
		{ "interrupt", "none" },   { "recover", "none" },
	};

	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++) {
		struct database *d = *state;
		struct scene scene = claimed(d, EACH);

		ends(d, &scene, OUTCOMES[i][0]);
		assert_sql(d, OUTCOMES[i][1], FOLLOWERS);
		database_clear(state);
	}
}

static void a_job_that_an_interruption_ends_has_failed(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH ", on_interrupt => 'fail'");

	assert_string_equal(ends(d, &scene, "interrupt"), "failed");
	assert_sql(d, "any bad", FOLLOWERS);
	assert_sql(d, "interrupted, and its policy is to fail",
		   "select payload ->> 'error' from locum.job where handler = 'bad'");
}

static void a_run_that_is_not_tried_again_for_a_cancel_is_cancelled(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	database_do(d, "select locum.cancel(1)");
	assert_sql(d, "none", FOLLOWERS);
	assert_string_equal(ends(d, &scene, "retry"), "cancelled");
	assert_sql(d, "any", FOLLOWERS);
}

static void a_program_that_completes_its_job_submits_them(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	database_do(d, "begin; select locum.complete(1, '%s', '[7]'); rollback", scene.claim);
	assert_sql(d, "none", FOLLOWERS);
	database_do(d, "select locum.complete(1, '%s', '[7]')", scene.claim);
	database_do(d, "select locum.complete(1, '%s', '[7]')", scene.claim);
	assert_sql(d, "any ok", FOLLOWERS);
}

static void a_plugin_that_settles_its_job_submits_them(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	database_do(
		d,
		"select locum.settle(1, '%s', '[7]', 'log', 5, pg_current_xact_id()::text::bigint)",
		scene.claim);
	assert_sql(d, "any ok", FOLLOWERS);
}

static void a_job_that_expires_has_failed(void **state)
{
	struct database *d = *state;
	struct args args;

	fleet_submit(d, "%s", EACH ", expires => '0'");
	args_init(&args);
	args_int4(&args, 10);
	assert_int_equal(database_count(d, "job_expire", &args), 1);
	assert_sql(d, "any bad", FOLLOWERS);
	assert_sql(d, "expired|not started before it expired",
		   "select payload ->> 'state', payload ->> 'error' from locum.job "
		   "where handler = 'bad'");
}

static void a_cancel_of_what_waits_submits_only_what_always_follows(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "%s", EACH);
	assert_sql(d, "t", "select locum.cancel(1)");
	assert_sql(d, "any", FOLLOWERS);
}

static void a_reclaim_that_ends_a_job_submits_them(void **state)
{
	static const char *const ENDS[][2] = {
		{ "update locum.job set on_interrupt = 'fail'", "any bad" },
		{ "update locum.job set cancel_requested = true", "any" },
		{ "select", "none" },
	};

	for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
		struct database *d = *state;
		struct scene scene = claimed(d, EACH);

		assert_true(fleet_start(d, 1, scene.end.claim_id));
		database_do(d, "%s", ENDS[i][0]);
		fleet_kill(d, scene.dispatcher);
		assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
		assert_sql(d, ENDS[i][1], FOLLOWERS);
		database_clear(state);
	}
}

static void a_claim_that_nobody_knows_of_is_cancelled_when_that_was_wanted(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	database_do(d, "select locum.cancel(1)");
	assert_int_equal(fleet_release(d, 1, scene.end.claim_id), 1);
	assert_sql(d, "any", FOLLOWERS);
	assert_sql(d, "cancelled|0|-|-",
		   "select state, attempt, started_at, claim_id from locum.finished");
}

static void a_run_that_was_reassigned_submits_nothing(void **state)
{
	static const char *const OUTCOMES[] = { "completed", "failed", "cancelled" };
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	fleet_kill(d, scene.dispatcher);
	fleet_reclaim(d, scene.dispatcher, 10);
	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++)
		assert_string_equal(ends(d, &scene, OUTCOMES[i]), "");
	assert_refused(d, "LC001 job was reassigned|Job 1 is no longer held by this claim.",
		       "select locum.complete(1, '%s')", scene.claim);
	assert_sql(d, "none", FOLLOWERS);
}

static void a_queue_that_keeps_nothing_has_follow_ups_all_the_same(void **state)
{
	struct database *d = *state;
	struct scene scene;

	database_do(d, "update locum.queue set keep_finished = '0'");
	scene = claimed(d, EACH);
	ends(d, &scene, "completed");
	assert_sql(d, "any ok", FOLLOWERS);
}

/* --- what a follow-up is ------------------------------------------------------------------------ */

static void a_follow_up_is_told_what_became_of_its_parent(void **state)
{
	struct database *d = *state;
	struct scene scene;

	database_do(d, "insert into locum.queue (name) values ('mail')");
	fleet_submit(d, "'x', queue => 'mail', submitted_by => 'ann', traceparent => 't', "
			"\"then\" => '{\"success\": \"ok\"}'");
	scene.dispatcher = fleet_dispatcher(d);
	database_do(d, "update locum.job set handler = 'h', queue_id = 1");
	scene = (struct scene){ .dispatcher = scene.dispatcher };
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	database_do(d, "update locum.job set queue_id = 2");
	scene.end.result = "{\"b\" : 2.0}";
	ends(d, &scene, "completed");
	assert_sql(d,
		   "mail|pending|1|1|ann|t|{\"job\" : 1, \"handler\" : \"h\", \"state\" : "
		   "\"completed\", \"result\" : {\"b\" : 2.0}, \"error\" : null}",
		   "select q.name, state, lane, follows, submitted_by, traceparent, payload "
		   "from locum.job j join locum.queue q on q.id = queue_id");
}

static void a_follow_up_has_the_options_that_it_was_given(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(
		d,
		"'h', \"then\" => '{\"always\": {\"handler\": \"n\", \"payload\": {\"a\" :  1}, "
		"\"queue\": \"mail\", \"priority\": 1, \"delay\": \"1 h\", \"key\": \"k\", "
		"\"max_attempts\": 2, \"timeout\": \"3 s\", \"expires\": \"1 day\", "
		"\"on_interrupt\": \"hold\", \"traceparent\": \"u\", \"retry_delay\": \"2 s\", "
		"\"retry_cap\": \"1 min\", \"retry_backoff\": \"fixed\", \"labels\": {\"l\": 1}, "
		"\"then\": {\"failure\": \"m\"}}}'");

	ends(d, &scene, "failed");
	assert_sql(
		d,
		"n|{\"a\" :  1}|mail|1|scheduled|k|2|00:00:03|t|hold|u|00:00:02|00:01:00|fixed|"
		"{\"l\": \"1\"}|m",
		"select handler, payload, queue, priority, state, key, max_attempts, timeout, "
		"expires_at - created_at = '1 day' and run_at - created_at = '1 h', on_interrupt, "
		"traceparent, retry_delay, retry_cap, retry_backoff, labels, "
		"\"then\" -> 'failure' ->> 'handler' from locum.jobs where follows = 1");
}

static void follow_ups_of_follow_ups_run_too(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(
		d, "'h', \"then\" => '{\"success\": {\"handler\": \"h\", \"then\": {\"failure\": "
		   "{\"handler\": \"h\", \"then\": {\"always\": \"last\"}}}}}'");

	ends(d, &scene, "completed");
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	ends(d, &scene, "failed");
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	ends(d, &scene, "cancelled");
	assert_sql(d, "4|last|3", "select id, handler, follows from locum.job");
}

static void a_retried_job_keeps_its_follow_ups(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	ends(d, &scene, "failed");
	assert_sql(d, "4", "select locum.retry(1)");
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	assert_int_equal(scene.end.id, 4);
	ends(d, &scene, "completed");
	assert_sql(
		d, "any ok",
		"select string_agg(handler, ' ' order by handler) from locum.job where follows = 4");
}

static void a_follow_up_whose_key_is_taken_is_not_stored(void **state)
{
	struct database *d = *state;
	struct scene scene;

	fleet_submit(d, "'h', \"then\" => '{\"success\": {\"handler\": \"n\", \"key\": \"k\"}}'");
	fleet_submit(d, "'other', key => 'k'");
	scene.dispatcher = fleet_dispatcher(d);
	scene.end = (struct fleet_outcome){ .id = 1 };
	fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	assert_string_equal(ends(d, &scene, "completed"), "completed");
	assert_sql(d, "2|other", "select id, handler from locum.job");
}

static void a_follow_up_may_have_the_key_of_its_parent(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(
		d,
		"'h', key => 'k', \"then\" => '{\"success\": {\"handler\": \"n\", \"key\": \"k\"}}'");

	ends(d, &scene, "completed");
	assert_sql(d, "n|k", "select handler, key from locum.job");
}

static void a_result_that_leaves_no_room_is_left_out_of_the_payload(void **state)
{
	static char result[LIMIT_RESULT_BYTES + 1];
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);

	memset(result, 'x', LIMIT_RESULT_BYTES);
	result[0] = result[LIMIT_RESULT_BYTES - 1] = '"';
	scene.end.result = result;
	assert_string_equal(ends(d, &scene, "completed"), "completed");
	assert_sql(d, "completed|null",
		   "select payload ->> 'state', payload -> 'result' from locum.job "
		   "where handler = 'ok'");
}

/* What the submitter's session took for granted must not matter where the job ends. */
static void a_follow_up_does_not_depend_on_the_settings_of_a_session(void **state)
{
	struct database *d = *state;
	struct scene scene;

	database_do(d, "set datestyle = 'SQL, DMY'; set timezone = 'Asia/Tokyo'; "
		       "set intervalstyle = 'sql_standard'");
	scene = claimed(d, "'h', \"then\" => '{\"success\": {\"handler\": \"n\", "
			   "\"run_at\": \"13/02/2100 09:00\", \"delay\": \"-1 2:00:00\"}}'");
	database_do(d, "reset all");
	ends(d, &scene, "completed");
	assert_sql(d, "2100-02-11 22:00:00", "select run_at at time zone 'UTC' from locum.job");
}

static void whoever_serves_a_follow_up_is_woken(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, EACH);
	char channel[UUID_TEXT_SIZE + 8];
	char text[UUID_TEXT_SIZE];
	struct uuid idle = fleet_dispatcher(d);
	PGnotify *notice;

	uuid_text(idle, text);
	database_do(d,
		    "insert into locum.agent (incarnation, name, size, queues, handlers, idle) "
		    "values ('%s', 'a', 1, '{default}', '{ok}', true)",
		    text);
	database_do(d, "listen \"locum_%s\"", text);
	ends(d, &scene, "completed");
	database_do(d, "select");
	PQconsumeInput(d->sql);
	notice = PQnotifies(d->sql);
	assert_non_null(notice);
	snprintf(channel, sizeof(channel), "locum_%s", text);
	assert_string_equal(notice->relname, channel);
	PQfreemem(notice);
	assert_null(PQnotifies(d->sql));
	database_do(d, "unlisten *");
}

/* --- what is refused ---------------------------------------------------------------------------- */

static void a_wrong_follow_up_is_refused_when_it_is_submitted(void **state)
{
	static const char *const BAD[][2] = {
		{ "[]", "22023 \"then\" must be a JSON object, not array" },
		{ "\"n\"", "22023 \"then\" must be a JSON object, not string" },
		{ "{\"done\": \"n\"}",
		  "22023 there is no option \"done\"; the options are success, failure, always" },
		{ "{\"success\": 1}",
		  "22023 then.success: a follow-up must be a JSON object, not number" },
		{ "{\"success\": \"\"}", "22023 then.success: the handler has no name" },
		{ "{\"always\": {}}", "22023 then.always: the handler has no name" },
		{ "{\"always\": {\"handler\": \"n\", \"request_id\": \"x\"}}",
		  "22023 then.always: there is no option \"request_id\"; the options are handler, "
		  "payload, queue, priority, run_at, delay, key, max_attempts, timeout, expires, "
		  "on_interrupt, traceparent, retry_delay, retry_cap, retry_backoff, then, labels" },
		{ "{\"failure\": {\"handler\": \"n\", \"priority\": 10}}",
		  "22023 then.failure: the priority must be 0 to 9, not 10" },
		{ "{\"failure\": {\"handler\": \"n\", \"delay\": \"soon\"}}",
		  "22007 then.failure: invalid input syntax for type interval: \"soon\"" },
		{ "{\"failure\": {\"handler\": \"n\", \"delay\": \"102 years\"}}",
		  "22023 then.failure: delay must be at most 36500 days, not 102 years" },
		{ "{\"always\": {\"handler\": \"n\", \"expires\": \"1000000 years -360000000 days\"}}",
		  "22023 then.always: expires must be at most 36500 days, not 1000000 years -360000000 "
		  "days" },
		{ "{\"failure\": {\"handler\": \"n\", \"labels\": {\"a\": []}}}",
		  "22023 then.failure: the label a must be a text, not array" },
		{ "{\"success\": \"a\", \"success\": \"b\"}", "22023 \"success\" is given twice" },
		{ "{\"success\": {\"handler\": \"n\", \"delay\": \"1 s\", \"delay\": \"2 s\"}}",
		  "22023 then.success: \"delay\" is given twice" },
		{ "{\"success\": {\"handler\": {\"a\": 1}}}",
		  "22023 then.success: handler must be a string, not object" },
		{ "{\"failure\": {\"handler\": \"n\", \"delay\": 5}}",
		  "22023 then.failure: delay must be a string, not number" },
		{ "{\"always\": {\"handler\": \"n\", \"run_at\": \"infinity\"}}",
		  "22023 then.always: run_at must be a time, not infinity" },
		{ "{\"failure\": {\"handler\": \"n\", \"then\": {\"success\": {\"queue\": \"q\"}}}}",
		  "22023 then.failure: then.success: the handler has no name" },
	};
	struct database *d = *state;
	char many[2048];

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_refused(d, BAD[i][1], "select locum.submit('h', \"then\" => '%s')",
			       BAD[i][0]);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(many, sizeof(many), "%s|2", BAD[i][1]);
		assert_refused(d, many,
			       "select locum.submit_many(array['{\"handler\": \"h\"}', "
			       "'{\"handler\": \"h\", \"then\": %s}']::json[])",
			       BAD[i][0]);
	}
	assert_sql(d, "0|1",
		   "select (select count(*) from locum.job), (select count(*) from locum.queue)");
}

static void the_queue_of_a_follow_up_is_made_with_it(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(
		d, "'h', \"then\" => '{\"always\": {\"handler\": \"n\", \"queue\": \"late\"}}'");

	assert_sql(d, "default", "select string_agg(name, ' ') from locum.queue");
	ends(d, &scene, "completed");
	assert_sql(d, "n|late", "select handler, queue from locum.jobs where follows = 1");
}

static void follow_ups_are_nested_and_long_within_limits(void **state)
{
	static const char NEST[] = "select locum.submit('h', \"then\" => "
				   "(repeat('{\"always\": {\"handler\": \"n\", \"then\": ', %d) || "
				   "'null' || repeat('}}', %d))::json)";
	struct database *d = *state;

	database_do(d, NEST, LIMIT_FOLLOW_DEPTH, LIMIT_FOLLOW_DEPTH);
	assert_non_null(
		strstr(database_refusal(d,
					"select locum.submit('h', \"then\" => (repeat("
					"'{\"always\": {\"handler\": \"n\", \"then\": ', %d) "
					"|| '{\"always\": \"n\"}' || repeat('}}', %d))::json)",
					LIMIT_FOLLOW_DEPTH, LIMIT_FOLLOW_DEPTH),
		       "follow-ups are nested more than 16 deep"));
	assert_refused(d, "22023 \"then\" has 1048621 bytes; at most 1048576 are allowed",
		       "select locum.submit('h', \"then\" => json_build_object('always', "
		       "json_build_object('handler', 'n', 'payload', repeat('x', 1048576 - 2))))");
}

static void submit_many_stores_follow_ups(void **state)
{
	struct database *d = *state;
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };

	database_do(d, "select locum.submit_many(array['{\"handler\": \"h\", \"then\": "
		       "{\"success\": \"ok\"}}', '{\"handler\": \"h\"}']::json[])");
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	ends(d, &scene, "completed");
	assert_sql(d, "ok", FOLLOWERS);
	assert_int_equal(
		fleet_complete_batch(d, scene.dispatcher, uuid_make(), NONE, &scene.end, 1), 0);
	assert_sql(d, "ok", FOLLOWERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(each_outcome_submits_what_follows_it),
		DATABASE_TEST(a_job_that_an_interruption_ends_has_failed),
		DATABASE_TEST(a_run_that_is_not_tried_again_for_a_cancel_is_cancelled),
		DATABASE_TEST(a_program_that_completes_its_job_submits_them),
		DATABASE_TEST(a_plugin_that_settles_its_job_submits_them),
		DATABASE_TEST(a_job_that_expires_has_failed),
		DATABASE_TEST(a_cancel_of_what_waits_submits_only_what_always_follows),
		DATABASE_TEST(a_reclaim_that_ends_a_job_submits_them),
		DATABASE_TEST(a_claim_that_nobody_knows_of_is_cancelled_when_that_was_wanted),
		DATABASE_TEST(a_run_that_was_reassigned_submits_nothing),
		DATABASE_TEST(a_queue_that_keeps_nothing_has_follow_ups_all_the_same),
		DATABASE_TEST(a_follow_up_is_told_what_became_of_its_parent),
		DATABASE_TEST(a_follow_up_has_the_options_that_it_was_given),
		DATABASE_TEST(follow_ups_of_follow_ups_run_too),
		DATABASE_TEST(a_retried_job_keeps_its_follow_ups),
		DATABASE_TEST(a_follow_up_whose_key_is_taken_is_not_stored),
		DATABASE_TEST(a_follow_up_may_have_the_key_of_its_parent),
		DATABASE_TEST(a_result_that_leaves_no_room_is_left_out_of_the_payload),
		DATABASE_TEST(a_follow_up_does_not_depend_on_the_settings_of_a_session),
		DATABASE_TEST(whoever_serves_a_follow_up_is_woken),
		DATABASE_TEST(a_wrong_follow_up_is_refused_when_it_is_submitted),
		DATABASE_TEST(the_queue_of_a_follow_up_is_made_with_it),
		DATABASE_TEST(follow_ups_are_nested_and_long_within_limits),
		DATABASE_TEST(submit_many_stores_follow_ups),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
