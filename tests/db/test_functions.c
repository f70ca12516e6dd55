#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* A dispatcher that holds job 1, and the claim as text. */
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
	uuid_text(scene.end.claim_id, scene.claim);
	return scene;
}

static const char REASSIGNED[] = "LC001 job was reassigned|Job 1 is no longer held by this claim.";

/* --- locum.complete ---------------------------------------------------------------------------- */

static void a_handlers_writes_and_its_completion_are_one_transaction(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	database_do(d, "create table if not exists public.effect (n int)");
	database_do(
		d,
		"begin; insert into public.effect values (1); select locum.complete(1, '%s', '[1]')",
		scene.claim);
	database_do(d, "rollback");
	assert_sql(d, "assigned|0",
		   "select state, (select count(*) from public.effect) from locum.job");
	database_do(d,
		    "begin; insert into public.effect values (1); "
		    "select locum.complete(1, '%s', '[1]'); commit",
		    scene.claim);
	assert_sql(d, "completed|[1]|1|1|t",
		   "select state, result, attempt, (select count(*) from public.effect), "
		   "started_at is not null from locum.finished");
	database_do(d, "drop table public.effect");
}

static void a_reassigned_handlers_writes_roll_back(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	fleet_kill(d, scene.dispatcher);
	fleet_reclaim(d, scene.dispatcher, 1);
	fleet_claim_one(d, fleet_dispatcher(d), NULL);
	database_do(d, "create table public.effect (n int)");
	database_do(d, "begin; insert into public.effect values (1)");
	assert_refused(d, REASSIGNED, "select locum.complete(1, '%s')", scene.claim);
	database_do(d, "commit"); /* an aborted transaction: rolls back */
	assert_sql(d, "0|assigned",
		   "select (select count(*) from public.effect), state from locum.job");
	database_do(d, "drop table public.effect");
}

static void completing_again_is_harmless(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	for (int i = 0; i < 2; i++)
		database_do(d, "select locum.complete(1, '%s', '%d')", scene.claim, i);
	assert_sql(d, "0", "select result from locum.finished");
}

static void a_job_that_was_failed_under_the_claim_is_not_completed(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	scene.end.outcome = "failed";
	fleet_complete(d, scene.dispatcher, &scene.end);
	assert_refused(d, REASSIGNED, "select locum.complete(1, '%s')", scene.claim);
	assert_sql(d, "failed", "select state from locum.finished");
}

static void no_claim_completes_nothing(void **state)
{
	struct database *d = *state;

	claimed(d, "'h'");
	fleet_submit(d, "'h'");
	assert_refused(d, REASSIGNED, "select locum.complete(1, null)");
	assert_refused(d, "LC001 job was reassigned|Job 2 is no longer held by this claim.",
		       "select locum.complete(2, null)");
	assert_sql(d, "2", "select count(*) from locum.job");
}

/* --- locum.cancel ------------------------------------------------------------------------------ */

static void what_is_not_claimed_is_cancelled_at_once(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', key => 'k'");
	fleet_submit(d, "'h', delay => '1 h'");
	assert_sql(d, "t|t", "select locum.cancel(1), locum.cancel(2)");
	assert_sql(
		d,
		"1|cancelled|0|cancelled before it started\n2|cancelled|0|cancelled before it started",
		"select id, state, attempt, error from locum.finished order by id");
	assert_sql(d, "0", "select count(*) from locum.job");
}

static void a_claimed_job_is_asked_to_end(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");
	char expected[128];
	char text[UUID_TEXT_SIZE];

	assert_sql(d, "t", "select locum.cancel(1)");
	assert_sql(d, "assigned|t", "select state, cancel_requested from locum.job");
	snprintf(expected, sizeof(expected), "%s|1|%s|cancel", uuid_text(scene.dispatcher, text),
		 scene.claim);
	assert_sql(d, expected, "select incarnation, job_id, claim_id, kind from locum.signal");
	assert_true(fleet_start(d, 1, scene.end.claim_id));
}

static void a_living_dispatcher_is_asked_to_drain_once(void **state)
{
	struct database *d = *state;
	struct uuid living = fleet_dispatcher(d);
	char expected[128];
	char text[UUID_TEXT_SIZE];

	assert_sql(d, "t|t", "select locum.drain(id), locum.drain(id) from locum.dispatcher");
	snprintf(expected, sizeof(expected), "%s|t|t|drain", uuid_text(living, text));
	assert_sql(d, expected,
		   "select incarnation, job_id is null, claim_id is null, kind from locum.signal");
	database_do(d, "delete from locum.signal");
	database_do(d, "update locum.dispatcher set state = 'draining'");
	assert_sql(d, "t", "select locum.drain(id) from locum.dispatcher");
	assert_sql(d, "0", "select count(*) from locum.signal");
	database_do(d, "update locum.dispatcher set state = 'dead'");
	assert_sql(d, "f|f",
		   "select locum.drain(id), locum.drain(gen_random_uuid()) from locum.dispatcher");
}

static void what_is_finished_or_never_was_cannot_be_cancelled(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");

	scene.end.outcome = "completed";
	fleet_complete(d, scene.dispatcher, &scene.end);
	assert_sql(d, "f|f", "select locum.cancel(1), locum.cancel(4711)");
	assert_sql(d, "completed", "select state from locum.finished");
}

/* --- locum.retry ------------------------------------------------------------------------------- */

static void a_finished_job_is_done_again_as_a_new_one(void **state)
{
	struct database *d = *state;
	struct scene scene =
		claimed(d, "'h', ' [1]', priority => 2, max_attempts => 3, key => 'k', "
			   "timeout => '4 s', on_interrupt => 'hold', traceparent => 't'");

	scene.end.outcome = "failed";
	fleet_complete(d, scene.dispatcher, &scene.end);
	assert_sql(d, "2", "select locum.retry(1)");
	assert_sql(
		d, "2|1|pending|1|2|0|3|h|k|4000|hold|t| [1]",
		"select id, retry_of, state, lane, priority, attempt, max_attempts, handler, key, "
		"timeout_ms, on_interrupt, traceparent, payload from locum.job");
	assert_sql(d, "failed", "select state from locum.finished");
	assert_refused(d, "23505 an unfinished job of the same queue has the key \"k\"",
		       "select locum.retry(1)");
}

static void what_is_not_finished_cannot_be_done_again(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	assert_sql(d, "-|-", "select locum.retry(1), locum.retry(4711)");
}

/* --- views ------------------------------------------------------------------------------------- */

static void the_views_have_the_columns_that_outsiders_rely_on(void **state)
{
	static const char *const PROMISED[][2] = {
		{ "jobs",
		  "id,queue,handler,state,priority,attempt,interruptions,payload,result,error,key,"
		  "submitted_by,created_at,run_at,started_at,finished_at,dispatcher_id,claim_id" },
		{ "dispatchers", "id,incarnation,host,pid,state,last_ping" },
		{ "queues", "name" },
		{ "deaths",
		  "victim_id,victim_incarnation,declared_by,declared_at,last_ping,evidence,"
		  "returned_at" },
	};
	struct database *d = *state;

	for (size_t i = 0; i < 4; i++)
		assert_sql(
			d, "-",
			"select string_agg(name, ',') from regexp_split_to_table('%s', ',') as name "
			"where name not in (select attname from pg_attribute "
			"where attrelid = 'locum.%s'::regclass)",
			PROMISED[i][1], PROMISED[i][0]);
	assert_sql(d, "json|json",
		   "select pg_typeof(payload), pg_typeof(result) from "
		   "(values (1)) as one left join locum.jobs on true");
}

static void the_jobs_view_joins_unfinished_and_finished(void **state)
{
	struct database *d = *state;
	struct scene scene = claimed(d, "'h'");
	char text[UUID_TEXT_SIZE];

	fleet_submit(d, "'h', queue => 'mail'");
	fleet_start(d, 1, scene.end.claim_id);
	assert_int_equal(
		database_int(d,
			     "select count(*) from locum.jobs j join locum.dispatcher d "
			     "on d.id = j.dispatcher_id where j.id = 1 and j.attempt = 1 and "
			     "j.state = 'active' and d.incarnation = '%s'",
			     uuid_text(scene.dispatcher, text)),
		1);
	scene.end.outcome = "completed";
	scene.end.result = "7";
	fleet_complete(d, scene.dispatcher, &scene.end);
	assert_sql(
		d, "1|default|completed|1|7|t\n2|mail|pending|0|-|f",
		"select id, queue, state, attempt, result, finished_at is not null from locum.jobs "
		"order by id");
}

static void the_dispatchers_view_shows_the_latest_incarnation(void **state)
{
	struct database *d = *state;
	struct fleet_birth birth = { .id = uuid_make(), .incarnation = uuid_make() };

	PQclear(fleet_register(d, &birth));
	fleet_kill(d, birth.incarnation);
	assert_sql(d, "dead|t|0",
		   "select state, last_ping is not null, claimed from locum.dispatchers");
	birth.incarnation = uuid_make();
	PQclear(fleet_register(d, &birth));
	fleet_submit(d, "'h'");
	fleet_claim_one(d, birth.incarnation, NULL);
	assert_sql(d, "running|t|1",
		   "select state, last_ping is not null, claimed from locum.dispatchers");
}

static void the_queues_view_counts(void **state)
{
	struct database *d = *state;

	database_do(d, "select locum.submit('h') from generate_series(1, 3)");
	fleet_submit(d, "'h', delay => '1 h'");
	fleet_claim_one(d, fleet_dispatcher(d), NULL);
	assert_sql(d, "default|2|1|1|0",
		   "select name, pending, scheduled, claimed, held from locum.queues");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_handlers_writes_and_its_completion_are_one_transaction),
		DATABASE_TEST(a_reassigned_handlers_writes_roll_back),
		DATABASE_TEST(completing_again_is_harmless),
		DATABASE_TEST(a_job_that_was_failed_under_the_claim_is_not_completed),
		DATABASE_TEST(no_claim_completes_nothing),
		DATABASE_TEST(what_is_not_claimed_is_cancelled_at_once),
		DATABASE_TEST(a_claimed_job_is_asked_to_end),
		DATABASE_TEST(a_living_dispatcher_is_asked_to_drain_once),
		DATABASE_TEST(what_is_finished_or_never_was_cannot_be_cancelled),
		DATABASE_TEST(a_finished_job_is_done_again_as_a_new_one),
		DATABASE_TEST(what_is_not_finished_cannot_be_done_again),
		DATABASE_TEST(the_views_have_the_columns_that_outsiders_rely_on),
		DATABASE_TEST(the_jobs_view_joins_unfinished_and_finished),
		DATABASE_TEST(the_dispatchers_view_shows_the_latest_incarnation),
		DATABASE_TEST(the_queues_view_counts),
	};

	return cmocka_run_group_tests_name("functions", tests, database_open, database_close);
}
