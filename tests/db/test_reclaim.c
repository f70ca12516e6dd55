#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/rows.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* A dead dispatcher that still has one job. */
struct scene {
	struct uuid dispatcher;
	int64_t id;
	struct uuid claim_id;
};

static struct scene left(struct database *d, const char *options, bool started)
{
	struct scene scene = { .dispatcher = fleet_dispatcher(d) };

	fleet_submit(d, "%s", options);
	scene.id = fleet_claim_one(d, scene.dispatcher, &scene.claim_id);
	if (started)
		assert_true(fleet_start(d, scene.id, scene.claim_id));
	fleet_kill(d, scene.dispatcher);
	return scene;
}

static void an_assigned_job_goes_back_to_the_head_of_its_line(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h', on_interrupt => 'fail'", false);

	fleet_submit(d, "'h'");
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(d, "pending|0|0|1|0|-|-|-|-",
		   "select state, lane, interruptions, recoveries, attempt, claim_id, incarnation, "
		   "claimed_at, started_at from locum.job where id = 1");
	assert_sql(d, "reclaimed|its dispatcher was declared dead|1",
		   "select e ->> 'outcome', e ->> 'error', e ->> 'claim_seq' "
		   "from locum.job, jsonb_array_elements(history) as e");
	assert_int_equal(fleet_claim_one(d, fleet_dispatcher(d), NULL), 1);
}

static void an_active_job_was_interrupted(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h'", true);

	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(d, "pending|0|1|1|0",
		   "select state, lane, interruptions, recoveries, attempt from locum.job");
}

static void an_active_job_under_hold_is_held(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h', on_interrupt => 'hold', run_at => now()", true);

	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(d, "held|-|1|1|-",
		   "select state, lane, interruptions, recoveries, run_at from locum.job");
}

static void an_active_job_under_fail_fails(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h', on_interrupt => 'fail', timeout => '1 s'", true);

	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(
		d, "failed|1|1|-|interrupted, and its policy is to fail|fail|1000",
		"select state, interruptions, recoveries, claim_id, error, on_interrupt, timeout_ms "
		"from locum.finished");
}

static void the_interruption_after_the_last_allowed_one_fails(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h'", true);

	database_do(d, "update locum.job set interruptions = %d", LIMIT_INTERRUPTIONS);
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(d, "failed|10|interrupted too often (10 times)",
		   "select state, interruptions, error from locum.finished");
}

static void a_job_that_was_to_be_cancelled_is(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h'", false);

	database_do(d, "select locum.cancel(1)");
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
	assert_sql(d, "cancelled|cancelled; its worker died",
		   "select state, error from locum.finished");
}

/* Three jobs of a dead dispatcher, all started: the first had been interrupted by a death before. */
static struct uuid left_beside_a_suspect(struct database *d, const char *options)
{
	struct uuid dispatcher = fleet_dispatcher(d);

	for (int i = 0; i < 3; i++)
		fleet_submit(d, "%s", options);
	database_do(
		d, "update locum.job set interruptions = 1, recoveries = 1, lane = 0 where id = 1");
	fleet_claim(d, dispatcher, 3, NULL);
	database_do(d, "update locum.job set state = 'active', started_at = clock_timestamp()");
	fleet_kill(d, dispatcher);
	return dispatcher;
}

static const char COUNTED[] = "select id, interruptions, recoveries from locum.job order by id";

static void beside_a_job_on_probation_nobody_is_blamed(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = left_beside_a_suspect(d, "'h'");

	/* In chunks, too. */
	while (fleet_reclaim(d, dispatcher, 1) > 0)
		;
	assert_sql(d, "1|2|2\n2|0|1\n3|0|1", COUNTED);
	assert_sql(d, "interrupted|3",
		   "select history -> 0 ->> 'outcome', count(*) from locum.job group by 1");
}

static void after_its_probation_all_are_blamed_alike(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = left_beside_a_suspect(d, "'h'");

	database_do(d, "update locum.job set started_at = started_at - interval '%d ms'",
		    10 * LIMIT_PROBATION_MS);
	fleet_reclaim(d, dispatcher, 10);
	assert_sql(d, "1|2|2\n2|1|1\n3|1|1", COUNTED);
}

static void probation_grows_with_every_death(void **state)
{
	struct database *d = *state;

	assert_sql(d, "f|t|t|f",
		   "select locum.on_probation(0::smallint, now(), now()), "
		   "locum.on_probation(1::smallint, now(), now() + interval '%d ms'), "
		   "locum.on_probation(4::smallint, now(), now() + interval '%d ms'), "
		   "locum.on_probation(4::smallint, now(), now() + interval '%d ms')",
		   LIMIT_PROBATION_MS - 1,
		   LIMIT_PROBATION_MS * LIMIT_PROBATION_GROWTH * LIMIT_PROBATION_GROWTH - 1,
		   LIMIT_PROBATION_MS * LIMIT_PROBATION_GROWTH * LIMIT_PROBATION_GROWTH);
}

/* They have run, and must not run again. */
static void a_policy_against_a_second_run_holds_beside_a_suspect(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = left_beside_a_suspect(d, "'h', on_interrupt => 'hold'");

	fleet_reclaim(d, dispatcher, 10);
	assert_sql(d, "held|3", "select state, count(*) from locum.job group by 1");
}

static void it_goes_in_chunks(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	database_do(d, "select locum.submit('h') from generate_series(1, 5)");
	fleet_claim(d, dispatcher, 5, NULL);
	fleet_kill(d, dispatcher);
	assert_int_equal(fleet_reclaim(d, dispatcher, 2), 2);
	assert_sql(d, "3", "select count(*) from locum.job where incarnation is not null");
	assert_int_equal(fleet_reclaim(d, dispatcher, 10), 3);
	assert_int_equal(fleet_reclaim(d, dispatcher, 10), 0);
}

static void the_living_keep_their_jobs(void **state)
{
	static const char *const STATES[] = { "running", "draining" };
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);

	fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, NULL);
	for (size_t i = 0; i < 2; i++) {
		database_do(d, "update locum.dispatcher set state = '%s'", STATES[i]);
		assert_int_equal(fleet_reclaim(d, dispatcher, 10), 0);
		assert_int_equal(database_count(d, "orphan_owners", NULL), 0);
	}
}

static void a_job_that_somebody_holds_is_left_for_later(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h'", true);

	database_do(d, "begin; select from locum.job for update");
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 0);
	database_do(d, "rollback");
	assert_int_equal(fleet_reclaim(d, scene.dispatcher, 10), 1);
}

static void owners_that_are_not_alive_are_found(void **state)
{
	struct database *d = *state;
	struct uuid stopped = fleet_dispatcher(d);
	struct uuid dead;
	struct args args;

	database_do(d, "select locum.submit('h') from generate_series(1, 6)");
	fleet_claim(d, stopped, 2, NULL);
	fleet_claim(d, fleet_dispatcher(d), 1, NULL);
	dead = fleet_dispatcher(d);
	fleet_claim(d, dead, 2, NULL);
	fleet_kill(d, dead);
	assert_int_equal(database_count(d, "orphan_owners", NULL), 1);
	args_init(&args);
	args_uuid(&args, stopped);
	database_count(d, "dispatcher_stop", &args);
	assert_int_equal(database_count(d, "orphan_owners", NULL), 2);
	assert_int_equal(fleet_reclaim(d, dead, 10), 2);
	assert_int_equal(fleet_reclaim(d, stopped, 10), 2);
	assert_int_equal(database_count(d, "orphan_owners", NULL), 0);
}

static void progress_is_written_on_the_certificate(void **state)
{
	struct database *d = *state;
	struct scene scene = left(d, "'h'", false);

	for (int i = 0; i < 2; i++) {
		struct args args;

		args_init(&args);
		args_uuid(&args, scene.dispatcher);
		args_int4(&args, 3);
		assert_int_equal(database_count(d, "death_progress", &args), 1);
	}
	assert_sql(d, "6|t", "select reclaimed, reclaimed_at >= declared_at from locum.deaths");
}

/* Those of the first claim that are not known, as a number: 13 for the jobs 1 and 3. */
static int64_t unknown(struct database *d, struct uuid dispatcher, const int64_t *known,
		       size_t count, struct uuid claim_id)
{
	struct args args;
	PGresult *rows;
	int64_t found = 0;

	args_init(&args);
	args_uuid(&args, dispatcher);
	args_int8_array(&args, known, count);
	rows = database_call(d, "claim_unknown", &args);
	for (int row = 0; row < rows_count(rows); row++) {
		assert_true(uuid_same(rows_uuid(rows, row, 1), claim_id));
		found = 10 * found + rows_int(rows, row, 0);
	}
	PQclear(rows);
	return found;
}

static void claims_that_their_owner_does_not_know_go_back(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim_id;

	database_do(d, "select locum.submit('h') from generate_series(1, 4)");
	fleet_claim(d, dispatcher, 3, &claim_id);
	fleet_claim(d, fleet_dispatcher(d), 1, NULL);
	database_do(d, "select locum.cancel(3)");
	assert_int_equal(unknown(d, dispatcher, NULL, 0, claim_id), 123);
	assert_int_equal(unknown(d, dispatcher, (const int64_t[]){ 1 }, 1, claim_id), 23);
	assert_int_equal(fleet_release(d, 2, claim_id), 1);
	assert_int_equal(fleet_release(d, 3, claim_id), 1);
	assert_sql(d, "1|assigned|-2|0\n2|pending|0|0\n4|assigned|-2|0",
		   "select id, state, lane, recoveries from locum.job order by id");
	assert_sql(d, "3|cancelled", "select id, state from locum.finished");
	assert_int_equal(unknown(d, dispatcher, NULL, 0, claim_id), 1);
}

/* By a session that its owner gave up, and has claimed again since. */
static void what_goes_back_late_takes_no_later_claim_away(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid former;
	struct uuid present;

	fleet_submit(d, "'h'");
	fleet_claim(d, dispatcher, 1, &former);
	assert_int_equal(unknown(d, dispatcher, NULL, 0, former), 1);
	assert_int_equal(fleet_release(d, 1, former), 1);
	assert_int_equal(fleet_claim(d, dispatcher, 1, &present), 1);
	assert_int_equal(fleet_release(d, 1, former), 0);
	assert_true(fleet_start(d, 1, present));
	assert_int_equal(fleet_release(d, 1, former), 0);
	assert_sql(d, "active|2", "select state, claim_seq from locum.job");
}

/* What claim_look says of job 1 under this claim: "", "lost" or "cancelled". */
static const char *look(struct database *d, struct uuid claim_id)
{
	struct args args;
	PGresult *result;
	const char *said = "";

	args_init(&args);
	args_int8_array(&args, (const int64_t[]){ 1 }, 1);
	args_uuid_array(&args, &claim_id, 1);
	result = database_call(d, "claim_look", &args);
	if (rows_count(result) > 0) {
		assert_int_equal(rows_int(result, 0, 0), 1);
		assert_true(uuid_same(rows_uuid(result, 0, 1), claim_id));
		said = rows_bool(result, 0, 2) ? "lost" : "cancelled";
	}
	PQclear(result);
	return said;
}

static void a_claim_that_somebody_took_away_is_seen_to_be_lost(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct uuid claim_id;
	struct uuid later;

	fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, &claim_id);
	assert_string_equal(look(d, claim_id), "");
	database_do(d, "update locum.job set state = 'pending', lane = 0, claim_id = null, "
		       "incarnation = null, claimed_at = null");
	assert_string_equal(look(d, claim_id), "lost");
	fleet_claim_one(d, fleet_dispatcher(d), &later);
	assert_string_equal(look(d, claim_id), "lost");
	assert_string_equal(look(d, later), "");
	fleet_complete(
		d, dispatcher,
		&(struct fleet_outcome){ .id = 1, .claim_id = later, .outcome = "completed" });
	assert_string_equal(look(d, claim_id), "lost");
}

static void a_claim_whose_own_run_completed_the_job_is_not_lost(void **state)
{
	static const char *const KEPT[] = { "7 days", "0" };
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < 2; i++) {
		struct uuid claim_id;

		database_do(d, "update locum.queue set keep_finished = '%s'", KEPT[i]);
		database_do(d, "delete from locum.finished; delete from public.left_job; "
			       "alter table locum.job alter id restart");
		fleet_submit(d, "'h'");
		fleet_claim_one(d, dispatcher, &claim_id);
		database_do(d, "select locum.complete(1, '%s')", uuid_text(claim_id, text));
		assert_string_equal(look(d, claim_id), "");
	}
}

static void a_cancellation_is_seen_with_the_claim(void **state)
{
	struct database *d = *state;
	struct uuid claim_id;

	fleet_submit(d, "'h'");
	fleet_claim_one(d, fleet_dispatcher(d), &claim_id);
	database_do(d, "select locum.cancel(1)");
	assert_string_equal(look(d, claim_id), "cancelled");
	assert_string_equal(look(d, uuid_make()), "lost");
}

/* Its follow-up has a key that somebody else is about to submit; its neighbour waits for nobody. */
static void what_waits_for_somebodys_key_is_passed_over(void **state)
{
	struct database *d = *state;
	PGconn *other = database_connection(d);
	struct uuid dispatcher = fleet_dispatcher(d);
	struct args args;

	for (int i = 0; i < 2; i++) {
		struct uuid claim_id;
		int64_t id;

		fleet_submit(d, i == 0 ? "'h', on_interrupt => 'fail', \"then\" => "
					 "'{\"always\": {\"handler\": \"h\", \"key\": \"K\"}}'"
				       : "'h'");
		id = fleet_claim_one(d, dispatcher, &claim_id);
		assert_true(fleet_start(d, id, claim_id));
	}
	fleet_kill(d, dispatcher);
	PQclear(PQexec(other, "begin; select locum.submit('h', key => 'K')"));
	args_init(&args);
	args_uuid(&args, dispatcher);
	args_int4(&args, 10);
	args_int4(&args, 0);
	assert_null(database_try(d, "job_reclaim", &args));
	assert_string_equal(d->err.sqlstate, "55P03");
	assert_int_equal(fleet_reclaim_after(d, dispatcher, 10, 1), 1);
	assert_sql(d, "1|active\n2|pending", "select id, state from locum.job order by id");
	PQfinish(other);
	assert_int_equal(fleet_reclaim(d, dispatcher, 10), 1);
	assert_sql(d, "1|failed", "select id, state from locum.finished");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(an_assigned_job_goes_back_to_the_head_of_its_line),
		DATABASE_TEST(an_active_job_was_interrupted),
		DATABASE_TEST(an_active_job_under_hold_is_held),
		DATABASE_TEST(an_active_job_under_fail_fails),
		DATABASE_TEST(the_interruption_after_the_last_allowed_one_fails),
		DATABASE_TEST(a_job_that_was_to_be_cancelled_is),
		DATABASE_TEST(beside_a_job_on_probation_nobody_is_blamed),
		DATABASE_TEST(after_its_probation_all_are_blamed_alike),
		DATABASE_TEST(probation_grows_with_every_death),
		DATABASE_TEST(a_policy_against_a_second_run_holds_beside_a_suspect),
		DATABASE_TEST(it_goes_in_chunks),
		DATABASE_TEST(the_living_keep_their_jobs),
		DATABASE_TEST(a_job_that_somebody_holds_is_left_for_later),
		DATABASE_TEST(owners_that_are_not_alive_are_found),
		DATABASE_TEST(progress_is_written_on_the_certificate),
		DATABASE_TEST(claims_that_their_owner_does_not_know_go_back),
		DATABASE_TEST(what_goes_back_late_takes_no_later_claim_away),
		DATABASE_TEST(a_claim_that_somebody_took_away_is_seen_to_be_lost),
		DATABASE_TEST(a_claim_whose_own_run_completed_the_job_is_not_lost),
		DATABASE_TEST(a_cancellation_is_seen_with_the_claim),
		DATABASE_TEST(what_waits_for_somebodys_key_is_passed_over),
	};

	return cmocka_run_group_tests_name("reclaim", tests, database_open, database_close);
}
