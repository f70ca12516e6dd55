/* What waits, in which line, and what is taken out of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

static void pause_queue(struct scenario *s, bool paused)
{
	database_do(s->database, "update locum.queue set paused = %s where name = 'default'",
		    paused ? "true" : "false");
}

/* --- time --------------------------------------------------------------------------------------- */

static void a_delayed_job_starts_when_its_time_has_come(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "begin; select locum.submit('quick', delay => '700 ms')");
	assert_sql(s->database, "scheduled", "select state from locum.job");
	database_do(s->database, "commit");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 2, "completed");
	assert_sql(s->database, "1|t\n2|t",
		   "select id, started_at >= coalesce(run_at, created_at) from locum.finished "
		   "order by id");
}

static void an_expired_job_does_not_start(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	pause_queue(s, true);
	scenario_start(s, "one", "agent \"main\" { queues = {\"default\", \"other\"} }");
	database_do(s->database, "select locum.submit('quick', expires => '100 ms'), "
				 "locum.submit('quick', expires => '1 h')");
	scenario_await_finished(s, 1, "expired");
	pause_queue(s, false);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|expired|0|not started before it expired\n2|completed|1|-",
		   "select id, state, claim_seq, error from locum.finished order by id");
	assert_int_equal(scenario_noted(s, "run "), 1);
}

static void jobs_expire_and_become_due_while_no_slot_is_free(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "agent \"main\" { size = 1 }");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	database_do(s->database, "select locum.submit('quick', expires => '100 ms'), "
				 "locum.submit('quick', delay => '100 ms')");
	scenario_await_finished(s, 1, "expired");
	scenario_await(s, "select state = 'pending' from locum.job where id = 3");
	assert_sql(s->database, "1", "select count(*) from locum.job where state = 'active'");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 2, "completed");
}

static void a_claimed_job_that_expires_before_it_starts_is_ended(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "agent \"main\" { size = 1 }");
	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	scenario_await_finished(s, 20, "completed");
	scenario_submit(s, 1, "gated");
	database_do(s->database,
		    "select locum.submit('gated', expires => '2 s', \"then\" => '{\"failure\": "
		    "\"quick\"}')");
	scenario_await_finished(s, 1, "expired");
	assert_sql(s->database, "22|1|not started before it expired",
		   "select id, claim_seq, error from locum.finished where state = 'expired'");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 22, "completed");
	assert_int_equal(scenario_noted(s, "start "), 1);
	assert_sql(s->database, "22",
		   "select follows from locum.finished where follows is not null");
}

/* --- cancel ------------------------------------------------------------------------------------- */

static void a_pending_job_is_cancelled_before_it_starts(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	pause_queue(s, true);
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 2, "quick");
	assert_sql(s->database, "t", "select locum.cancel(1)");
	pause_queue(s, false);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|cancelled|0|cancelled before it started\n2|completed|1|-",
		   "select id, state, claim_seq, error from locum.finished order by id");
	assert_sql(s->database, "f|f", "select locum.cancel(1), locum.cancel(2)");
}

static void a_running_job_is_ended_when_it_is_cancelled(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	scenario_handler(s, "gated", "", "begin; gate gate; note end");
	scenario_handler(s, "deaf", "", "trap '' TERM; begin; gate gate");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_submit(s, 1, "deaf");
	scenario_await_active(s, 3);
	database_do(s->database, "select locum.cancel(1), locum.cancel(3)");
	scenario_await_finished(s, 2, "cancelled");
	scenario_await_first_runs_gone(s, 1, 1);
	scenario_await_first_runs_gone(s, 3, 3);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database,
		   "1|cancelled|cancelled on request\n2|completed|-\n"
		   "3|cancelled|cancelled on request",
		   "select id, state, error from locum.finished order by id");
	assert_int_equal(database_int(s->database, "select count(*) from locum.job"), 0);
	scenario_drain(s, daemon);
}

/* The next ping is a quarter of an hour away. */
static void a_cancel_does_not_wait_for_the_next_ping(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "polite", "", "trap 'exit 0' TERM; begin; while :; do gate g; done");
	scenario_gate(s, "g");
	scenario_start(s, "one", "%s", "ping_interval = \"15m\"\nping_death_interval = \"1h\"\n");
	scenario_submit(s, 1, "polite");
	scenario_await_active(s, 1);
	database_do(s->database, "select locum.cancel(1)");
	scenario_await_finished(s, 1, "cancelled");
}

static void a_claimed_job_that_waits_for_a_slot_is_cancelled_at_once(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "agent \"main\" { size = 1 }");
	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	scenario_await_finished(s, 20, "completed");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 1);
	scenario_await(s,
		       "select count(*) = 1 from locum.job where id = 22 and state = 'assigned'");
	database_do(s->database, "select locum.cancel(22)");
	scenario_await_finished(s, 1, "cancelled");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 21, "completed");
	assert_int_equal(scenario_noted(s, "start "), 1);
}

/* Cancelled while its dispatcher is dead: nobody runs it again. */
static void a_job_cancelled_after_its_worker_died_is_not_run_again(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_kill(s, victim);
	database_do(s->database, "select locum.cancel(1)");
	scenario_start(s, "sibling", "%s", "");
	scenario_await_finished(s, 1, "cancelled");
	scenario_await_noted(s, 1, "start 2 2 ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_noted(s, "start 1 "), 1);
	assert_sql(s->database, "cancelled; its worker died",
		   "select error from locum.finished where id = 1");
}

/* --- lines -------------------------------------------------------------------------------------- */

static void a_paused_queue_rests_and_goes_on(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	pause_queue(s, true);
	scenario_start(s, "one", "agent \"main\" { queues = {\"default\", \"other\"} }");
	scenario_submit(s, 3, "quick");
	for (int i = 1; i <= 3; i++) {
		database_do(s->database, "select locum.submit('quick', queue => 'other')");
		scenario_await_finished(s, i, "completed");
	}
	assert_sql(s->database, "3|0",
		   "select count(*), sum(claim_seq) from locum.job "
		   "where state = 'pending'");
	pause_queue(s, false);
	scenario_await_finished(s, 6, "completed");
}

static void a_line_runs_by_priority_and_then_in_order(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	pause_queue(s, true);
	scenario_start(s, "one", "agent \"main\" { size = 1 }");
	database_do(s->database, "select locum.submit('quick', priority => p) "
				 "from unnest(array[9, 5, 0, 5, 9, 0]) as p");
	pause_queue(s, false);
	scenario_await_finished(s, 6, "completed");
	assert_string_equal(scenario_noted_jobs(s, "run"), "3,6,2,4,1,5");
}

/* Neither line is done before the other has begun, and the heavier one is ahead. The work is long enough for
 * many small claims. */
static void queues_take_turns_by_weight(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "work", "", "exec sleep 0.02");
	scenario_start(s, "one", "agent \"main\" { size = 1 queues = {\"light\", \"heavy=3\"} }");
	database_do(s->database, "insert into locum.queue (name, paused) values ('light', true), "
				 "('heavy', true)");
	database_do(s->database,
		    "select locum.submit('work', queue => queue) "
		    "from unnest(array['light', 'heavy']) as queue, generate_series(1, 50)");
	database_do(s->database, "update locum.queue set paused = false");
	scenario_await_finished(s, 100, "completed");
	assert_sql(
		s->database, "t|t",
		"with done as (select name, row_number() over (order by started_at, f.id) as place "
		"from locum.finished f join locum.queue q on q.id = queue_id) "
		"select min(place) filter (where name = 'light') < "
		"max(place) filter (where name = 'heavy'), "
		"avg(place) filter (where name = 'heavy') < avg(place) filter (where name = 'light') "
		"from done");
}

static void a_job_of_an_unknown_handler_waits_and_stops_nobody(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 20, "stranger");
	scenario_submit(s, 20, "quick");
	scenario_await_finished(s, 20, "completed");
	assert_sql(s->database, "pending|0|20",
		   "select state, max(claim_seq), count(*) from locum.job group by 1");
	scenario_drain(s, daemon);
	scenario_handler(s, "stranger", "", "note run");
	scenario_start(s, "two", "%s", "");
	scenario_await_finished(s, 40, "completed");
}

static void an_agent_takes_only_its_own_queues_and_handlers(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one",
		       "agent \"a\" { queues = {\"a\"} handlers = {\"quick\"} }\n"
		       "agent \"b\" { queues = {\"b\"} handlers = {\"gated\"} }");
	database_do(s->database, "select locum.submit(handler, queue => queue) from "
				 "unnest(array['quick', 'gated']) as handler, "
				 "unnest(array['a', 'b', 'c']) as queue");
	scenario_let(s, "gate", 6);
	scenario_await_finished(s, 2, "completed");
	assert_sql(s->database, "gated|b\nquick|a",
		   "select handler, name from locum.finished f join locum.queue q "
		   "on q.id = queue_id order by 1");
	assert_sql(s->database, "4|0", "select count(*), sum(claim_seq) from locum.job");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_delayed_job_starts_when_its_time_has_come),
		SCENARIO_CALM_TEST(an_expired_job_does_not_start),
		SCENARIO_CALM_TEST(jobs_expire_and_become_due_while_no_slot_is_free),
		SCENARIO_CALM_TEST(a_claimed_job_that_expires_before_it_starts_is_ended),
		SCENARIO_CALM_TEST(a_pending_job_is_cancelled_before_it_starts),
		SCENARIO_CALM_TEST(a_running_job_is_ended_when_it_is_cancelled),
		SCENARIO_TEST(a_cancel_does_not_wait_for_the_next_ping),
		SCENARIO_CALM_TEST(a_claimed_job_that_waits_for_a_slot_is_cancelled_at_once),
		SCENARIO_TEST(a_job_cancelled_after_its_worker_died_is_not_run_again),
		SCENARIO_CALM_TEST(a_paused_queue_rests_and_goes_on),
		SCENARIO_CALM_TEST(a_line_runs_by_priority_and_then_in_order),
		SCENARIO_CALM_TEST(queues_take_turns_by_weight),
		SCENARIO_CALM_TEST(a_job_of_an_unknown_handler_waits_and_stops_nobody),
		SCENARIO_CALM_TEST(an_agent_takes_only_its_own_queues_and_handlers),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
