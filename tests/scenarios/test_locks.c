/* Rows that somebody holds locked, for as long as they like, hold up nobody else's jobs. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/database.h"
#include "tests/support/hosts.h"
#include "tests/support/scenario.h"

/* What the others may need while somebody is held up: far less than he is. */
enum { NEIGHBOURS = 3 };
enum { QUICK_MS = 20000 };

/* Functions that stand at an advisory lock, sleep, and cannot be told to stop. */
static void set_up(struct scenario *s)
{
	database_do(s->database, "drop schema if exists app cascade; create schema app; "
				 "drop table if exists effect; create table effect (job bigint)");
	database_do(s->database,
		    "create function app.waits(job bigint, payload json) returns json "
		    "language sql as $$ insert into public.effect values (job); "
		    "select pg_advisory_lock_shared(1); select pg_advisory_unlock_shared(1); "
		    "select payload $$");
	database_do(s->database,
		    "create function app.sleeps(job bigint, payload json) returns json "
		    "language sql as $$ insert into public.effect values (job); "
		    "select pg_sleep(60); select payload $$");
	database_do(s->database,
		    "create function app.deaf(job bigint, payload json) returns json "
		    "language plpgsql as $$ declare began timestamptz := clock_timestamp(); begin "
		    "insert into public.effect values (job); "
		    "while clock_timestamp() < began + interval '60 s' loop "
		    "begin perform pg_sleep(60); exception when query_canceled then null; end; "
		    "end loop; return payload; end $$");
	hosts_function(s, "waits", "app.waits");
	hosts_function(s, "sleeps", "app.sleeps");
	hosts_function(s, "deaf", "app.deaf");
	hosts_plugin(s, "effect_slow", "");
	scenario_handler(s, "quick", "", "note run");
}

static void await_sleeper(struct scenario *s)
{
	scenario_await(s, "select exists (select from pg_stat_activity where "
			  "datname = current_database() and wait_event = 'PgSleep')");
}

/* One more job of another handler, from submission to its end. */
static void assert_others_are_served(struct scenario *s)
{
	int64_t began_ms = clock_monotonic_ms();
	int64_t job = database_int(s->database, "select locum.submit('quick')");

	scenario_await(s, "select exists (select from locum.finished where id = %lld)",
		       (long long)job);
	assert_true(clock_monotonic_ms() - began_ms < QUICK_MS);
}

static void assert_soon(struct scenario *s, const char *condition)
{
	int64_t began_ms = clock_monotonic_ms();

	scenario_await(s, "%s", condition);
	assert_true(clock_monotonic_ms() - began_ms < QUICK_MS);
}

/* A shared lock is what the function wants; this keeps it from that. */
static void a_function_that_runs_long_holds_up_no_other_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	set_up(s);
	daemon = scenario_start(s, "one", "%s", "drain_timeout = \"20s\"");
	database_do(s->database, "select pg_advisory_lock(1)");
	scenario_submit(s, 2, "waits");
	scenario_await(s, "select exists (select from pg_locks join pg_database on oid = database "
			  "where datname = current_database() and locktype = 'advisory' "
			  "and not granted)");
	/* Longer than a start needs to be written. */
	for (int i = 0; i < 3; i++) {
		scenario_await(s,
			       "select clock_timestamp() > max(claimed_at) + interval '%d ms' "
			       "from locum.job",
			       400 * (i + 1));
		assert_others_are_served(s);
	}
	assert_int_equal(scenario_logged(s, daemon, "connection to the database lost"), 0);
	database_do(s->database, "select pg_advisory_unlock(1)");
	scenario_await(s, "select not exists (select from locum.job)");
	assert_sql(s->database, "2|2", "select count(*), count(distinct job) from effect");
}

static void assert_cancelled(struct scenario *s, const char *handler)
{
	int64_t began_ms = clock_monotonic_ms();

	scenario_submit(s, 1, handler);
	await_sleeper(s);
	began_ms = clock_monotonic_ms();
	assert_sql(s->database, "t", "select locum.cancel(id) from locum.job");
	assert_true(clock_monotonic_ms() - began_ms < QUICK_MS);
	assert_soon(s, "select not exists (select from locum.job)");
	assert_sql(s->database, "cancelled|0",
		   "select state, (select count(*) from effect) from locum.finished "
		   "order by id desc limit 1");
}

static void a_job_that_holds_its_gate_is_cancelled(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	assert_cancelled(s, "sleeps");
	assert_cancelled(s, "effect_slow");
}

/* It goes on whatever happens, so that its host is killed for it; then its backend must go as well. */
static void a_function_that_does_not_hear_is_cancelled_all_the_same(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	assert_cancelled(s, "deaf");
	assert_others_are_served(s);
}

/* Kills the host in the middle of a statement and checks that the job is with another one soon. */
static void a_killed_host_leaves_no_lock_behind(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t hosts[HOSTS_MAX];

	set_up(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "sleeps");
	await_sleeper(s);
	assert_int_equal(hosts_find(scenario_agent(s, daemon), hosts), 1);
	kill(hosts[0], SIGKILL);
	assert_soon(s, "select exists (select from locum.job where attempt = 1 "
		       "and state = 'scheduled')");
	assert_true(scenario_logged(s, daemon, "connections of runs that are over were ended") > 0);
	assert_others_are_served(s);
	assert_sql(s->database, "0", "select count(*) from effect");
}

static void a_killed_agent_leaves_no_lock_behind(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	set_up(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "sleeps");
	await_sleeper(s);
	kill(scenario_agent(s, daemon), SIGKILL);
	assert_soon(s, "select exists (select from locum.job where recoveries = 1)");
	assert_others_are_served(s);
	assert_int_equal(scenario_logged(s, daemon, "connection to the database lost"), 0);
}

static void a_function_past_its_timeout_that_does_not_hear_is_tried_again(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('deaf', timeout => '300 ms', "
				 "max_attempts => 1)");
	await_sleeper(s);
	assert_soon(s, "select exists (select from locum.finished where state = 'failed')");
	assert_others_are_served(s);
	assert_sql(s->database, "0", "select count(*) from effect");
}

/* A user's transaction has completed the job and stays open; the handler's own outcome must wait, alone. */
static void a_completion_in_an_open_transaction_holds_up_no_other_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int64_t job;

	set_up(s);
	scenario_gate(s, "gate");
	scenario_handler(s, "gated", "", "begin; gate gate");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "gated");
	scenario_await_noted(s, 1, "start");
	job = database_int(s->database, "select id from locum.job");
	database_do(s->database, "begin");
	database_do(s->database,
		    "select locum.complete(id, claim_id, '\"own\"') from locum.job where id = %lld",
		    (long long)job);
	scenario_let(s, "gate", 1);
	scenario_await_noted(s, 0, "start");
	{
		PGconn *other = database_connection(s->database);

		for (int i = 0; i < 3; i++) {
			int64_t began_ms = clock_monotonic_ms();
			bool served = false;

			PQclear(PQexec(other, "select locum.submit('quick')"));
			while (!served && scenario_pause(began_ms + QUICK_MS)) {
				PGresult *rows = PQexec(other,
							"select from locum.finished where handler "
							"= 'quick'");

				served = PQntuples(rows) == i + 1;
				PQclear(rows);
			}
			assert_true(served);
		}
		PQfinish(other);
	}
	database_do(s->database, "commit");
	scenario_await(s, "select not exists (select from locum.job)");
	assert_sql(s->database, "completed|\"own\"",
		   "select state, result from locum.finished where id = %lld", (long long)job);
	assert_int_equal(scenario_logged(s, daemon, "connection to the database lost"), 0);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
}

/* The sibling would wait for an answer for an hour. */
static void a_key_in_an_open_transaction_holds_up_no_neighbour_of_the_dead(void **state)
{
	struct scenario *s = *state;
	PGconn *other = database_connection(s->database);
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	database_do(s->database, "select locum.submit('gated', on_interrupt => 'fail', \"then\" => "
				 "'{\"always\": {\"handler\": \"quick\", \"key\": \"K\"}}')");
	scenario_submit(s, NEIGHBOURS, "gated");
	scenario_await_active(s, 1 + NEIGHBOURS);
	PQclear(PQexec(other, "begin; select locum.submit('quick', key => 'K')"));
	scenario_start(s, "sibling",
		       "ping_death_interval = \"1h\" agent \"main\" { queues = {\"other\"} }");
	scenario_kill(s, victim);
	scenario_await(s, "select count(*) = %d from locum.job where state = 'pending'",
		       NEIGHBOURS);
	assert_sql(s->database, "1|active",
		   "select id, state from locum.job where state <> 'pending'");
	PQfinish(other);
	scenario_await_finished(s, 1, "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_function_that_runs_long_holds_up_no_other_job),
		SCENARIO_CALM_TEST(a_job_that_holds_its_gate_is_cancelled),
		SCENARIO_CALM_TEST(a_function_that_does_not_hear_is_cancelled_all_the_same),
		SCENARIO_CALM_TEST(a_killed_host_leaves_no_lock_behind),
		SCENARIO_CALM_TEST(a_killed_agent_leaves_no_lock_behind),
		SCENARIO_CALM_TEST(a_function_past_its_timeout_that_does_not_hear_is_tried_again),
		SCENARIO_CALM_TEST(a_completion_in_an_open_transaction_holds_up_no_other_job),
		SCENARIO_TEST(a_key_in_an_open_transaction_holds_up_no_neighbour_of_the_dead),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
