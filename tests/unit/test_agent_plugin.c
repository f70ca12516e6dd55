/* Plugins under a real agent: whatever one does to its host, its neighbours and the agent go on. */
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

static void start(struct agent_fixture *f)
{
	static const char *const SYMBOLS[] = { "done",     "echo",     "crash", "spin",
					       "stubborn", "massacre", "busy",  "leak",
					       "patient",  "gut",      "who" };

	for (size_t i = 0; i < sizeof(SYMBOLS) / sizeof(SYMBOLS[0]); i++)
		agent_fixture_deed(f, SYMBOLS[i]);
	agent_fixture_start(f);
}

static void run_done(struct agent_fixture *f, int64_t first, int count)
{
	for (int64_t id = first; id < first + count; id++) {
		struct wire_outcome outcome = agent_fixture_outcome(f, id);

		agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	}
}

static void send_done(struct agent_fixture *f, int64_t first, int count)
{
	struct wire_job *jobs = calloc((size_t)count, sizeof(*jobs));

	for (int i = 0; i < count; i++)
		jobs[i] = agent_fixture_job(first + i, "done", "{}");
	agent_fixture_send(f, jobs, (size_t)count);
	free(jobs);
}

static void jobs_of_plugins_run_and_their_results_come_back(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	outcome = agent_fixture_finish(f, 1, "echo", "{\"a\": 1}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.result, "{\"a\": 1}"));
	send_done(f, 2, 4000);
	run_done(f, 2, 4000);
}

static void a_crash_is_the_running_jobs_own(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	send_done(f, 1, 500);
	agent_fixture_run(f, 1001, "crash", "{}");
	send_done(f, 501, 500);
	outcome = agent_fixture_outcome(f, 1001);
	agent_fixture_assert_outcome(
		outcome, VERDICT_RETRY,
		"its plugin host was killed by signal 11 (Segmentation fault)");
	assert_int_equal(outcome.signal, SIGSEGV);
	for (int64_t id = 1; id <= 1000; id++) {
		outcome = agent_fixture_outcome(f, id);
		/* One that had ended and was not reported yet is the only other thing that can happen. */
		if (outcome.verdict != VERDICT_INTERRUPTED)
			agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	}
}

static void an_endless_loop_ends_with_its_timeout_and_delays_no_others(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_job job = agent_fixture_job(1, "spin", "{}");
	struct wire_outcome outcome;

	start(f);
	job.timeout_ms = 100;
	agent_fixture_send(f, &job, 1);
	send_done(f, 2, 1000);
	run_done(f, 2, 1000);
	outcome = agent_fixture_outcome(f, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 100ms");
}

static void long_jobs_get_hosts_of_their_own_up_to_the_slots(void **state)
{
	struct agent_fixture *f = *state;

	start(f);
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_run(f, id, "busy", "1000");
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_await_started(f, id);
	assert_false(agent_fixture_has_outcome(f, 1));
	agent_fixture_run(f, 5, "done", "{}");
	run_done(f, 1, 5);
}

static void a_job_that_ignores_its_cancellation_is_killed(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	agent_fixture_run(f, 1, "stubborn", "{}");
	agent_fixture_await_started(f, 1);
	agent_fixture_cancel(f, 1, WIRE_CANCEL_REQUESTED);
	outcome = agent_fixture_outcome(f, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_CANCELLED, "cancelled on request");
	send_done(f, 2, 10);
	run_done(f, 2, 10);
}

static void a_recall_releases_a_job_that_waits_for_a_host(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_run(f, id, "busy", "1000");
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_await_started(f, id);
	agent_fixture_run(f, 5, "done", "{}");
	agent_fixture_cancel(f, 5, WIRE_CANCEL_RECALL);
	outcome = agent_fixture_outcome(f, 5);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: recalled before it began");
	assert_int_equal(outcome.started_ms, 0);
}

static void a_lost_job_is_killed_and_never_reported(void **state)
{
	struct agent_fixture *f = *state;

	start(f);
	agent_fixture_run(f, 1, "stubborn", "{}");
	agent_fixture_await_started(f, 1);
	agent_fixture_cancel(f, 1, WIRE_CANCEL_LOST);
	for (int64_t id = 2; id <= 5; id++) /* as many as there are slots: one was freed */
		agent_fixture_run(f, id, "busy", "50");
	run_done(f, 2, 4);
	assert_false(agent_fixture_has_outcome(f, 1));
}

static void a_silent_job_is_killed_where_progress_is_asked_for(void **state)
{
	struct agent_fixture *f = *state;
	struct handler *handler = agent_fixture_deed(f, "stubborn");
	struct wire_outcome outcome;

	free(handler->name);
	handler->name = strdup("silent");
	handler->progress_timeout_ms = 200;
	handler = agent_fixture_deed(f, "busy");
	handler->progress_timeout_ms = 200;
	agent_fixture_start(f);
	agent_fixture_run(f, 1, "silent", "{}");
	agent_fixture_run(f, 2, "busy", "600");
	outcome = agent_fixture_outcome(f, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "hung: it showed no progress");
	run_done(f, 2, 1);
}

static void neither_a_massacre_nor_a_leak_reaches_the_agent(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	outcome = agent_fixture_finish(f, 1, "massacre", "{}");
	assert_true(agent_fixture_is(outcome.result, "\"refused\""));
	agent_fixture_run(f, 2, "leak", "{}");
	send_done(f, 3, 500);
	run_done(f, 2, 501);
}

static void a_stop_hands_back_what_waits(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_run(f, id, "patient", "{}");
	for (int64_t id = 1; id <= 4; id++)
		agent_fixture_await_started(f, id);
	send_done(f, 5, 20);
	agent_fixture_stop(f, 2000);
	for (int64_t id = 1; id <= 4; id++) {
		outcome = agent_fixture_outcome(f, id);
		agent_fixture_assert_outcome(outcome, VERDICT_INTERRUPTED,
					     "stopped: the plugin host is shutting down");
	}
	for (int64_t id = 5; id <= 24; id++)
		assert_int_equal(agent_fixture_outcome(f, id).verdict, VERDICT_RELEASED);
	assert_int_equal(agent_fixture_await_exit(f), 0);
}

static void a_stop_kills_what_does_not_end_in_its_grace(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	agent_fixture_run(f, 1, "stubborn", "{}");
	agent_fixture_await_started(f, 1);
	agent_fixture_stop(f, 100);
	outcome = agent_fixture_outcome(f, 1);
	assert_int_equal(outcome.verdict, VERDICT_INTERRUPTED);
	assert_int_equal(agent_fixture_await_exit(f), 0);
}

static void the_fence_kills_hosts_and_new_ones_come_behind_it(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;

	start(f);
	agent_fixture_run(f, 1, "stubborn", "{}");
	agent_fixture_await_started(f, 1);
	agent_fixture_fence_in(f, 0);
	outcome = agent_fixture_outcome(f, 1);
	assert_int_equal(outcome.verdict, VERDICT_INTERRUPTED);
	agent_fixture_run(f, 2, "done", "{}");
	agent_fixture_fence_in(f, 3600 * 1000);
	run_done(f, 2, 1);
}

static void an_agent_without_its_dispatcher_takes_its_hosts_along(void **state)
{
	struct agent_fixture *f = *state;

	start(f);
	agent_fixture_run(f, 1, "spin", "{}");
	agent_fixture_await_started(f, 1);
	agent_fixture_hang_up(f);
	assert_int_equal(agent_fixture_await_exit(f), 0);
	assert_true(agent_fixture_lock_is_free(f));
}

static void a_plugin_that_is_not_there_is_broken_from_the_start(void **state)
{
	struct agent_fixture *f = *state;
	struct handler *handler = agent_fixture_deed(f, "done");

	free(handler->path);
	handler->path = strdup("/no/such/file.so");
	agent_fixture_start(f);
	assert_true(
		agent_fixture_holds(agent_fixture_broken(f, "done").reason, "/no/such/file.so"));
	assert_int_equal(agent_fixture_finish(f, 1, "done", "{}").verdict, VERDICT_RELEASED);
}

static void a_symbol_that_is_not_there_breaks_its_handler_alone(void **state)
{
	struct agent_fixture *f = *state;

	agent_fixture_deed(f, "no_such_symbol");
	start(f);
	assert_int_equal(agent_fixture_finish(f, 1, "no_such_symbol", "{}").verdict,
			 VERDICT_RELEASED);
	agent_fixture_broken(f, "no_such_symbol");
	agent_fixture_run(f, 2, "done", "{}");
	run_done(f, 2, 1);
}

static void a_handler_that_keeps_crashing_is_broken(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;
	int64_t id = 1;

	start(f);
	do {
		outcome = agent_fixture_finish(f, id++, "crash", "{}");
	} while (outcome.verdict == VERDICT_RETRY && id < 50);
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
	agent_fixture_broken(f, "crash");
	agent_fixture_run(f, 100, "done", "{}");
	run_done(f, 100, 1);
}

static void a_plugin_that_spoils_its_host_is_broken_alone(void **state)
{
	struct agent_fixture *f = *state;
	struct wire_outcome outcome;
	int64_t id = 1;

	start(f);
	do {
		outcome = agent_fixture_finish(f, id++, "gut", "{}");
	} while (outcome.verdict == VERDICT_RETRY && id < 50);
	assert_int_equal(outcome.verdict, VERDICT_RELEASED);
	agent_fixture_broken(f, "gut");
	send_done(f, 100, 100);
	run_done(f, 100, 100);
	assert_int_equal(agent_fixture_finish(f, 200, "echo", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(f), 1);
}

static void a_suspect_shares_no_host(void **state)
{
	enum { MATES = 50 };
	struct agent_fixture *f = *state;

	start(f);
	assert_int_equal(agent_fixture_finish(f, 1, "gut", "{}").verdict, VERDICT_RETRY);
	for (int64_t id = 1000; id < 1003; id++) {
		send_done(f, 100 * (id - 999), MATES);
		agent_fixture_run(f, id, "gut", "{}");
		send_done(f, 100 * (id - 999) + MATES, MATES);
		run_done(f, 100 * (id - 999), 2 * MATES);
		assert_int_equal(agent_fixture_outcome(f, id).verdict, VERDICT_RETRY);
	}
}

static void the_death_of_idle_hosts_breaks_nobody(void **state)
{
	enum { DEATHS = 7 };
	struct agent_fixture *f = *state;

	start(f);
	for (int64_t id = 1; id <= DEATHS; id++) {
		struct wire_outcome outcome = agent_fixture_finish(f, id, "who", "{}");
		char text[16] = "";

		agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
		assert_true(outcome.result.length > 1 && outcome.result.length < sizeof(text));
		memcpy(text, outcome.result.bytes, outcome.result.length);
		assert_int_equal(kill((pid_t)strtol(text, NULL, 10), SIGKILL), 0);
	}
	assert_int_equal(agent_fixture_finish(f, 100, "echo", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(f), 0);
}

static void a_crashing_handler_that_waits_holds_up_no_other(void **state)
{
	enum { CRASHES = 4 };
	struct agent_fixture *f = *state;

	start(f);
	for (int64_t id = 1; id <= CRASHES; id++)
		assert_int_equal(agent_fixture_finish(f, id, "crash", "{}").verdict, VERDICT_RETRY);
	agent_fixture_run(f, CRASHES + 1, "crash", "{}");
	agent_fixture_run(f, CRASHES + 2, "done", "{}");
	run_done(f, CRASHES + 2, 1);
	assert_false(agent_fixture_has_outcome(f, CRASHES + 1));
}

int main(void)
{
#define TEST(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, agent_fixture_set_up, agent_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(jobs_of_plugins_run_and_their_results_come_back),
		TEST(a_crash_is_the_running_jobs_own),
		TEST(an_endless_loop_ends_with_its_timeout_and_delays_no_others),
		TEST(long_jobs_get_hosts_of_their_own_up_to_the_slots),
		TEST(a_job_that_ignores_its_cancellation_is_killed),
		TEST(a_recall_releases_a_job_that_waits_for_a_host),
		TEST(a_lost_job_is_killed_and_never_reported),
		TEST(a_silent_job_is_killed_where_progress_is_asked_for),
		TEST(neither_a_massacre_nor_a_leak_reaches_the_agent),
		TEST(a_stop_hands_back_what_waits),
		TEST(a_stop_kills_what_does_not_end_in_its_grace),
		TEST(the_fence_kills_hosts_and_new_ones_come_behind_it),
		TEST(an_agent_without_its_dispatcher_takes_its_hosts_along),
		TEST(a_plugin_that_is_not_there_is_broken_from_the_start),
		TEST(a_symbol_that_is_not_there_breaks_its_handler_alone),
		TEST(a_handler_that_keeps_crashing_is_broken),
		TEST(a_plugin_that_spoils_its_host_is_broken_alone),
		TEST(a_suspect_shares_no_host),
		TEST(the_death_of_idle_hosts_breaks_nobody),
		TEST(a_crashing_handler_that_waits_holds_up_no_other),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
