#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/agent_fixture.h"

#define STOPPED "stopped: the dispatcher is shutting down"

/* Says "ready", then waits until something ends it. */
#define WAIT "exec 9> $FIFO; echo ready >&9; sleep 1000"
/* The same, and SIGTERM does not end it. */
#define DEAF "trap '' TERM; " WAIT "; sleep 1000"

static void a_timeout_terminates_and_counts_as_an_attempt(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "wait", WAIT)->timeout_ms = 200;
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "wait", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 200ms");
	assert_true(outcome.ended_ms - outcome.started_ms >= 199);
	assert_int_equal(outcome.signal, SIGTERM);
}

static void a_handler_that_ignores_sigterm_is_killed_after_the_grace(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "deaf", DEAF)->timeout_ms = 200;
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "deaf", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 200ms");
	assert_true(outcome.ended_ms - outcome.started_ms >= 499);
	assert_int_equal(outcome.signal, SIGKILL);
}

static void the_timeout_of_the_job_goes_before_that_of_the_handler(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(1, "wait", "{}");
	struct wire_outcome outcome;

	agent_fixture_script(agent, "wait", WAIT)->timeout_ms = 3600 * 1000;
	agent_fixture_start(agent);
	job.timeout_ms = 100;
	agent_fixture_send(agent, &job, 1);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 100ms");
}

static void a_stopped_process_is_terminated_too(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "frozen", "kill -STOP $$; sleep 1000")->timeout_ms = 200;
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "frozen", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 200ms");
}

static void a_cancelled_job_is_terminated(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "wait", WAIT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_REQUESTED);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	fifo_await_all_dead(&agent->fifo);
}

static void a_cancelled_job_that_ignores_sigterm_is_killed(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_REQUESTED);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	assert_int_equal(outcome.signal, SIGKILL);
}

static void a_waiting_job_is_cancelled_at_once(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->slots = 1;
	agent_fixture_script(agent, "wait", WAIT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	agent_fixture_run(agent, 2, "wait", "{}");
	agent_fixture_cancel(agent, 2, WIRE_CANCEL_REQUESTED);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	assert_int_equal(outcome.started_ms, 0);
	assert_false(agent_fixture_has_outcome(agent, 1));
}

static void a_recall_releases_what_waits_and_leaves_what_runs(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->slots = 1;
	agent_fixture_script(agent, "wait", WAIT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	agent_fixture_run(agent, 2, "wait", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_RECALL);
	agent_fixture_cancel(agent, 2, WIRE_CANCEL_RECALL);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: recalled before it began");
	assert_int_equal(outcome.started_ms, 0);
	assert_false(agent_fixture_has_outcome(agent, 1));
}

static void a_lost_job_is_killed_at_once_and_never_reported(void **state)
{
	struct agent_fixture *agent = *state;

	agent->slots = 1;
	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	agent_fixture_run(agent, 2, "deaf", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_cancel(agent, 2, WIRE_CANCEL_LOST);
	agent_fixture_cancel(agent, 1, WIRE_CANCEL_LOST);
	fifo_await_all_dead(&agent->fifo);
	assert_int_equal(agent_fixture_finish(agent, 3, "true", "{}").verdict, VERDICT_DONE);
	assert_false(agent_fixture_has_outcome(agent, 1));
	assert_false(agent_fixture_has_outcome(agent, 2));
	assert_false(agent_fixture_has_started(agent, 2));
}

static void a_cancel_of_an_unknown_job_is_ignored(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	agent_fixture_cancel(agent, 99, WIRE_CANCEL_REQUESTED);
	agent_fixture_cancel(agent, 98, WIRE_CANCEL_LOST);
	assert_int_equal(agent_fixture_finish(agent, 1, "true", "{}").verdict, VERDICT_DONE);
}

static void stop_releases_what_waits_and_interrupts_what_runs(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->slots = 1;
	agent_fixture_script(agent, "wait", WAIT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "wait", "{}");
	agent_fixture_run(agent, 2, "wait", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_stop(agent, 10000);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, "released: the agent is stopping");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, STOPPED);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

static void stop_kills_after_its_grace(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "deaf", "{}");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_stop(agent, 100);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, STOPPED);
	assert_int_equal(outcome.signal, SIGKILL);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

static void what_ends_by_itself_in_the_grace_of_a_stop_counts(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "graceful",
			     "trap 'exit $(cat)' TERM; echo ready > $FIFO; "
			     "sleep 1000 & wait");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "graceful", "0");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_run(agent, 2, "graceful", "65");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_run(agent, 3, "graceful", "143");
	fifo_await(&agent->fifo, "ready");
	agent_fixture_stop(agent, 10000);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "failed for good (exit code 65)");
	outcome = agent_fixture_outcome(agent, 3);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, STOPPED);
	assert_int_equal(agent_fixture_await_exit(agent), 0);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_timeout_terminates_and_counts_as_an_attempt),
		TEST(a_handler_that_ignores_sigterm_is_killed_after_the_grace),
		TEST(the_timeout_of_the_job_goes_before_that_of_the_handler),
		TEST(a_stopped_process_is_terminated_too),
		TEST(a_cancelled_job_is_terminated),
		TEST(a_cancelled_job_that_ignores_sigterm_is_killed),
		TEST(a_waiting_job_is_cancelled_at_once),
		TEST(a_recall_releases_what_waits_and_leaves_what_runs),
		TEST(a_lost_job_is_killed_at_once_and_never_reported),
		TEST(a_cancel_of_an_unknown_job_is_ignored),
		TEST(stop_releases_what_waits_and_interrupts_what_runs),
		TEST(stop_kills_after_its_grace),
		TEST(what_ends_by_itself_in_the_grace_of_a_stop_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
