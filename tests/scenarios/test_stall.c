/* A server that answers late: its disk stands still, or somebody has locked what everybody needs. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/command.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"
#include "tests/support/scenario_server.h"

enum { JOBS = 4, STALL_MS = 2 * SCENARIO_DEATH_MS };

static void start_pair(struct scenario *s, struct scenario_daemon *fleet[2])
{
	scenario_gated(s);
	fleet[0] = scenario_start(s, "one", "%s", "");
	fleet[1] = scenario_start(s, "two", "%s", "");
	scenario_submit(s, JOBS, "gated");
	scenario_await_active(s, JOBS);
}

/* From now on each write of these backends to the disk takes that long. */
static void slow_down(struct scenario *s, struct command *strace)
{
	char inject[96];
	char pid[2][16];

	snprintf(inject, sizeof(inject), "--inject=fdatasync,fsync:delay_enter=%d",
		 STALL_MS * 1000);
	for (int i = 0; i < 2; i++)
		snprintf(pid[i], sizeof(pid[i]), "%d",
			 (int)database_int(s->database,
					   "select pid from pg_stat_activity where datname = "
					   "current_database() and application_name like "
					   "'locum/pump/%%' order by pid offset %d limit 1",
					   i));
	command_init(strace, "/usr/bin/strace");
	command_add(strace, "-o", "/dev/null", "-e", "trace=fdatasync,fsync", inject, "-p", pid[0],
		    "-p", pid[1], NULL);
	command_start(strace);
	for (int i = 0; i < 2; i++) {
		char attached[48];

		snprintf(attached, sizeof(attached), "Process %s attached", pid[i]);
		command_await_said(strace, attached);
	}
}

static void a_disk_that_stands_still_keeps_no_ping_from_arriving(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *fleet[2];
	struct command strace;
	int64_t seq;

	database_do(s->database, "alter system set fsync = on");
	assert_sql(s->database, "t", "select pg_reload_conf()");
	scenario_await(s, "select current_setting('fsync') = 'on'");
	start_pair(s, fleet);
	slow_down(s, &strace);
	scenario_let(s, "gate", JOBS);
	scenario_await(
		s, "select exists (select from pg_stat_activity where wait_event = 'WALSync' and "
		   "application_name like 'locum/pump/%%')");
	seq = database_int(s->database, "select min(seq) from locum.dispatcher_ping");
	scenario_await_finished(s, JOBS, "completed");
	/* A disk that waits is waited for, not pinged for: half of the pings of that time would do. */
	assert_in_range(database_int(s->database, "select min(seq) from locum.dispatcher_ping") -
				seq,
			STALL_MS / SCENARIO_PING_MS / 2, INT64_MAX);
	kill(strace.pid, SIGTERM);
	command_finish(&strace);
	command_fini(&strace);
	scenario_await(s, "select count(*) = 0 from locum.job");
	scenario_assert_done_once(s, JOBS);
	assert_int_equal(scenario_noted(s, "start "), JOBS);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scenario_logged(s, fleet[i], "ping failed"), 0);
		scenario_drain(s, fleet[i]);
	}
}

static void await_three_death_intervals(struct scenario *s, const PGconn *holder)
{
	scenario_await(s,
		       "select clock_timestamp() - xact_start > interval '%d ms' "
		       "from pg_stat_activity where pid = %d",
		       3 * SCENARIO_DEATH_MS, PQbackendPID(holder));
}

/* Nobody can ping: all handlers are fenced, and when the lock goes nobody accuses anybody. */
static void assert_a_lock_kills_nobody(struct scenario *s, const char *lock)
{
	struct scenario_daemon *fleet[2];
	PGconn *holder = database_connection(s->database);

	start_pair(s, fleet);
	PQclear(PQexec(holder, "begin"));
	PQclear(PQexec(holder, lock));
	scenario_await_first_runs_gone(s, 1, JOBS);
	await_three_death_intervals(s, holder);
	PQfinish(holder);
	scenario_await_noted(s, 2 * JOBS, "start ");
	scenario_let(s, "gate", JOBS);
	scenario_await_finished(s, JOBS, "completed");
	scenario_assert_done_once(s, JOBS);
	/* On a busy machine a ping may be late once more. */
	assert_sql(
		s->database, "t|0|0",
		"select min(interruptions) > 0, max(recoveries), (select count(*) from locum.death) "
		"from locum.finished");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scenario_logged(s, fleet[i], "dispatcher registered"), 1);
		scenario_drain(s, fleet[i]);
	}
}

static void a_lock_on_the_pings_fences_all_and_kills_nobody(void **state)
{
	assert_a_lock_kills_nobody(*state, "lock table locum.dispatcher_ping");
}

/* Siblings can still be watched. */
static void a_lock_that_lets_pings_be_read_kills_nobody(void **state)
{
	assert_a_lock_kills_nobody(*state, "lock table locum.dispatcher_ping in share mode");
}

static void locked_rows_of_pings_kill_nobody(void **state)
{
	assert_a_lock_kills_nobody(*state, "select from locum.dispatcher_ping for update");
}

/* Of the only dispatcher. */
static void await_pings(struct scenario *s, int count)
{
	int64_t seq = database_int(s->database, "select seq from locum.dispatcher_ping");

	scenario_await(s, "select seq >= %lld from locum.dispatcher_ping", (long long)seq + count);
}

/* For how long it waited is not for how long it looked: it looks again from the head of the line, and does not take what no
 * job had yet for the id of one that it has passed. */
static void the_first_job_after_a_lock_on_all_jobs_is_not_passed_over(void **state)
{
	struct scenario *s = *state;
	PGconn *holder = database_connection(s->database);
	struct scenario_daemon *one;

	scenario_gated(s);
	one = scenario_start(s, "one", "poll_interval = \"1s\" ping_death_interval = \"1h\"");
	await_pings(s, 10);
	PQclear(PQexec(holder, "begin; lock table locum.job"));
	scenario_await(s, "select exists (select from pg_stat_activity where wait_event_type = "
			  "'Lock' and application_name like 'locum/pump/%%')");
	await_pings(s, 10);
	PQfinish(holder);
	await_pings(s, 10);
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, one);
}

/* They are no part of it, and are read again when they can be. */
static void signals_that_cannot_be_read_make_no_ping_fail(void **state)
{
	struct scenario *s = *state;
	PGconn *holder = database_connection(s->database);
	struct scenario_daemon *one;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	PQclear(PQexec(holder, "begin; lock table locum.signal"));
	scenario_await_logged(s, one, 1, "signals cannot be read; pings go on");
	await_pings(s, 2);
	PQfinish(holder);
	scenario_await_logged(s, one, 1, "signals are read again");
	database_do(s->database, "select locum.cancel(id) from locum.job");
	scenario_await_finished(s, 1, "cancelled");
	scenario_drain(s, one);
}

/* As when there are too many clients: who has a connection keeps it. */
static void pingers_that_cannot_connect_kill_nobody(void **state)
{
	static const struct relay_rule NO_PING = { .client = "locum/pinger", .harm = RELAY_RESET };
	struct scenario *s = *state;
	struct scenario_daemon *fleet[2];
	PGconn *holder = database_connection(s->database);

	scenario_relay(s);
	start_pair(s, fleet);
	relay_set(s->detour.relay, &NO_PING);
	PQclear(PQexec(holder, "begin"));
	await_three_death_intervals(s, holder);
	relay_set(s->detour.relay, &DETOUR_PASS);
	PQfinish(holder);
	scenario_await_noted(s, 2 * JOBS, "start ");
	scenario_let(s, "gate", JOBS);
	scenario_await_finished(s, JOBS, "completed");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	for (int i = 0; i < 2; i++)
		scenario_drain(s, fleet[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_lock_on_the_pings_fences_all_and_kills_nobody),
		SCENARIO_TEST(a_lock_that_lets_pings_be_read_kills_nobody),
		SCENARIO_TEST(locked_rows_of_pings_kill_nobody),
		SCENARIO_TEST(the_first_job_after_a_lock_on_all_jobs_is_not_passed_over),
		SCENARIO_TEST(signals_that_cannot_be_read_make_no_ping_fail),
		SCENARIO_TEST(pingers_that_cannot_connect_kill_nobody),
		SCENARIO_TEST(a_disk_that_stands_still_keeps_no_ping_from_arriving),
	};

	return cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close);
}
