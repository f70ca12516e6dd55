#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/embedded.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const struct uuid NONE;

/* A dispatcher that holds one job, and how the job's run ends. */
struct scene {
	struct uuid dispatcher;
	struct fleet_outcome end;
};

static struct scene claimed(struct database *d, const char *options)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };

	fleet_submit(d, "%s", options);
	scene.end.id = fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	scene.end.ago_ms = 1000;
	assert_true(scene.end.id > 0);
	return scene;
}

static struct scene active(struct database *d, const char *options)
{
	struct scene scene = claimed(d, options);

	assert_true(fleet_start(d, scene.end.id, scene.end.claim_id));
	return scene;
}

static const char *ends(struct database *d, struct scene *scene, const char *outcome)
{
	scene->end.outcome = outcome;
	return fleet_complete(d, scene->dispatcher, &scene->end);
}

static void a_completed_job_moves_to_finished_with_everything(void **state)
{
	struct database *d = *state;
	struct scene scene =
		claimed(d, "'h', '{\"a\" :1}', key => 'k', priority => 2, "
			   "timeout => '5 s', on_interrupt => 'hold', traceparent => 't'");
	char text[UUID_TEXT_SIZE];

	scene.end.result = "{\"b\" : 2.0}";
	scene.end.log = "tail";
	assert_string_equal(ends(d, &scene, "completed"), "completed");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 0);
	assert_sql(
		d, "h|completed|2|1|5|0|0|1|k|t|{\"a\" :1}|{\"b\" : 2.0}|-|tail|5000|hold|-",
		"select handler, state, priority, attempt, max_attempts, interruptions, recoveries, "
		"claim_seq, key, traceparent, payload, result, error, log, timeout_ms, on_interrupt, "
		"history from locum.finished");
	assert_int_equal(
		database_int(d,
			     "select count(*) from locum.finished where claim_id = '%s' and "
			     "finished_at - started_at between '1 s' and '1 min'",
			     uuid_text(scene.end.claim_id, text)),
		1);
}

static void a_run_that_never_started_has_no_start(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	scene.end.ago_ms = -1;
	scene.end.error = "no such program";
	assert_string_equal(ends(d, &scene, "failed"), "failed");
	assert_sql(d, "failed|-|no such program|1",
		   "select state, started_at, error, attempt from locum.finished");
}

static void a_stale_claim_changes_nothing(void **state)
{
	static const char *const OUTCOMES[] = {
		"completed", "failed", "cancelled", "retry", "release", "interrupt", "recover",
	};
	struct database *d = *state;
	struct scene scene = active(d, "'h'");
	struct uuid right = scene.end.claim_id;
	char before[4096];

	snprintf(before, sizeof(before), "%s",
		 database_text(d, "select j.ctid, j.xmin, j.* from locum.job j"));
	scene.end.claim_id = uuid_make();
	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++)
		assert_string_equal(ends(d, &scene, OUTCOMES[i]), "");
	assert_false(fleet_start(d, scene.end.id, scene.end.claim_id));
	assert_sql(d, before, "select j.ctid, j.xmin, j.* from locum.job j");
	assert_int_equal(database_int(d, "select (select count(*) from locum.finished) "
					 "+ (select count(*) from locum.receipt)"),
			 0);
	scene.end.claim_id = right;
	assert_string_equal(ends(d, &scene, "completed"), "completed");
}

static void the_old_claim_of_a_dispatcher_that_claimed_again_is_refused(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");
	struct uuid old = scene.end.claim_id;

	assert_string_equal(ends(d, &scene, "release"), "pending");
	assert_int_equal(fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id), scene.end.id);
	assert_sql(d, "2", "select claim_seq from locum.job");
	scene.end.claim_id = old;
	assert_string_equal(ends(d, &scene, "completed"), "");
	assert_string_equal(fleet_lookup(d, uuid_make(), scene.end.id, old), "lost");
	assert_sql(d, "assigned", "select state from locum.job");
}

static void a_retry_with_a_delay_is_scheduled_and_counted(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	scene.end.delay_ms = 60000;
	scene.end.error = "busy";
	scene.end.log = "tail";
	assert_string_equal(ends(d, &scene, "retry"), "scheduled");
	assert_sql(
		d, "scheduled|1|-|-|-|-|-|busy|tail|t",
		"select state, attempt, lane, claim_id, incarnation, started_at, claimed_at, error, log, "
		"run_at - clock_timestamp() between '50 s' and '60 s' from locum.job");
	assert_sql(d, "retry|busy|1|1",
		   "select e ->> 'outcome', e ->> 'error', e ->> 'attempt', e ->> 'claim_seq' "
		   "from locum.job, jsonb_array_elements(history) as e");
}

static void a_retry_without_delay_is_ready_at_the_head(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	fleet_submit(d, "'h'");
	assert_string_equal(ends(d, &scene, "retry"), "pending");
	assert_sql(d, "1|0", "select attempt, lane from locum.job where id = 1");
	assert_int_equal(fleet_claim_one(d, scene.dispatcher, NULL), 1);
}

static void a_release_counts_nothing(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	assert_string_equal(ends(d, &scene, "release"), "pending");
	assert_sql(d, "pending|0|0|0|0",
		   "select state, lane, attempt, interruptions, recoveries from locum.job");
}

static void an_interruption_under_retry_is_counted_and_goes_back(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	assert_string_equal(ends(d, &scene, "interrupt"), "pending");
	assert_sql(d, "pending|0|0|1", "select state, lane, attempt, interruptions from locum.job");
}

static void a_recovery_counts_as_one_and_interrupts_what_had_started(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	assert_string_equal(ends(d, &scene, "recover"), "pending");
	assert_sql(d, "pending|0|0|1|1",
		   "select state, lane, attempt, interruptions, recoveries from locum.job");
}

static void a_recovery_of_what_never_started_is_no_interruption(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h', on_interrupt => 'fail'");

	scene.end.ago_ms = -1;
	assert_string_equal(ends(d, &scene, "recover"), "pending");
	assert_sql(d, "pending|0|0|0|1",
		   "select state, lane, attempt, interruptions, recoveries from locum.job");
}

static void a_long_history_keeps_its_first_entry_and_the_latest(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	for (int i = 0; i < LIMIT_HISTORY + 5; i++) {
		assert_string_equal(ends(d, &scene, "release"), "pending");
		fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
	}
	assert_int_equal(database_int(d, "select jsonb_array_length(history) from locum.job"),
			 LIMIT_HISTORY);
	assert_int_equal(
		database_int(d, "select (history -> 0 ->> 'claim_seq')::int from locum.job"), 1);
	assert_int_equal(
		database_int(d, "select (history -> -1 ->> 'claim_seq')::int from locum.job"),
		LIMIT_HISTORY + 5);
}

static void an_interruption_under_fail_fails(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h', on_interrupt => 'fail'");

	assert_string_equal(ends(d, &scene, "interrupt"), "failed");
	assert_sql(d, "failed|interrupted, and its policy is to fail|1",
		   "select state, error, interruptions from locum.finished");
}

static void an_interruption_under_hold_holds(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h', on_interrupt => 'hold', run_at => now()");

	assert_string_equal(ends(d, &scene, "interrupt"), "held");
	assert_sql(d, "held|-|-|1", "select state, lane, run_at, interruptions from locum.job");
	assert_int_equal(fleet_claim(d, scene.dispatcher, 1, NULL), 0);
}

static void the_interruption_after_the_last_allowed_one_fails(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	for (int i = 0; i < LIMIT_INTERRUPTIONS; i++) {
		assert_string_equal(ends(d, &scene, "interrupt"), "pending");
		fleet_claim_one(d, scene.dispatcher, &scene.end.claim_id);
		assert_true(fleet_start(d, 1, scene.end.claim_id));
	}
	assert_string_equal(ends(d, &scene, "interrupt"), "failed");
	assert_sql(
		d, "failed|interrupted too often (10 times)|10|9",
		"select state, error, interruptions, jsonb_array_length(history) from locum.finished");
}

static void a_wanted_cancel_ends_what_would_go_on(void **state)
{
	static const char *const OUTCOMES[][2] = {
		{ "retry", "cancelled" },     { "release", "cancelled" },
		{ "interrupt", "cancelled" }, { "recover", "cancelled" },
		{ "cancelled", "cancelled" }, { "completed", "completed" },
		{ "failed", "failed" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++) {
		struct scene scene = active(d, "'h'");

		assert_sql(d, "t", "select locum.cancel(%d)", (int)scene.end.id);
		assert_string_equal(ends(d, &scene, OUTCOMES[i][0]), OUTCOMES[i][1]);
		assert_sql(d, OUTCOMES[i][1], "select state from locum.finished where id = %d",
			   (int)scene.end.id);
	}
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 0);
}

static void a_queue_that_keeps_nothing_keeps_nothing(void **state)
{
	struct database *d = *state;
	struct scene scene;

	database_do(d, "update locum.queue set keep_finished = '0'");
	scene = active(d, "'h'");
	assert_string_equal(ends(d, &scene, "completed"), "completed");
	assert_int_equal(database_int(d, "select (select count(*) from locum.job) "
					 "+ (select count(*) from locum.finished)"),
			 0);
	assert_string_equal(fleet_lookup(d, uuid_make(), scene.end.id, scene.end.claim_id), "gone");
}

static void a_missing_partition_is_an_error_that_preparing_mends(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");
	struct args args;
	char today[32];

	snprintf(today, sizeof(today), "%s",
		 database_text(
			 d, "select 'finished_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')"));
	database_do(d, "drop table locum.%s", today);
	scene.end.outcome = "completed";
	assert_int_equal(
		fleet_complete_batch(d, scene.dispatcher, uuid_make(), NONE, &scene.end, 1), -1);
	assert_string_equal(d->err.sqlstate, "23514");
	assert_sql(d, "active", "select state from locum.job");
	args_init(&args);
	args_int4(&args, LIMIT_PARTITIONS_AHEAD);
	database_count(d, "partition_prepare", &args);
	assert_string_equal(ends(d, &scene, "completed"), "completed");
}

static void a_result_that_is_refused_changes_nothing(void **state)
{
	struct database *d = *state;
	struct scene scene = active(d, "'h'");

	scene.end.outcome = "completed";
	scene.end.result = "{\"broken\": ";
	assert_int_equal(
		fleet_complete_batch(d, scene.dispatcher, uuid_make(), NONE, &scene.end, 1), -1);
	assert_string_equal(d->err.sqlstate, "22P02");
	assert_int_equal(d->err.kind, ERROR_INPUT);
	assert_sql(d, "active|0|0",
		   "select state, (select count(*) from locum.finished), "
		   "(select count(*) from locum.receipt) from locum.job");
}

static void a_batch_accepts_what_it_may_and_leaves_the_rest(void **state)
{
	struct database *d = *state;
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };
	struct fleet_outcome ends_of[4];
	static const char *const OUTCOMES[] = { "completed", "retry", "failed", "completed" };

	database_do(d, "select locum.submit('h') from generate_series(1, 4)");
	assert_int_equal(fleet_claim(d, scene.dispatcher, 4, &scene.end.claim_id), 4);
	for (int i = 0; i < 4; i++)
		ends_of[i] = (struct fleet_outcome){
			.id = i + 1,
			.claim_id = scene.end.claim_id,
			.outcome = OUTCOMES[i],
		};
	ends_of[3].claim_id = uuid_make();
	assert_int_equal(fleet_complete_batch(d, scene.dispatcher, uuid_make(), NONE, ends_of, 4),
			 3);
	assert_sql(d, "2|pending\n4|assigned", "select id, state from locum.job order by id");
	assert_sql(d, "1|completed\n3|failed", "select id, state from locum.finished order by id");
	assert_sql(d, "1,2,3",
		   "select string_agg(j::text, ',' order by j) "
		   "from locum.receipt, unnest(jobs) as j");
}

static const char *text_of(const char *name)
{
	size_t i = 0;

	while (strcmp(EMBEDDED_STATEMENTS[i].name, name) != 0)
		i++;
	return EMBEDDED_STATEMENTS[i].text;
}

/* job_start for job 1, on the plain connection. */
static void start_plainly(struct database *d, struct uuid claim_id)
{
	char claims[UUID_TEXT_SIZE + 2];
	char text[UUID_TEXT_SIZE];
	const char *values[] = { "{1}", claims, "{0}" };
	PGresult *result;

	snprintf(claims, sizeof(claims), "{%s}", uuid_text(claim_id, text));
	result = PQexecParams(d->sql, text_of("job_start"), 3, NULL, values, NULL, NULL, 0);
	assert_int_equal(PQntuples(result), 1);
	PQclear(result);
}

static void a_start_is_a_heap_only_update(void **state)
{
	static const char HOT[] =
		"select pg_stat_get_xact_tuples_hot_updated('locum.job'::regclass)";
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");
	int64_t before;

	database_do(d, "begin");
	before = database_int(d, "%s", HOT);
	start_plainly(d, scene.end.claim_id);
	assert_int_equal(database_int(d, "%s", HOT), before + 1);
	database_do(d, "commit");
}

static void a_start_needs_the_claim_and_happens_once(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	assert_false(fleet_start(d, scene.end.id, uuid_make()));
	assert_true(fleet_start(d, scene.end.id, scene.end.claim_id));
	assert_false(fleet_start(d, scene.end.id, scene.end.claim_id));
	assert_sql(d, "active|t",
		   "select state, started_at < clock_timestamp() - interval '900 ms' "
		   "from locum.job");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_completed_job_moves_to_finished_with_everything),
		DATABASE_TEST(a_run_that_never_started_has_no_start),
		DATABASE_TEST(a_stale_claim_changes_nothing),
		DATABASE_TEST(the_old_claim_of_a_dispatcher_that_claimed_again_is_refused),
		DATABASE_TEST(a_retry_with_a_delay_is_scheduled_and_counted),
		DATABASE_TEST(a_retry_without_delay_is_ready_at_the_head),
		DATABASE_TEST(a_release_counts_nothing),
		DATABASE_TEST(an_interruption_under_retry_is_counted_and_goes_back),
		DATABASE_TEST(a_recovery_counts_as_one_and_interrupts_what_had_started),
		DATABASE_TEST(a_recovery_of_what_never_started_is_no_interruption),
		DATABASE_TEST(a_long_history_keeps_its_first_entry_and_the_latest),
		DATABASE_TEST(an_interruption_under_fail_fails),
		DATABASE_TEST(an_interruption_under_hold_holds),
		DATABASE_TEST(the_interruption_after_the_last_allowed_one_fails),
		DATABASE_TEST(a_wanted_cancel_ends_what_would_go_on),
		DATABASE_TEST(a_queue_that_keeps_nothing_keeps_nothing),
		DATABASE_TEST(a_missing_partition_is_an_error_that_preparing_mends),
		DATABASE_TEST(a_result_that_is_refused_changes_nothing),
		DATABASE_TEST(a_batch_accepts_what_it_may_and_leaves_the_rest),
		DATABASE_TEST(a_start_is_a_heap_only_update),
		DATABASE_TEST(a_start_needs_the_claim_and_happens_once),
	};

	return cmocka_run_group_tests_name("complete", tests, database_open, database_close);
}
