/* Whole fleets with plugins and SQL functions: their effects happen exactly once, whoever dies. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/hosts.h"
#include "tests/support/scenario.h"

/* The table of effects, and handlers of both kinds that write to it. */
static void set_up(struct scenario *s)
{
	database_do(s->database, "drop schema if exists app cascade; create schema app; "
				 "drop table if exists effect; create table effect (job bigint)");
	database_do(s->database,
		    "create function app.settle(job bigint, payload json) returns json "
		    "language sql as $$ insert into public.effect values (job); select payload $$");
	database_do(s->database,
		    "create function app.raises(job bigint, payload json) returns json "
		    "language plpgsql as $$ begin raise 'boom' using detail = 'why'; end $$");
	hosts_plugin(s, "effect", "");
	hosts_plugin(s, "crash", "");
	hosts_plugin(s, "done", "");
	hosts_plugin(s, "echo", "");
	hosts_plugin(s, "effect_wait", "");
	hosts_function(s, "settle", "app.settle");
	hosts_function(s, "raises", "app.raises");
}

static void await_all_finished(struct scenario *s)
{
	scenario_await(s, "select not exists (select from locum.job)");
}

static void assert_effects_once(struct scenario *s, int jobs)
{
	struct database *d = s->database;

	assert_int_equal(database_int(d, "select count(*) from locum.finished "
					 "where state = 'completed'"),
			 jobs);
	assert_int_equal(database_int(d, "select count(*) from effect"), jobs);
	assert_int_equal(database_int(d, "select count(distinct job) from effect"), jobs);
}

static void plugins_and_functions_complete_their_jobs_with_their_effects(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database,
		    "select locum.submit(case when n %% 2 = 0 then 'effect' else 'settle' end,"
		    " to_json(n)) from generate_series(1, 500) n");
	scenario_submit(s, 500, "done");
	await_all_finished(s);
	assert_int_equal(database_int(s->database, "select count(*) from effect"), 500);
	assert_sql(s->database, "completed|1000",
		   "select state, count(*) from locum.finished group by 1");
	assert_sql(s->database, "500|500",
		   "select count(*) filter (where result is not null), count(*) filter (where "
		   "result is null) from locum.finished");
}

static void hosts_use_the_database_that_is_theirs(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	database_do(
		s->database,
		"create function app.who(job bigint, payload json) returns json language sql as "
		"$$ select to_json(current_setting('app.tag', true)) $$");
	hosts_function(s, "who", "app.who");
	scenario_start(s, "one", "host_database = \"%s options='-c app.tag=host'\"\n",
		       s->database->conninfo);
	scenario_submit(s, 1, "who");
	await_all_finished(s);
	assert_sql(s->database, "completed|\"host\"", "select state, result from locum.finished");
}

static void an_error_of_a_function_is_kept_with_its_job(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('raises', max_attempts => 1)");
	await_all_finished(s);
	assert_sql(s->database, "failed|boom (SQLSTATE P0001) DETAIL: why",
		   "select state, error from locum.finished");
}

/* Jobs that take no time: one connection cannot keep up, and a second one goes beside it. */
static void connections_that_break_under_the_highest_load_lose_nothing(void **state)
{
	enum { JOBS = 40000, STEP = 5000 };
	struct scenario *s = *state;

	set_up(s);
	database_do(s->database,
		    "select locum.submit_many((select array_agg('{\"handler\": "
		    "\"done\"}'::json) from generate_series(1, %d)))",
		    JOBS);
	scenario_start(s, "one", "%s", "");
	scenario_await(s, "select count(*) = 2 from pg_stat_activity where datname = "
			  "current_database() and application_name like 'locum/pump/%%'");
	for (int done = STEP; done < JOBS; done += STEP) {
		scenario_await(s, "select count(*) >= %d from locum.finished", done);
		database_do(s->database, "select pg_terminate_backend(pid) from pg_stat_activity "
					 "where datname = current_database() and application_name "
					 "like 'locum/pump/%%' order by random() limit 1");
	}
	await_all_finished(s);
	assert_sql(s->database, "40000|40000|0",
		   "select count(*), count(distinct id), sum(interruptions + recoveries) "
		   "from locum.finished where state = 'completed'");
}

static void a_mebibyte_passes_a_plugin_whole(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit(h, to_json(repeat('x', 1048574))) "
				 "from unnest(array['echo', 'settle']) h, generate_series(1, 10)");
	await_all_finished(s);
	assert_sql(s->database, "20",
		   "select count(*) from locum.finished where result::text = payload::text "
		   "and octet_length(result::text) = 1048576");
}

/*
 * Each handler with jobs left completes one. Kills without that in between would make its breaker wait longer
 * each time, up to a minute.
 */
static void await_progress(struct scenario *s)
{
	char since[64];

	snprintf(since, sizeof(since), "%s",
		 database_text(s->database, "select clock_timestamp()"));
	scenario_await(s,
		       "select not exists (select from (select distinct handler from locum.job) j "
		       "where not exists (select from locum.finished f "
		       "where f.handler = j.handler and f.finished_at > '%s'))",
		       since);
}

static void effects_happen_once_while_hosts_are_killed(void **state)
{
	enum { JOBS = 4000, KILLS = 25 };
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t hosts[HOSTS_MAX];
	pid_t agent;
	int killed = 0;

	set_up(s);
	daemon = scenario_start(s, "one", "%s", "");
	agent = scenario_agent(s, daemon);
	database_do(s->database,
		    "select locum.submit(case when n %% 2 = 0 then 'effect' else 'settle' end, "
		    "max_attempts => 1000) from generate_series(1, %d) n",
		    JOBS);
	while (killed < KILLS && database_int(s->database, "select count(*) from locum.job") > 0) {
		size_t count = hosts_find(agent, hosts);

		if (count > 0)
			killed += kill(hosts[(size_t)random() % count], SIGKILL) == 0;
		await_progress(s);
	}
	assert_true(killed > 1);
	await_all_finished(s);
	assert_effects_once(s, JOBS);
}

static void effects_happen_once_when_the_dispatcher_is_killed(void **state)
{
	enum { JOBS = 3000 };
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	set_up(s);
	victim = scenario_start(s, "one", "%s", "");
	scenario_submit(s, JOBS / 2, "effect");
	scenario_submit(s, JOBS / 2, "settle");
	scenario_await(s, "select count(*) > 50 from effect");
	scenario_kill(s, victim);
	scenario_start(s, "two", "%s", "");
	await_all_finished(s);
	assert_effects_once(s, JOBS);
}

/* Dispatcher, agent and host stand still behind the gate: siblings end the connection, then do the job. */
static void a_silent_fleets_gate_does_not_keep_its_job_for_ever(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;
	pid_t hosts[HOSTS_MAX];
	pid_t agent;

	set_up(s);
	victim = scenario_start(s, "one", "%s", "");
	agent = scenario_agent(s, victim);
	database_do(s->database, "select pg_advisory_lock(1)");
	scenario_submit(s, 1, "effect_wait");
	scenario_await(s, "select exists (select from pg_locks where locktype = 'advisory' "
			  "and not granted)");
	assert_int_equal(hosts_find(agent, hosts), 1);
	kill(hosts[0], SIGSTOP);
	kill(agent, SIGSTOP);
	scenario_freeze(s, victim);
	scenario_start(s, "two", "%s", "");
	scenario_await(s, "select exists (select from locum.job where claim_seq = 2)");
	database_do(s->database, "select pg_advisory_unlock(1)");
	await_all_finished(s);
	kill(hosts[0], SIGCONT);
	kill(agent, SIGCONT);
	scenario_thaw(s, victim);
	scenario_await_logged(s, victim, 1, "was reassigned");
	assert_effects_once(s, 1);
}

static void a_plugin_that_crashes_harms_no_other_job(void **state)
{
	struct scenario *s = *state;

	set_up(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database,
		    "select locum.submit(case when n = 250 then 'crash' else 'done' end, "
		    "max_attempts => 1) from generate_series(1, 500) n");
	await_all_finished(s);
	assert_sql(s->database, "completed|499\nfailed|1",
		   "select state, count(*) from locum.finished group by 1 order by 1");
	assert_sql(s->database, "its plugin host was killed by signal 11 (Segmentation fault)",
		   "select error from locum.finished where state = 'failed'");
}

static void a_drain_waits_for_a_running_plugin(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	set_up(s);
	hosts_plugin(s, "busy", "");
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('busy', '500')");
	scenario_await(s, "select exists (select from locum.job where state = 'active')");
	scenario_drain(s, daemon);
	assert_sql(s->database, "completed|0", "select state, interruptions from locum.finished");
}

enum { ROWS = 1000, BAD_ROW = 613 };

static void refuse_one_row(struct scenario *s, const char *sqlstate)
{
	database_do(
		s->database,
		"create or replace function public.refuse() returns trigger language plpgsql as "
		"$$ begin if new.id = %d and new.state = 'completed' then raise 'no' "
		"using errcode = '%s'; end if; return new; end $$",
		BAD_ROW, sqlstate);
	database_do(s->database, "create trigger refuse before insert on locum.finished "
				 "for each row execute function public.refuse()");
}

static void assert_one_row_fails_alone(struct scenario *s, const char *sqlstate)
{
	struct scenario_daemon *daemon;

	set_up(s);
	refuse_one_row(s, sqlstate);
	database_do(s->database,
		    "select locum.submit('done', max_attempts => 1) from generate_series(1, %d)",
		    ROWS);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_await_finished(s, ROWS - 1, "completed");
	scenario_await_finished(s, 1, "failed");
	assert_int_equal(
		database_int(s->database, "select id from locum.finished where state = 'failed'"),
		BAD_ROW);
	/* The others were taken apart from it, not tried again. */
	assert_sql(s->database, "1|0",
		   "select distinct claim_seq, interruptions from locum.finished "
		   "where state = 'completed'");
	scenario_drain(s, daemon);
	database_do(s->database, "drop trigger refuse on locum.finished");
}

static void a_value_that_the_server_refuses_fails_alone_among_a_thousand(void **state)
{
	assert_one_row_fails_alone(*state, "22023");
}

/* As a damaged row, or a trigger of somebody's. */
static void a_row_that_the_server_fails_at_fails_alone_among_a_thousand(void **state)
{
	assert_one_row_fails_alone(*state, "XX001");
}

/* Whose fault it is shows when others are accepted: none is. */
static void what_no_completion_can_be_stored_for_is_stored_when_one_can(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	set_up(s);
	database_do(s->database,
		    "create or replace function public.refuse() returns trigger language "
		    "plpgsql as $$ begin raise 'no'; end $$; create trigger refuse before "
		    "insert on locum.finished for each row execute function public.refuse()");
	database_do(s->database, "select locum.submit('done', max_attempts => 1)");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_await_logged(s, daemon, LIMIT_CONFLICTS + 2,
			      "a completion failed and comes again");
	database_do(s->database, "drop trigger refuse on locum.finished");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|0", "select claim_seq, interruptions from locum.finished");
	scenario_drain(s, daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(plugins_and_functions_complete_their_jobs_with_their_effects),
		SCENARIO_CALM_TEST(hosts_use_the_database_that_is_theirs),
		SCENARIO_CALM_TEST(an_error_of_a_function_is_kept_with_its_job),
		SCENARIO_TEST(connections_that_break_under_the_highest_load_lose_nothing),
		SCENARIO_CALM_TEST(a_mebibyte_passes_a_plugin_whole),
		SCENARIO_CALM_TEST(effects_happen_once_while_hosts_are_killed),
		SCENARIO_TEST(effects_happen_once_when_the_dispatcher_is_killed),
		SCENARIO_TEST(a_silent_fleets_gate_does_not_keep_its_job_for_ever),
		SCENARIO_CALM_TEST(a_plugin_that_crashes_harms_no_other_job),
		SCENARIO_CALM_TEST(a_drain_waits_for_a_running_plugin),
		SCENARIO_CALM_TEST(a_value_that_the_server_refuses_fails_alone_among_a_thousand),
		SCENARIO_CALM_TEST(a_row_that_the_server_fails_at_fails_alone_among_a_thousand),
		SCENARIO_CALM_TEST(what_no_completion_can_be_stored_for_is_stored_when_one_can),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
