/* Dispatchers that are asked to stop. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

static struct scenario_daemon *start_with_jobs(struct scenario *s, int jobs, const char *settings)
{
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", settings);
	scenario_submit(s, jobs, "gated");
	scenario_await_active(s, jobs);
	return daemon;
}

/* Stopped in order, with nothing left that counts as its own. */
static void assert_left(struct scenario *s, struct scenario_daemon *daemon)
{
	scenario_await_logged(s, daemon, 1, "stopped remaining=0");
	assert_sql(s->database, "stopped|t|0|0",
		   "select state, ended_at is not null, (select count(*) from locum.job "
		   "where claim_id is not null), (select count(*) from locum.death) "
		   "from locum.dispatcher where seq = 1");
	assert_sql(s->database, "0",
		   "select count(*) from locum.dispatcher_ping join "
		   "locum.dispatcher d using (incarnation) where d.seq = 1");
}

static void assert_handed_back(struct scenario *s, struct scenario_daemon *daemon, int jobs)
{
	scenario_await_first_runs_gone(s, 1, jobs);
	assert_left(s, daemon);
	assert_int_equal(database_int(s->database,
				      "select count(*) from locum.job where state = 'pending' and "
				      "interruptions = 1 and recoveries = 0 and attempt = 0 and "
				      "history -> 0 ->> 'outcome' = 'interrupt'"),
			 jobs);
}

static void a_drain_finishes_what_runs_and_pings_meanwhile(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_with_jobs(s, 2, "drain_timeout = \"1h\"");
	int64_t seq;

	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	scenario_signal(s, daemon, SIGTERM);
	scenario_await(s, "select state = 'draining' from locum.dispatcher where pid = %d",
		       (int)daemon->pid);
	scenario_submit(s, 1, "gated");
	seq = database_int(s->database, "select ping.seq from locum.dispatcher_ping ping join "
					"locum.dispatcher d using (incarnation) where d.seq = 1");
	scenario_await(s,
		       "select ping.seq >= %d from locum.dispatcher_ping ping join "
		       "locum.dispatcher d using (incarnation) where d.seq = 1",
		       (int)seq + 2 * SCENARIO_DEATH_MS / SCENARIO_PING_MS);
	assert_sql(s->database, "1|pending",
		   "select (select count(*) from locum.job where state = 'pending'), state "
		   "from locum.job where id = 3");
	scenario_let(s, "gate", 2);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_int_equal(scenario_logged(s, daemon, "draining remaining=2"), 1);
	assert_int_equal(scenario_logged(s, daemon, "drained held=2 handed_back=0"), 1);
	assert_left(s, daemon);
	assert_sql(s->database, "2|t",
		   "select count(*), bool_and(claim_seq = 1 and interruptions = 0) "
		   "from locum.finished where state = 'completed'");
	assert_sql(s->database, "pending|0", "select state, claim_seq from locum.job");
}

static void a_drain_that_takes_too_long_hands_back(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_with_jobs(s, 3, "drain_timeout = \"300ms\"");

	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "handing back what remains remaining=3"), 1);
	assert_int_equal(scenario_logged(s, daemon, "drained by force held=3 handed_back=3"), 1);
	assert_handed_back(s, daemon, 3);
}

static void a_second_sigterm_hands_back_at_once(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_with_jobs(s, 3, "drain_timeout = \"1h\"");

	scenario_signal(s, daemon, SIGTERM);
	scenario_await_logged(s, daemon, 1, "draining");
	scenario_drain(s, daemon);
	assert_handed_back(s, daemon, 3);
}

static void a_handler_that_ignores_sigterm_is_killed(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	scenario_handler(s, "deaf", "", "trap '' TERM; begin; gate gate");
	daemon = scenario_start(s, "one", "drain_timeout = \"0s\"");
	scenario_submit(s, 2, "deaf");
	scenario_await_active(s, 2);
	scenario_drain(s, daemon);
	assert_handed_back(s, daemon, 2);
}

/* What ended by its own exit code while it was asked to stop is judged by that. */
static void a_handler_that_finishes_when_asked_to_stop_is_completed(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	scenario_handler(s, "polite", "", "trap 'note end; exit 0' TERM; begin; gate gate");
	daemon = scenario_start(s, "one",
				"drain_timeout = \"0s\" kill_grace = \"5s\" "
				"ping_death_interval = \"10s\"");
	scenario_submit(s, 2, "polite");
	scenario_await_active(s, 2);
	scenario_drain(s, daemon);
	assert_left(s, daemon);
	scenario_assert_done_once(s, 2);
	assert_int_equal(scenario_logged(s, daemon, "drained by force held=2 handed_back=0"), 1);
}

static void claimed_jobs_that_did_not_start_are_handed_back_uncounted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"0s\" agent \"main\" { size = 1 }");
	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	scenario_await_finished(s, 20, "completed");
	scenario_submit(s, 4, "gated");
	scenario_await_active(s, 1);
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'assigned'");
	scenario_drain(s, daemon);
	assert_left(s, daemon);
	assert_sql(s->database, "1|0|0|1\n0|0|0|3",
		   "select interruptions, recoveries, attempt, count(*) from locum.job "
		   "where state = 'pending' group by 1, 2, 3 order by 1 desc");
}

static void an_idle_dispatcher_stops_at_once(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"1h\" poll_interval = \"1h\"");
	scenario_signal(s, daemon, SIGINT);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_left(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, " error "), 0);
}

/* Its connection broke, and it has not pinged since. */
static void the_end_is_recorded_over_a_new_connection(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_interval = \"1h\" ping_death_interval = \"4h\"");
	assert_sql(s->database, "t",
		   "select pg_terminate_backend(pid, %d) from pg_stat_activity where "
		   "datname = current_database() and application_name like 'locum/pinger/%%'",
		   SCENARIO_PATIENCE_MS);
	scenario_drain(s, daemon);
	assert_left(s, daemon);
}

/* --- while the database is silent --------------------------------------------------------------- */

enum { AT_ONCE_MS = 60000 };

/* It lost its connections, and those that it tries to make are taken and never answered. */
static void silence(struct scenario *s, struct scenario_daemon *daemon)
{
	relay_set(s->detour.relay, &(struct relay_rule){ .harm = RELAY_RESET });
	scenario_await_logged(s, daemon, 1, "connection to the database lost");
	relay_set(s->detour.relay, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	detour_await(&s->detour, 2);
}

static void a_second_sigterm_ends_it_at_once_though_the_database_is_silent(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int64_t asked_ms;

	scenario_relay(s);
	daemon = start_with_jobs(s, 3,
				 "drain_timeout = \"1h\" ping_interval = \"6s\" "
				 "ping_death_interval = \"2m\"");
	silence(s, daemon);
	scenario_signal(s, daemon, SIGTERM);
	scenario_await_logged(s, daemon, 1, "stopping signal=");
	asked_ms = clock_monotonic_ms();
	scenario_signal(s, daemon, SIGTERM);
	assert_int_equal(scenario_exit(s, daemon), 0);
	if (clock_monotonic_ms() - asked_ms > AT_ONCE_MS)
		scenario_fail(s, "it took %d ms", (int)(clock_monotonic_ms() - asked_ms));
	scenario_await_first_runs_gone(s, 1, 3);
	assert_int_equal(scenario_logged(s, daemon, "stopped by force remaining=3"), 1);
	assert_int_equal(
		scenario_logged(s, daemon, "drained by force held=3 handed_back=0 remaining=3"), 1);
}

/* The runs are over before the drain begins, and nobody could be told what became of them. */
static void what_the_database_did_not_take_counts_as_remaining(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_relay(s);
	daemon = start_with_jobs(s, 3, "drain_timeout = \"1h\"");
	relay_set(s->detour.relay, &(struct relay_rule){ .harm = RELAY_RESET });
	scenario_await_first_runs_gone(s, 1, 3); /* the fence */
	scenario_signal(s, daemon, SIGTERM);
	scenario_await_logged(s, daemon, 1, "draining remaining=3");
	scenario_signal(s, daemon, SIGTERM);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_int_equal(
		scenario_logged(s, daemon,
				"warning drained by force held=3 handed_back=0 remaining=3"),
		1);
}

/* --- asked for by the database ----------------------------------------------------------------- */

static void ask(struct scenario *s)
{
	assert_sql(s->database, "t", "select locum.drain(id) from locum.dispatcher where seq = 1");
}

static void the_database_can_ask_for_a_drain(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_with_jobs(s, 2, "drain_timeout = \"1h\"");

	ask(s);
	scenario_await(s, "select state = 'draining' from locum.dispatcher where pid = %d",
		       (int)daemon->pid);
	assert_int_equal(scenario_logged(s, daemon, "draining remaining=2"), 1);
	scenario_await(s, "select count(*) = 0 from locum.signal");
	ask(s); /* changes nothing */
	assert_sql(s->database, "0", "select count(*) from locum.signal");
	scenario_submit(s, 1, "quick");
	scenario_let(s, "gate", 2);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_left(s, daemon);
	assert_sql(s->database, "2|1",
		   "select (select count(*) from locum.finished where state = 'completed'), "
		   "(select count(*) from locum.job where state = 'pending')");
	assert_sql(s->database, "f", "select locum.drain(id) from locum.dispatcher where seq = 1");
}

static void sigterm_after_a_drain_that_was_asked_for_hands_back_at_once(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_with_jobs(s, 3, "drain_timeout = \"1h\"");

	ask(s);
	scenario_await_logged(s, daemon, 1, "draining");
	scenario_drain(s, daemon);
	assert_handed_back(s, daemon, 3);
}

static void a_drain_hands_back_at_once_what_has_not_started(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"1h\" agent \"main\" { size = 1 }");
	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	scenario_await_finished(s, 20, "completed");
	scenario_submit(s, 4, "gated");
	scenario_await_active(s, 1);
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'assigned'");
	scenario_signal(s, daemon, SIGTERM);
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'pending' and "
			  "interruptions = 0 and recoveries = 0 and attempt = 0");
	assert_int_equal(
		database_int(s->database, "select count(*) from locum.job where state = 'active'"),
		1);
	scenario_let(s, "gate", 1);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_left(s, daemon);
	scenario_await_finished(s, 21, "completed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_drain_finishes_what_runs_and_pings_meanwhile),
		SCENARIO_TEST(a_drain_that_takes_too_long_hands_back),
		SCENARIO_TEST(a_second_sigterm_hands_back_at_once),
		SCENARIO_TEST(a_handler_that_ignores_sigterm_is_killed),
		SCENARIO_TEST(a_handler_that_finishes_when_asked_to_stop_is_completed),
		SCENARIO_TEST(claimed_jobs_that_did_not_start_are_handed_back_uncounted),
		SCENARIO_TEST(an_idle_dispatcher_stops_at_once),
		SCENARIO_TEST(the_end_is_recorded_over_a_new_connection),
		SCENARIO_TEST(a_second_sigterm_ends_it_at_once_though_the_database_is_silent),
		SCENARIO_TEST(what_the_database_did_not_take_counts_as_remaining),
		SCENARIO_TEST(the_database_can_ask_for_a_drain),
		SCENARIO_TEST(sigterm_after_a_drain_that_was_asked_for_hands_back_at_once),
		SCENARIO_TEST(a_drain_hands_back_at_once_what_has_not_started),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
