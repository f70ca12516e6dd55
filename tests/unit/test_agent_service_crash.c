#include <fcntl.h>
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

#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

/* Job 1 waits; job 2 does what a test says; the others succeed. */
#define ON_TWO(commands)                                                                           \
	"run() { case $id in 1) hear one;; 2) " commands ";; *) result {};; esac; }\n"

/* Both jobs end as crashed, for this reason, and the service goes on with a third. */
static void assert_crash(struct agent_fixture *agent, const char *functions, const char *reason)
{
	char error[256];
	struct wire_outcome outcome;

	snprintf(error, sizeof(error), "crashed: %s", reason);
	service_script(agent, "crash", functions);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "crash", "{}");
	agent_fixture_run(agent, 2, "crash", "{}");
	for (int i = 1; i <= 2; i++) {
		outcome = agent_fixture_outcome(agent, i);
		agent_fixture_assert_outcome(outcome, VERDICT_RETRY, error);
	}
	assert_int_equal(agent_fixture_finish(agent, 3, "crash", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(agent), 0);
}

static void an_exit_ends_all_its_jobs_as_crashed(void **state)
{
	assert_crash(*state, ON_TWO("exit 3"), "the service exited with code 3");
}

static void a_signal_ends_all_its_jobs_as_crashed(void **state)
{
	assert_crash(*state, ON_TWO("kill -SEGV $$"),
		     "the service was killed by signal 11 (Segmentation fault)");
}

static void the_end_of_its_answers_is_a_crash(void **state)
{
	assert_crash(*state, ON_TWO("exec 4>&-; exec sleep 1000"),
		     "the service closed a descriptor of its protocol");
}

static void the_end_of_its_orders_is_a_crash(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "crash", "run() { exec 3<&-; exec sleep 1000; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "crash", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY,
				     "crashed: the service closed a descriptor of its protocol");
}

static void a_line_that_is_no_json_is_a_crash(void **state)
{
	assert_crash(*state, ON_TWO("say 'Traceback:'; sleep 1000"),
		     "the service broke its protocol: no JSON: no object at byte 1");
}

static void an_answer_of_another_shape_is_a_crash(void **state)
{
	assert_crash(*state, ON_TWO("result '[]'; sleep 1000"),
		     "the service broke its protocol: the result of a job: no JSON: no object at "
		     "byte 1");
}

static void an_unknown_outcome_is_a_crash(void **state)
{
	assert_crash(*state, ON_TWO("error no '{\"outcome\":\"maybe\"}'; sleep 1000"),
		     "the service broke its protocol: the error of a job: outcome is none of "
		     "retry, fail, snooze");
}

static void a_line_without_an_end_is_a_crash(void **state)
{
	assert_crash(*state, ON_TWO("head -c 5000000 /dev/zero | tr '\\0' ' ' >&4; sleep 1000"),
		     "the service wrote a line of more than 4 MiB");
}

/* It reads no order from then on, so that refusals would fill all the memory that its orders may have. */
static void endless_requests_are_a_crash(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_broken broken;

	service_script(
		agent, "ask",
		"ready() { result '{}'; "
		"while :; do say '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ask\"}'; done; }");
	agent_fixture_start(agent);
	broken = agent_fixture_broken(agent, "ask");
	assert_true(agent_fixture_is(broken.reason,
				     "the service broke its protocol: more than 100 requests"));
}

static void what_was_answered_before_the_crash_counts(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(
		agent, "last",
		"run() { hear got; read -r go < $FIFO.go; result {}; hear answered; exit 1; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "last", "{}");
	fifo_await(&agent->fifo, "got");
	agent_fixture_freeze(agent);
	fifo_go(&agent->fifo);
	fifo_await(&agent->fifo, "answered");
	kill(agent->pid, SIGCONT);
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_DONE);
}

static void a_crashed_job_keeps_the_last_words_of_its_process(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "words",
		       "run() { notify job.log '{\"id\":1,\"message\":\"mine\"}'; "
		       "echo 'panic: \033[31mred' >&2; exit 1; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "words", "{}");
	assert_int_equal(outcome.exit_code, 1);
	assert_true(agent_fixture_holds(outcome.log, "mine\n[the service's own output]\n"));
	assert_true(agent_fixture_holds(outcome.log, "panic: "));
}

static void a_crash_takes_along_what_the_process_left_behind(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "strays",
		       "run() { setsid sh -c 'exec > $FIFO 3<&- 4>&-; echo up; exec sleep 1000' & "
		       "sleep 1000 & read -r go < $FIFO.go; exit 1; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "strays", "{}");
	fifo_await(&agent->fifo, "up");
	fifo_go(&agent->fifo);
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY,
				     "crashed: the service exited with code 1");
	fifo_await_all_dead(&agent->fifo);
}

static void jobs_that_wait_survive_a_crash(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "one", "run() { [ $id = 1 ] && exit 1; result {}; }")->concurrency =
		1;
	agent_fixture_start(agent);
	for (int i = 1; i <= 3; i++)
		agent_fixture_run(agent, i, "one", "{}");
	assert_int_equal(agent_fixture_outcome(agent, 1).verdict, VERDICT_RETRY);
	assert_int_equal(agent_fixture_outcome(agent, 2).verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_outcome(agent, 3).verdict, VERDICT_DONE);
}

/* --- the breaker ------------------------------------------------------------------------------- */

/* What a script may look for as $FIFO.good. */
static void make_good(const struct agent_fixture *agent, char path[static AGENT_FIXTURE_PATH])
{
	int fd;

	snprintf(path, AGENT_FIXTURE_PATH, "%.200s.good", agent->fifo.path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void a_crash_loop_breaks_the_handler_until_a_process_is_ready(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;
	struct wire_broken broken;
	char good[AGENT_FIXTURE_PATH];

	service_script(agent, "loop", "[ -e $FIFO.good ] || exit 9\n");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "loop", "{}");
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, "the service exited with code 9");
	broken = agent_fixture_broken(agent, "loop");
	assert_true(agent_fixture_is(broken.reason, "the service exited with code 9"));
	outcome = agent_fixture_finish(agent, 2, "loop", "{}");
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
	make_good(agent, good);
	agent_fixture_await_mended(agent, "loop");
	assert_int_equal(agent_fixture_finish(agent, 3, "loop", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(agent), 1);
	unlink(good);
}

static void on_probation_one_crash_breaks_it_again(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job jobs[2];
	struct wire_outcome outcome;
	char good[AGENT_FIXTURE_PATH];

	service_script(agent, "loop", "[ -e $FIFO.good ] || exit 9\nrun() { exit 8; }");
	agent_fixture_start(agent);
	agent_fixture_broken(agent, "loop");
	make_good(agent, good);
	agent_fixture_await_mended(agent, "loop");
	jobs[0] = agent_fixture_job(1, "loop", "{}");
	jobs[1] = agent_fixture_job(2, "loop", "{}");
	agent_fixture_send(agent, jobs, 2);
	/* One is risked, the other one is not. */
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY,
				     "crashed: the service exited with code 8");
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, "the service exited with code 8");
	assert_int_equal(agent_fixture_broken_count(agent), 2);
	unlink(good);
}

static void processes_that_die_together_do_not_break_their_handler(void **state)
{
	enum { PROCESSES = 8 };
	struct agent_fixture *agent = *state;
	struct handler *handler = service_script(agent, "doomed",
						 "run() { [ $id -gt 8 ] && { result {}; return; }; "
						 "hear in.; while [ ! -e $FIFO.good ]; do :; done; "
						 "kill -9 $$; }");
	char good[AGENT_FIXTURE_PATH];

	handler->instances = PROCESSES;
	handler->concurrency = 1;
	agent->slots = PROCESSES + 1;
	agent_fixture_start(agent);
	for (int i = 1; i <= PROCESSES; i++)
		agent_fixture_run(agent, i, "doomed", "{}");
	for (int i = 1; i <= PROCESSES; i++)
		fifo_await(&agent->fifo, "in.");
	make_good(agent, good);
	for (int i = 1; i <= PROCESSES; i++)
		assert_int_equal(agent_fixture_outcome(agent, i).verdict, VERDICT_RETRY);
	assert_int_equal(agent_fixture_finish(agent, PROCESSES + 1, "doomed", "{}").verdict,
			 VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(agent), 0);
	unlink(good);
}

static void a_service_that_refuses_to_start_is_broken(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_broken broken;

	service_script(agent, "refuse", "ready() { error 'no licence'; sleep 1000; }");
	agent_fixture_start(agent);
	broken = agent_fixture_broken(agent, "refuse");
	assert_true(
		agent_fixture_is(broken.reason, "the service refused initialize: \"no licence\""));
}

static void a_program_that_cannot_be_executed_is_broken_at_once(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *handler = agent_fixture_command(agent, "none", "/bin/sh", NULL);
	struct wire_outcome outcome;

	handler->kind = HANDLER_SERVICE;
	handler->directory = strdup("/nonexistent");
	agent_fixture_start(agent);
	agent_fixture_broken(agent, "none");
	outcome = agent_fixture_finish(agent, 1, "none", "{}");
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_exit_ends_all_its_jobs_as_crashed),
		TEST(a_signal_ends_all_its_jobs_as_crashed),
		TEST(the_end_of_its_answers_is_a_crash),
		TEST(the_end_of_its_orders_is_a_crash),
		TEST(a_line_that_is_no_json_is_a_crash),
		TEST(an_answer_of_another_shape_is_a_crash),
		TEST(an_unknown_outcome_is_a_crash),
		TEST(a_line_without_an_end_is_a_crash),
		TEST(endless_requests_are_a_crash),
		TEST(what_was_answered_before_the_crash_counts),
		TEST(a_crashed_job_keeps_the_last_words_of_its_process),
		TEST(a_crash_takes_along_what_the_process_left_behind),
		TEST(jobs_that_wait_survive_a_crash),
		TEST(a_crash_loop_breaks_the_handler_until_a_process_is_ready),
		TEST(on_probation_one_crash_breaks_it_again),
		TEST(processes_that_die_together_do_not_break_their_handler),
		TEST(a_service_that_refuses_to_start_is_broken),
		TEST(a_program_that_cannot_be_executed_is_broken_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
