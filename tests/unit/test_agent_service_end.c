#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

#define STOPPED "stopped: the dispatcher is shutting down"
#define FENCED "fenced: the dispatcher could not prove in time that it is alive"

/* Jobs do not end by themselves; a cancel is told to the test and obeyed. */
#define OBEDIENT                                                                                   \
	"run() { hear \"got $id.\"; }\n"                                                           \
	"cancel() { hear \"$order\"; result {}; }\n"                                               \
	"stop() { hear \"$order\"; }\n"
/* And this one does not listen. */
#define DEAF "run() { hear \"got $id.\"; [ $id = 1 ] && exec sleep 1000 > $FIFO; }\n"

/* --- time -------------------------------------------------------------------------------------- */

static void a_job_that_times_out_is_cancelled_alone(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(1, "slow", "{}");
	struct wire_outcome outcome;

	service_script(agent, "slow", OBEDIENT "finish() { result {}; }");
	agent_fixture_start(agent);
	job.timeout_ms = 100;
	agent_fixture_run(agent, 2, "slow", "{}");
	fifo_await(&agent->fifo, "got 2.");
	agent_fixture_send(agent, &job, 1);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 100ms");
	fifo_await(&agent->fifo, "job.cancel\",\"params\":{\"id\":1,\"reason\":\"timeout\"}}");
	assert_false(agent_fixture_has_outcome(agent, 2));
	assert_int_equal(agent_fixture_broken_count(agent), 0);
}

static void a_hung_process_is_killed_and_another_one_goes_on(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "hung", DEAF)->timeout_ms = 400;
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "hung", "{}");
	fifo_await(&agent->fifo, "got 1.");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 400ms");
	fifo_await_all_dead(&agent->fifo);
	assert_int_equal(agent_fixture_finish(agent, 3, "hung", "{}").verdict, VERDICT_RETRY);
}

static void neighbours_of_a_hung_job_are_interrupted(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(1, "hung", "{}");
	struct wire_outcome outcome;

	service_script(agent, "hung", DEAF);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 2, "hung", "{}");
	fifo_await(&agent->fifo, "got 2.");
	job.timeout_ms = 100;
	agent_fixture_send(agent, &job, 1);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED,
				     "interrupted: another job of its process hung");
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_RETRY);
}

static void a_job_without_progress_hangs(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "quiet", OBEDIENT)->progress_timeout_ms = 200;
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "quiet", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "no progress for 200ms");
	fifo_await(&agent->fifo, "\"reason\":\"progress\"");
	assert_true(outcome.ended_ms - outcome.started_ms >= 200);
}

static void a_job_that_gets_on_does_not_hang(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	/* Ten times a third of the limit. */
	service_script(agent, "busy",
		       "run() { for i in 1 2 3 4 5 6 7 8 9 10; do "
		       "notify job.progress '{\"id\":'$id',\"percent\":'$i'0}'; sleep 0.1; done; "
		       "result {}; }")
		->progress_timeout_ms = 300;
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "busy", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
}

/* --- cancel ------------------------------------------------------------------------------------ */

static void a_cancelled_job_is_told_to_end(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "wait", OBEDIENT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_REQUESTED);
	fifo_await(&agent->fifo, "\"reason\":\"cancelled\"");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
}

static void a_cancelled_job_that_does_not_listen_ends_with_its_process(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_REQUESTED);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	fifo_await_all_dead(&agent->fifo);
}

static void a_job_that_waits_for_its_service_is_cancelled_at_once(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "one", OBEDIENT)->concurrency = 1;
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "one", "{}");
	agent_fixture_run(agent, 2, "one", "{}");
	agent_fixture_run(agent, 3, "one", "{}");
	agent_fixture_cancel(agent, 2, WIRE_CANCEL_REQUESTED);
	agent_fixture_cancel(agent, 3, WIRE_CANCEL_LOST);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	assert_int_equal(outcome.started_ms, 0);
	assert_false(agent_fixture_has_outcome(agent, 3));
}

static void a_lost_job_is_told_so_and_never_reported(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "wait",
		       OBEDIENT "run() { hear \"got $id.\"; [ $id = 2 ] && result {}; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_LOST);
	fifo_await(&agent->fifo, "\"reason\":\"lost\"");
	assert_int_equal(agent_fixture_finish(agent, 2, "wait", "{}").verdict, VERDICT_DONE);
	assert_false(agent_fixture_has_outcome(agent, 1));
}

static void a_job_that_comes_again_is_not_confused_with_its_former_self(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job again = agent_fixture_job(1, "wait", "\"again\"");

	service_script(
		agent, "wait",
		"run() { case $payload in '\"again\"') result '{\"value\":2}';; *) hear got;; esac; }\n"
		"cancel() { hear cancel; read -r go < $FIFO.go; result '{\"value\":1}'; }");
	agent_fixture_start(agent);
	agent->kill_grace_ms = 30000;
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "got");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_LOST);
	fifo_await(&agent->fifo, "cancel");
	again.claim_id.bytes[1] = 1;
	agent_fixture_send(agent, &again, 1);
	fifo_go(&agent->fifo);
	assert_true(agent_fixture_is(agent_fixture_outcome(agent, 1).result, "2"));
}

/* --- stop and fence ---------------------------------------------------------------------------- */

static void a_stop_lets_jobs_finish_in_its_grace(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "wait",
		       "run() { hear \"got $id.\"; mine=$id; }\n"
		       "stop() { hear \"$order\"; id=$mine; result '{\"value\":1}'; }\n"
		       "finish() { hear bye; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_stop(agent, 10500);
	fifo_await(&agent->fifo, "\"method\":\"shutdown\",\"params\":{\"graceSeconds\":10.500}}");
	fifo_await(&agent->fifo, "bye");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

static void a_stop_interrupts_what_does_not_finish(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "deaf", DEAF)->concurrency = 1;
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	agent_fixture_run(agent, 2, "deaf", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_stop(agent, 100);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, "released: the agent is stopping");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, STOPPED);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

static void an_agent_with_idle_services_stops(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "idle", "finish() { hear bye; }");
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "idle", "{}").verdict, VERDICT_DONE);
	agent_fixture_stop(agent, 10000);
	fifo_await(&agent->fifo, "bye");
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

static void the_fence_terminates_then_kills(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->kill_grace_ms = 500;
	service_script(agent, "deaf",
		       "trap 'hear term' TERM; run() { exec > $FIFO; hear \"got $id.\"; "
		       "while :; do sleep 1000 & wait; done; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	fifo_await(&agent->fifo, "got 1.");
	agent_fixture_fence_in(agent, 700);
	fifo_await(&agent->fifo, "term");
	assert_false(agent_fixture_has_outcome(agent, 1));
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	fifo_await_all_dead(&agent->fifo);
	/* And serves again when the fence is up. */
	agent_fixture_fence_in(agent, 3600000);
	agent_fixture_run(agent, 2, "deaf", "{}");
	fifo_await(&agent->fifo, "got 2.");
	assert_int_equal(agent_fixture_broken_count(agent), 0);
}

static void a_service_with_fence_finish_goes_on(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->kill_grace_ms = 100;
	service_script(agent, "finish", "run() { hear got; read -r go < $FIFO.go; result {}; }")
		->fence = HANDLER_FENCE_FINISH;
	service_script(agent, "kill", OBEDIENT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "finish", "{}");
	fifo_await(&agent->fifo, "got");
	agent_fixture_run(agent, 2, "kill", "{}");
	fifo_await(&agent->fifo, "got 2.");
	agent_fixture_fence_in(agent, 0);
	assert_int_equal(agent_fixture_outcome(agent, 2).verdict, VERDICT_INTERRUPTED);
	fifo_go(&agent->fifo);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
}

static void nothing_starts_before_the_fence_is_up(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "first", "hear up");
	agent_fixture_start_fenced(agent);
	agent_fixture_run(agent, 1, "first", "{}");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_REQUESTED);
	agent_fixture_outcome(agent, 1);
	assert_false(fifo_is_held(&agent->fifo));
	agent_fixture_fence_in(agent, 3600000);
	fifo_await(&agent->fifo, "up");
}

static void the_end_of_the_dispatcher_kills_all(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "deaf", "exec 5> $FIFO; trap '' TERM; echo up >&5");
	agent_fixture_start(agent);
	fifo_await(&agent->fifo, "up");
	agent_fixture_run(agent, 1, "deaf", "{}");
	agent_fixture_hang_up(agent);
	fifo_await_all_dead(&agent->fifo);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_that_times_out_is_cancelled_alone),
		TEST(a_hung_process_is_killed_and_another_one_goes_on),
		TEST(neighbours_of_a_hung_job_are_interrupted),
		TEST(a_job_without_progress_hangs),
		TEST(a_job_that_gets_on_does_not_hang),
		TEST(a_cancelled_job_is_told_to_end),
		TEST(a_cancelled_job_that_does_not_listen_ends_with_its_process),
		TEST(a_job_that_waits_for_its_service_is_cancelled_at_once),
		TEST(a_lost_job_is_told_so_and_never_reported),
		TEST(a_job_that_comes_again_is_not_confused_with_its_former_self),
		TEST(a_stop_lets_jobs_finish_in_its_grace),
		TEST(a_stop_interrupts_what_does_not_finish),
		TEST(an_agent_with_idle_services_stops),
		TEST(the_fence_terminates_then_kills),
		TEST(a_service_with_fence_finish_goes_on),
		TEST(nothing_starts_before_the_fence_is_up),
		TEST(the_end_of_the_dispatcher_kills_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
