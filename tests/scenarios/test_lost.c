/* Claims that are lost while their dispatcher lives, and answers that are lost with them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/scenario.h"

/* While one ping is waited for; the others are for a machine on which threads have to wait. */
enum { PINGS_MOST = 4 };

static void take_claims_away(struct scenario *s)
{
	database_do(s->database, "update locum.queue set paused = true");
	database_do(s->database,
		    "update locum.job set state = 'pending', lane = 0, claim_id = null, "
		    "incarnation = null, claimed_at = null, started_at = null");
}

static int64_t ping_seq(struct scenario *s)
{
	return database_int(s->database, "select seq from locum.dispatcher_ping");
}

static void a_run_whose_claim_was_taken_away_is_ended_within_a_ping(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int64_t seq;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_interval = \"2s\" ping_death_interval = \"1h\"");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	seq = ping_seq(s);
	take_claims_away(s);
	scenario_await_first_runs_gone(s, 1, 2);
	scenario_await_logged(s, daemon, 2, "job was reassigned");
	assert_in_range(ping_seq(s) - seq, 0, PINGS_MOST);
	database_do(s->database, "update locum.queue set paused = false");
	scenario_await_noted(s, 4, "start ");
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_int_equal(scenario_logged(s, daemon, "job was reassigned"), 2);
	assert_sql(s->database, "2|0",
		   "select max(claim_seq), sum(interruptions) "
		   "from locum.finished");
	scenario_drain(s, daemon);
}

/* A service that answers nothing, and notes what it hears. */
static void add_service(struct scenario *s)
{
	char path[SCENARIO_PATH * 2];
	size_t used = strlen(s->handlers);
	FILE *script;

	snprintf(path, sizeof(path), "%s/service.sh", s->directory);
	script = fopen(path, "we");
	assert_non_null(script);
	fprintf(script,
		"while IFS= read -r order <&3; do\n"
		"case $order in\n"
		"*'\"method\":\"initialize\"'*)\n"
		"id=${order#*'\"id\":'}; id=${id%%%%,*}\n"
		"printf '{\"jsonrpc\":\"2.0\",\"id\":%%s,\"result\":{}}\\n' \"$id\" >&4 ;;\n"
		"*'\"method\":\"job.run\"'*) echo run >> %s ;;\n"
		"*'\"method\":\"job.cancel\"'*'\"lost\"'*) echo lost >> %s ;;\n"
		"esac\ndone\n",
		s->effects, s->effects);
	fclose(script);
	snprintf(s->handlers + used, sizeof(s->handlers) - used,
		 "handler \"deaf\" { kind = \"service\" argv = {\"/bin/sh\", \"%s\"} }\n", path);
}

static void a_service_is_told_that_its_job_was_lost(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	add_service(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1h\" kill_grace = \"1s\"");
	scenario_submit(s, 1, "deaf");
	scenario_await_noted(s, 1, "run");
	take_claims_away(s);
	scenario_await_noted(s, 1, "lost");
	scenario_await_logged(s, daemon, 1, "job was reassigned");
}

/* Its signal was read before the claim's answer was there, or is lost. */
static void a_cancellation_without_its_signal_ends_the_run(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "ping_death_interval = \"1h\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	database_do(s->database, "update locum.job set cancel_requested = true");
	scenario_await_finished(s, 1, "cancelled");
	assert_int_equal(scenario_noted(s, "start "), 1);
}

/* --- a completion and a death ------------------------------------------------------------------- */

/* A job is completed, and then its dispatcher declared dead, which knows neither yet: the answer is held back. */
static struct scenario_daemon *start_unaware(struct scenario *s, const char *settings)
{
	static char pump[SCENARIO_PATH];
	struct scenario_daemon *slow;
	struct uuid incarnation;

	scenario_gated(s);
	scenario_relay(s);
	slow = scenario_start(s, "slow", "%s", settings);
	snprintf(pump, sizeof(pump), "locum/pump/%s", scenario_incarnation(s, slow));
	assert_int_equal(uuid_read(pump + sizeof("locum/pump/") - 1, &incarnation), 0);
	database_hold_finish(s->database);
	scenario_submit(s, 1, "quick");
	scenario_await(s, "select exists (select from pg_stat_activity where "
			  "datname = current_database() and wait_event = 'PgSleep')");
	relay_set(s->detour.relay, &(struct relay_rule){ .harm = RELAY_HALF_OPEN, .client = pump });
	detour_await(&s->detour, 1);
	database_let_finish(s->database);
	scenario_await_finished(s, 1, "completed");
	database_do(s->database, "drop trigger waits on locum.finished");
	fleet_kill(s->database, incarnation);
	scenario_await_logged(s, slow, 1, "this dispatcher was declared dead");
	return slow;
}

static void what_was_completed_before_the_death_is_not_called_reassigned(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;

	slow = start_unaware(s, "ping_interval = \"2s\" ping_death_interval = \"1m\"");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_logged(s, slow, 2, "dispatcher registered");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 2, "completed");
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 0);
	assert_int_equal(scenario_noted(s, "run "), 2);
	scenario_drain(s, slow);
	assert_int_equal(scenario_logged(s, slow, "pump stopped completed=2 reassigned=0 "), 1);
}

/* The answer never comes, and the next life does not wait for it as long as the connection would. */
static void an_answer_that_does_not_come_does_not_hold_up_the_next_life(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow = start_unaware(s, "ping_death_interval = \"1h\"");

	scenario_await_logged(s, slow, 2, "dispatcher registered");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 2, "completed");
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 1);
	assert_int_equal(scenario_noted(s, "run "), 2);
	scenario_drain(s, slow);
	assert_int_equal(scenario_logged(s, slow, "pump stopped completed=1 reassigned=1 "), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_run_whose_claim_was_taken_away_is_ended_within_a_ping),
		SCENARIO_TEST(a_service_is_told_that_its_job_was_lost),
		SCENARIO_TEST(a_cancellation_without_its_signal_ends_the_run),
		SCENARIO_TEST(what_was_completed_before_the_death_is_not_called_reassigned),
		SCENARIO_TEST(an_answer_that_does_not_come_does_not_hold_up_the_next_life),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
