/* PostgreSQL goes away and comes back under load. */
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
#include "tests/support/scenario.h"
#include "tests/support/scenario_server.h"

enum { QUICK = 300, GATED = 4, OUTAGE_MS = 3 * SCENARIO_DEATH_MS };

/* No handler may be fenced while the server is away. */
static const char PATIENT[] = "ping_death_interval = \"30s\"";

/* Two dispatchers at work, some of it done, some runs waiting at the gate. */
static void start_fleet(struct scenario *s, struct scenario_daemon *fleet[2])
{
	scenario_gated(s);
	fleet[0] = scenario_start(s, "one", "%s", PATIENT);
	fleet[1] = scenario_start(s, "two", "%s", PATIENT);
	scenario_submit(s, GATED, "gated");
	scenario_await_noted(s, GATED, "start ");
	scenario_submit(s, QUICK, "quick");
	scenario_await_finished(s, QUICK / 5, "completed");
}

/* Every job once, every run once, nobody dead, and all are at work again. */
static void assert_nothing_lost(struct scenario *s, struct scenario_daemon *fleet[2])
{
	scenario_await(s, "select count(*) = 0 from locum.job");
	scenario_assert_done_once(s, QUICK + GATED);
	assert_int_equal(scenario_noted(s, "run "), QUICK);
	assert_int_equal(scenario_noted(s, "start "), GATED);
	assert_sql(s->database, "t",
		   "select bool_and(interruptions = 0 and recoveries = 0) "
		   "from locum.finished");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_submit(s, 4, "quick");
	scenario_await_finished(s, QUICK + GATED + 4, "completed");
	scenario_drain(s, fleet[0]);
	scenario_drain(s, fleet[1]);
	if (database_int(s->database, "select count(*) from locum.receipt") != 0)
		scenario_fail(s, "a receipt is left");
}

static void restart_under_load(struct scenario *s, int number)
{
	struct scenario_daemon *fleet[2];

	start_fleet(s, fleet);
	scenario_server_stop(s, number);
	/* What ends while nobody can be told is kept. */
	scenario_let(s, "gate", GATED);
	scenario_await_noted(s, GATED, "end ");
	scenario_server_start(s);
	assert_nothing_lost(s, fleet);
}

static void nothing_is_lost_or_done_twice_when_the_server_crashes(void **state)
{
	restart_under_load(*state, SIGQUIT);
}

static void nothing_is_lost_or_done_twice_when_the_server_restarts(void **state)
{
	restart_under_load(*state, SIGINT);
}

/* One of its backends is killed, and it restarts all of them itself. */
static void nothing_is_lost_or_done_twice_when_a_backend_crashes(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *fleet[2];
	int64_t backend;

	start_fleet(s, fleet);
	backend = database_int(s->database, "select pid from pg_stat_activity "
					    "where application_name like 'locum/pump/%%' limit 1");
	assert_int_equal(kill((pid_t)backend, SIGKILL), 0);
	scenario_server_await_crash(s);
	scenario_let(s, "gate", GATED);
	assert_nothing_lost(s, fleet);
}

/* Handlers are fenced, and nobody is declared dead for it. */
static void an_outage_of_three_death_intervals_kills_no_dispatcher(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct scenario_daemon *two;
	int64_t until_ms;

	scenario_gated(s);
	one = scenario_start(s, "one", "%s", "");
	two = scenario_start(s, "two", "%s", "");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	scenario_server_stop(s, SIGINT);
	until_ms = clock_monotonic_ms() + OUTAGE_MS;
	scenario_await_first_runs_gone(s, 1, GATED);
	while (scenario_pause(until_ms))
		;
	scenario_server_start(s);
	scenario_await_noted(s, 2 * GATED, "start ");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, GATED, "completed");
	scenario_assert_done_once(s, GATED);
	assert_sql(s->database, "t",
		   "select bool_and(interruptions = 1 and recoveries = 0) "
		   "from locum.finished");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_drain(s, one);
	scenario_drain(s, two);
}

/* As above, with a dispatcher that was declared dead while it worked. */
static void a_restart_of_the_server_changes_nothing_about_a_reassignment(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;
	struct scenario_daemon *sibling;

	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	scenario_handler(s, "slow", "fence = \"finish\"",
			 "begin; gate gate.$LOCUM_CLAIM_SEQ; printf $LOCUM_CLAIM_SEQ >&3");
	scenario_relay(s);
	slow = scenario_start(s, "slow", "%s", "");
	scenario_direct(s);
	scenario_submit(s, 1, "slow");
	scenario_await_active(s, 1);
	relay_set(s->detour.relay, &(struct relay_rule){ .client = "locum/", .harm = RELAY_RESET });
	sibling = scenario_start(s, "sibling", "%s", PATIENT);
	scenario_await_noted(s, 1, "start 1 2 ");
	scenario_server_stop(s, SIGINT);
	scenario_let(s, "gate.1", 1);
	scenario_await_gone(s, scenario_noted_pid(s, "start 1 1 "));
	scenario_server_start(s);
	relay_set(s->detour.relay,
		  &(struct relay_rule){ .client = "locum/pinger", .harm = RELAY_RESET });
	scenario_await_logged(s, slow, 1, "was reassigned job=1 claim_seq=1 ");
	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(
		s->database, "2|2|0",
		"select result, claim_seq, (select count(*) from locum.job) from locum.finished");
	assert_int_equal(scenario_noted(s, "start "), 2);
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_logged(s, slow, 2, "dispatcher registered");
	scenario_drain(s, slow);
	scenario_drain(s, sibling);
}

#define SESSIONS "select sessions from pg_stat_database where datname = current_database()"
#define PUMPS "select count(*) from pg_stat_activity where application_name like 'locum/pump/%%'"

static void set_standbys(struct scenario *s, const char *names)
{
	char command[128];

	snprintf(command, sizeof(command), "alter system set synchronous_standby_names = '%s'",
		 names);
	PQclear(PQexec(s->database->sql, "set synchronous_commit = off"));
	PQclear(PQexec(s->database->sql, command));
	assert_sql(s->database, "t", "select pg_reload_conf()");
}

/* From now on commits wait for a standby that is not there: they are done, and their answers do not come.
 * The setting takes a moment to be everybody's; a commit of our own shows that it is. */
static PGconn *withhold_answers(struct scenario *s)
{
	int64_t deadline_ms = scenario_deadline_ms();
	PGconn *probe = database_connection(s->database);

	set_standbys(s, "nobody");
	PQsetnonblocking(probe, 1);
	while (strcmp(database_text(s->database,
				    "select wait_event from pg_stat_activity where pid = %d",
				    PQbackendPID(probe)),
		      "SyncRep") != 0) {
		if (PQconsumeInput(probe) != 1 || !scenario_pause(deadline_ms))
			scenario_fail(s, "no commit waits");
		if (PQtransactionStatus(probe) == PQTRANS_ACTIVE && PQisBusy(probe))
			continue;
		while (PQtransactionStatus(probe) == PQTRANS_ACTIVE)
			PQclear(PQgetResult(probe));
		assert_int_equal(
			PQsendQuery(probe, "select pg_logical_emit_message(true, 'a', 'b')"), 1);
	}
	return probe;
}

static void a_commit_whose_answer_is_lost_is_found_by_its_receipt(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	PGconn *probe;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", PATIENT);
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	probe = withhold_answers(s);
	scenario_let(s, "gate", GATED);
	scenario_await(s,
		       "select exists (select from pg_stat_activity where wait_event = 'SyncRep' "
		       "and application_name like 'locum/pump/%%')");
	assert_int_equal(database_int(s->database, "select count(*) from locum.finished"), 0);
	assert_sql(s->database, "t",
		   "select pg_terminate_backend(pid) from pg_stat_activity "
		   "where application_name like 'locum/pump/%%'");
	scenario_await(s, "select count(*) > 0 from locum.finished");
	set_standbys(s, "");
	PQfinish(probe);
	scenario_await_finished(s, GATED, "completed");
	scenario_await_logged(s, daemon, GATED, "job completed");
	scenario_assert_done_once(s, GATED);
	assert_int_equal(scenario_noted(s, "start "), GATED);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
	scenario_await(s, "select count(*) = 0 from locum.receipt");
	scenario_drain(s, daemon);
}

/* The server keeps each until the standby is back: one more with every try would take all that it has. */
static void sessions_that_wait_for_a_standby_do_not_become_more(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int64_t sessions;
	PGconn *probe;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	probe = withhold_answers(s);
	scenario_let(s, "gate", GATED);
	scenario_await_logged(s, daemon, 1, "connection to the database lost");
	scenario_submit(s, GATED, "gated"); /* each claim waits, too */
	sessions = database_int(s->database, SESSIONS);
	scenario_await(s, "select (" SESSIONS ") >= %d", (int)sessions + 6);
	assert_in_range(database_int(s->database, PUMPS), 1, 3); /* two, and one that is made */
	set_standbys(s, "");
	PQfinish(probe);
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, 2 * GATED, "completed");
	scenario_assert_done_once(s, 2 * GATED);
	scenario_drain(s, daemon);
}

/* As somebody does who wants it to go on without its standby. */
static void cancel_wait(struct scenario *s)
{
	database_text(s->database,
		      "select count(pg_cancel_backend(pid)) from pg_stat_activity "
		      "where wait_event = 'SyncRep' and application_name like 'locum/pump/%%'");
}

static void a_commit_that_was_not_replicated_is_told_and_counted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int64_t deadline_ms = scenario_deadline_ms();
	PGconn *probe;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", PATIENT);
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	probe = withhold_answers(s);
	scenario_let(s, "gate", GATED);
	while (scenario_logged(s, daemon, "job completed") < GATED) {
		cancel_wait(s);
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "the jobs do not end");
	}
	set_standbys(s, "");
	PQfinish(probe);
	assert_int_not_equal(
		scenario_logged(s, daemon, "warning a commit's wait for its standby was cancelled"),
		0);
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "pump stopped completed=4"), 1);
	assert_non_null(strstr(s->text, " not_replicated=4 "));
	scenario_assert_done_once(s, GATED);
}

/* A trigger's warning has the same SQLSTATE. */
static void a_warning_of_somebody_else_is_no_lost_replication(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	database_do(s->database,
		    "create function public.warn() returns trigger language plpgsql as "
		    "$$ begin raise warning 'look'; return null; end $$; "
		    "create constraint trigger warn after insert on locum.finished "
		    "initially deferred for each row execute function public.warn()");
	daemon = scenario_start(s, "one", "%s", PATIENT);
	scenario_submit(s, GATED, "quick");
	scenario_await_finished(s, GATED, "completed");
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "pump stopped completed=4"), 1);
	assert_non_null(strstr(s->text, " not_replicated=0 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(nothing_is_lost_or_done_twice_when_the_server_crashes),
		SCENARIO_TEST(nothing_is_lost_or_done_twice_when_the_server_restarts),
		SCENARIO_TEST(nothing_is_lost_or_done_twice_when_a_backend_crashes),
		SCENARIO_TEST(an_outage_of_three_death_intervals_kills_no_dispatcher),
		SCENARIO_TEST(a_restart_of_the_server_changes_nothing_about_a_reassignment),
		SCENARIO_CALM_TEST(a_warning_of_somebody_else_is_no_lost_replication),
		/* The last, for they leave a server that withholds answers when they fail. */
		SCENARIO_TEST(a_commit_that_was_not_replicated_is_told_and_counted),
		SCENARIO_TEST(a_commit_whose_answer_is_lost_is_found_by_its_receipt),
		SCENARIO_TEST(sessions_that_wait_for_a_standby_do_not_become_more),
	};

	return cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close);
}
