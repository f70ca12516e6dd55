/*
 * A claim that is stolen while its run has finished and not committed yet: the table of effects, which is written
 * once per job whoever wins, is the witness. A deferred trigger on it holds the commit up at an advisory lock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/host_fixture.h"

static const char SETTING[] =
	"drop table if exists effect; create table effect (job bigint);"
	"create or replace function settle(job bigint, payload json) returns json language sql as "
	"$$ insert into effect values (job); select payload $$;"
	"create or replace function hold_up() returns trigger language plpgsql as "
	"$$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;"
	"create constraint trigger hold_up after insert on effect deferrable initially deferred "
	"for each row execute function hold_up()";

static void start(struct host_fixture *f, void **state)
{
	host_fixture_open(f, *state);
	host_fixture_deed(f, "effect");
	host_fixture_function(f, "settle", "public.settle");
	database_do(f->d, "%s", SETTING);
	host_fixture_start(f);
}

/* Sends a job, and returns when its run stands right before its commit. */
static struct wire_job run_to_commit(struct host_fixture *f, const char *handler)
{
	struct wire_job job = host_fixture_claim(f, handler, "{}");

	database_do(f->d, "select pg_advisory_lock(1)");
	host_fixture_send(f, &job, 1);
	while (database_int(f->d,
			    "select count(*) from pg_locks join pg_database on oid = database "
			    "where datname = current_database() and locktype = 'advisory' "
			    "and not granted") == 0) {
	}
	return job;
}

static void assert_done_once(struct host_fixture *f)
{
	assert_sql(f->d, "1|1|0",
		   "select (select count(*) from effect), (select count(*) from locum.finished "
		   "where state = 'completed'), (select count(*) from locum.job)");
}

/* The reaper finds the job locked, and so cannot take it. */
static void commit_before_the_reaper(void **state, const char *handler)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	job = run_to_commit(&f, handler);
	fleet_kill(f.d, f.dispatcher);
	assert_int_equal(fleet_reclaim(f.d, f.dispatcher, 10), 0);
	database_do(f.d, "select pg_advisory_unlock(1)");
	host_fixture_assert(host_fixture_outcome(&f, &job), VERDICT_SETTLED, NULL);
	assert_int_equal(fleet_reclaim(f.d, f.dispatcher, 10), 0);
	assert_done_once(&f);
	host_fixture_close(&f);
}

/* The reaper ends the connection, and a sibling runs the job: the first run has left nothing. */
static void commit_after_the_reaper(void **state, const char *handler)
{
	static const LargestIntegralType NOT_DONE[] = { VERDICT_INTERRUPTED, VERDICT_LOST };
	struct host_fixture f;
	struct wire_job stolen;
	struct wire_job job;
	struct uuid victim;
	struct args args;

	start(&f, state);
	victim = f.dispatcher;
	stolen = run_to_commit(&f, handler);
	fleet_kill(f.d, victim);
	args_init(&args);
	args_uuid(&args, victim);
	assert_int_equal(database_count(f.d, "backend_terminate", &args), 1);
	assert_int_equal(fleet_reclaim(f.d, victim, 10), 1);
	job = stolen;
	assert_int_equal(fleet_claim_one(f.d, fleet_dispatcher(f.d), &job.claim_id), job.id);
	database_do(f.d, "select pg_advisory_unlock(1)");
	/* What it says depends on when it asks; that it is done it must not say. */
	assert_in_set(host_fixture_outcome(&f, &stolen).verdict, NOT_DONE, 2);
	host_fixture_kill(&f);
	agent_events_fini(&f.events);
	agent_events_init(&f.events);
	host_fixture_start(&f);
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_SETTLED, NULL);
	assert_done_once(&f);
	host_fixture_close(&f);
}

static void a_plugin_that_finished_commits_before_its_claim_can_be_taken(void **state)
{
	commit_before_the_reaper(state, "effect");
}

static void a_function_that_finished_commits_before_its_claim_can_be_taken(void **state)
{
	commit_before_the_reaper(state, "settle");
}

static void effects_of_a_plugin_happen_once_when_its_claim_is_stolen_at_the_commit(void **state)
{
	commit_after_the_reaper(state, "effect");
}

static void effects_of_a_function_happen_once_when_its_claim_is_stolen_at_the_commit(void **state)
{
	commit_after_the_reaper(state, "settle");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_plugin_that_finished_commits_before_its_claim_can_be_taken),
		DATABASE_TEST(a_function_that_finished_commits_before_its_claim_can_be_taken),
		DATABASE_TEST(
			effects_of_a_plugin_happen_once_when_its_claim_is_stolen_at_the_commit),
		DATABASE_TEST(
			effects_of_a_function_happen_once_when_its_claim_is_stolen_at_the_commit),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
