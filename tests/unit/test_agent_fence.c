#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

#define FENCED "fenced: the dispatcher could not prove in time that it is alive"

#define WAIT "exec 9> $FIFO; echo ready >&9; sleep 1000"
#define DEAF "trap '' TERM; exec 9> $FIFO; echo ready >&9; while :; do sleep 1000; done"
/* Says when SIGTERM comes, and goes on. */
#define TELLS                                                                                      \
	"exec 9> $FIFO; trap 'echo term >&9' TERM; echo ready >&9; while :; do sleep 1000 & wait $!; done"

/* How late the agent may act on a busy machine, and the first moment at which it may. */
enum { SLACK_MS = 5000, EARLY_MS = 2 };

enum { FAR_MS = 3600 * 1000 };

static void run_and_wait(struct agent_fixture *agent, int64_t id, const char *handler)
{
	agent_fixture_run(agent, id, handler, "{}");
	fifo_await(&agent->fifo, "ready");
}

static void assert_ended_about(const struct wire_outcome *outcome, int64_t at_ms)
{
	if (outcome->ended_ms < at_ms - EARLY_MS || outcome->ended_ms > at_ms + SLACK_MS)
		fail_msg("ended %d ms after the moment", (int)(outcome->ended_ms - at_ms));
}

static void sigterm_comes_a_kill_grace_before_the_deadline(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;
	int64_t deadline_ms;

	agent->kill_grace_ms = 60 * 1000;
	agent_fixture_script(agent, "wait", WAIT);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "wait");
	agent_fixture_fence_in(agent, 60 * 1000 + 400);
	deadline_ms = fence_deadline_ms(agent->fence);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	assert_int_equal(outcome.signal, SIGTERM);
	assert_ended_about(&outcome, deadline_ms - agent->kill_grace_ms);
}

static void sigkill_comes_at_the_deadline(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;
	int64_t deadline_ms;

	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "deaf");
	agent_fixture_fence_in(agent, 700);
	deadline_ms = fence_deadline_ms(agent->fence);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	assert_int_equal(outcome.signal, SIGKILL);
	assert_ended_about(&outcome, deadline_ms);
	fifo_await_all_dead(&agent->fifo);
}

static void a_lowered_fence_kills_without_a_message(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "deaf");
	fence_set_ms(agent->fence, FENCE_DOWN);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	fifo_await_all_dead(&agent->fifo);
}

static void the_fence_kills_what_escaped_too(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "escapes",
			     "trap '' TERM; exec 9> $FIFO; "
			     "setsid sh -c 'trap \"\" TERM; echo ready >&9; sleep 1000' & "
			     "exec sleep 1000");
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "escapes");
	fence_set_ms(agent->fence, FENCE_DOWN);
	fifo_await_all_dead(&agent->fifo);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_INTERRUPTED);
}

static void a_handler_that_is_to_finish_survives_the_deadline(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "finish", "exec 9> $FIFO; echo ready >&9; echo $(cat $FIFO.go)")
		->fence = HANDLER_FENCE_FINISH;
	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "finish");
	run_and_wait(agent, 2, "deaf");
	fence_set_ms(agent->fence, FENCE_DOWN);
	assert_int_equal(agent_fixture_outcome(agent, 2).verdict, VERDICT_INTERRUPTED);
	assert_false(agent_fixture_has_outcome(agent, 1));
	fifo_go(&agent->fifo);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
}

static void nothing_starts_near_the_fence_and_everything_once_it_is_raised(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;
	int64_t raised_ms;

	agent->kill_grace_ms = 60 * 1000;
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "true", "{}").verdict, VERDICT_DONE);
	agent_fixture_fence_in(agent, 59 * 1000);
	agent_fixture_run(agent, 2, "true", "{}");
	/* The answer about a job that is not known here shows that the agent has seen both. */
	agent_fixture_finish(agent, 3, "nobody's", "{}");
	assert_false(agent_fixture_has_started(agent, 2));
	fence_set_ms(agent->fence, FENCE_DOWN);
	agent_fixture_finish(agent, 4, "nobody's", "{}");
	assert_false(agent_fixture_has_started(agent, 2));
	raised_ms = clock_boottime_ms();
	agent_fixture_fence_in(agent, FAR_MS);
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(outcome.started_ms >= raised_ms);
}

static void jobs_wait_for_the_first_ping(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start_fenced(agent);
	agent_fixture_run(agent, 1, "true", "{}");
	agent_fixture_finish(agent, 2, "nobody's", "{}");
	assert_false(agent_fixture_has_started(agent, 1));
	agent_fixture_fence_in(agent, FAR_MS);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_DONE);
}

static void an_extended_deadline_is_never_acted_on_at_its_old_time(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "go", "exec 9> $FIFO; echo ready >&9; cat $FIFO.go");
	agent_fixture_command(agent, "brief", "/bin/sleep", "0.4", NULL);
	agent_fixture_start(agent);
	agent_fixture_fence_in(agent, 600);
	run_and_wait(agent, 1, "go");
	/* Pings go on: each extends before the last is due, well past the first deadline. */
	for (int64_t id = 2; id <= 4; id++) {
		agent_fixture_fence_in(agent, 10 * 1000);
		assert_int_equal(agent_fixture_finish(agent, id, "brief", "{}").verdict,
				 VERDICT_DONE);
	}
	assert_false(agent_fixture_has_outcome(agent, 1));
	fifo_go(&agent->fifo);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_DONE);
}

static void a_terminated_job_stays_so_when_the_fence_is_extended(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->kill_grace_ms = 500;
	agent_fixture_script(agent, "tells", TELLS);
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "tells");
	agent_fixture_fence_in(agent, 490);
	fifo_await(&agent->fifo, "term");
	agent_fixture_fence_in(agent, FAR_MS);
	/* New jobs run again. */
	assert_int_equal(agent_fixture_finish(agent, 2, "true", "{}").verdict, VERDICT_DONE);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	assert_int_equal(outcome.signal, SIGKILL);
}

static void an_exit_in_the_grace_before_the_deadline_counts(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->kill_grace_ms = 20 * 1000;
	agent_fixture_script(agent, "graceful",
			     "exec 9> $FIFO; trap 'exit 0' TERM; echo ready >&9; "
			     "sleep 1000 & wait");
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "graceful");
	agent_fixture_fence_in(agent, 19 * 1000);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
}

/* A frozen agent that wakes past the deadline finds a RUN frame and the death at once. */
static void the_first_act_after_a_freeze_is_the_kill(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "deaf", DEAF);
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "deaf");
	agent_fixture_freeze(agent);
	fence_set_ms(agent->fence, FENCE_DOWN);
	agent_fixture_run(agent, 2, "true", "{}");
	kill(agent->pid, SIGCONT);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	agent_fixture_finish(agent, 3, "nobody's", "{}");
	assert_false(agent_fixture_has_started(agent, 2));
}

/* What a job does until it is killed, in each kind; job 4 waits for a slot. */
static void occupy(struct agent_fixture *agent)
{
	agent->slots = 3;
	agent->kill_grace_ms = 60 * 1000;
	agent_fixture_script(agent, "deaf", DEAF);
	service_script(agent, "service", "run() { hear ready; sleep 1000; }");
	agent_fixture_deed(agent, "spin");
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	run_and_wait(agent, 1, "deaf");
	run_and_wait(agent, 2, "service");
	agent_fixture_run(agent, 3, "spin", "{}");
	agent_fixture_await_started(agent, 3);
	agent_fixture_run(agent, 4, "true", "{}");
}

/* Its dispatcher was declared dead, and has gone on living: nothing of the fence's fall is left to be seen. */
static void what_a_former_life_ran_is_killed_though_the_fence_is_up_again(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job late;

	occupy(agent);
	agent_fixture_freeze(agent);
	late = agent_fixture_job(5, "true", "{}");
	agent_fixture_send(agent, &late, 1);
	fence_end_life(agent->fence);
	agent_fixture_fence_in(agent, FAR_MS);
	agent_fixture_run(agent, 6, "true", "{}");
	kill(agent->pid, SIGCONT);
	for (int64_t id = 1; id <= 3; id++) {
		struct wire_outcome outcome = agent_fixture_outcome(agent, id);

		agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED, FENCED);
	}
	assert_int_equal(agent_fixture_outcome(agent, 6).verdict, VERDICT_DONE);
	agent_fixture_finish(agent, 7, "true", "{}");
	assert_false(agent_fixture_has_started(agent, 4));
	assert_false(agent_fixture_has_started(agent, 5));
}

/* They would start as soon as their host is back. */
static void what_waited_in_a_plugin_host_goes_with_the_former_life(void **state)
{
	struct agent_fixture *agent = *state;

	agent->slots = 1;
	agent_fixture_deed(agent, "spin");
	agent_fixture_deed(agent, "done");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "spin", "{}");
	agent_fixture_run(agent, 2, "done", "{}");
	agent_fixture_await_started(agent, 1);
	agent_fixture_run(agent, 3, "done", "{}");
	fence_end_life(agent->fence);
	agent_fixture_fence_in(agent, FAR_MS);
	assert_int_equal(agent_fixture_finish(agent, 4, "done", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_INTERRUPTED);
	assert_false(agent_fixture_has_outcome(agent, 2));
	assert_false(agent_fixture_has_outcome(agent, 3));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sigterm_comes_a_kill_grace_before_the_deadline),
		TEST(sigkill_comes_at_the_deadline),
		TEST(a_lowered_fence_kills_without_a_message),
		TEST(the_fence_kills_what_escaped_too),
		TEST(a_handler_that_is_to_finish_survives_the_deadline),
		TEST(nothing_starts_near_the_fence_and_everything_once_it_is_raised),
		TEST(jobs_wait_for_the_first_ping),
		TEST(an_extended_deadline_is_never_acted_on_at_its_old_time),
		TEST(a_terminated_job_stays_so_when_the_fence_is_extended),
		TEST(an_exit_in_the_grace_before_the_deadline_counts),
		TEST(the_first_act_after_a_freeze_is_the_kill),
		TEST(what_a_former_life_ran_is_killed_though_the_fence_is_up_again),
		TEST(what_waited_in_a_plugin_host_goes_with_the_former_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
