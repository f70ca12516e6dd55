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

/* --- exit codes -------------------------------------------------------------------------------- */

static void every_exit_code_has_its_verdict(void **state)
{
	static const struct {
		const char *code;
		enum verdict verdict;
		const char *error;
	} ROWS[] = {
		{ "0", VERDICT_DONE, NULL },
		{ "1", VERDICT_RETRY, "exit code 1" },
		{ "2", VERDICT_RETRY, "exit code 2" },
		{ "3", VERDICT_RETRY, "exit code 3" },
		{ "70", VERDICT_RETRY, "exit code 70" },
		{ "101", VERDICT_RETRY, "exit code 101" },
		{ "143", VERDICT_RETRY, "exit code 143" },
		{ "255", VERDICT_RETRY, "exit code 255" },
		{ "75", VERDICT_RETRY, "asked to be tried again (exit code 75)" },
		{ "111", VERDICT_RETRY, "asked to be tried again (exit code 111)" },
		{ "64", VERDICT_FAIL, "failed for good (exit code 64)" },
		{ "65", VERDICT_FAIL, "failed for good (exit code 65)" },
		{ "76", VERDICT_FAIL, "failed for good (exit code 76)" },
		{ "77", VERDICT_FAIL, "failed for good (exit code 77)" },
		{ "78", VERDICT_FAIL, "failed for good (exit code 78)" },
		{ "100", VERDICT_FAIL, "failed for good (exit code 100)" },
		{ "112", VERDICT_FAIL, "failed for good (exit code 112)" },
	};
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "exit", "exit $(cat)");
	agent_fixture_start(agent);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct wire_outcome outcome = agent_fixture_finish(agent, (int64_t)i + 1, "exit",
								   ROWS[i].code);

		agent_fixture_assert_outcome(outcome, ROWS[i].verdict, ROWS[i].error);
		assert_int_equal(outcome.exit_code, (int)strtol(ROWS[i].code, NULL, 10));
		assert_int_equal(outcome.signal, 0);
		assert_true(outcome.started_ms > 0 && outcome.ended_ms >= outcome.started_ms);
	}
}

static void exit_codes_126_and_127_release_the_job_and_break_the_handler(void **state)
{
	static const char *const CODES[] = { "126", "127" };
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "exit 126", "exit $(cat)");
	agent_fixture_script(agent, "exit 127", "exit $(cat)");
	agent_fixture_start(agent);
	for (size_t i = 0; i < 2; i++) {
		char name[16];
		char error[64];
		struct wire_outcome outcome;

		snprintf(name, sizeof(name), "exit %s", CODES[i]);
		snprintf(error, sizeof(error), "could not be executed here (exit code %s)",
			 CODES[i]);
		outcome = agent_fixture_finish(agent, (int64_t)i + 1, name, CODES[i]);
		agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, error);
		assert_true(agent_fixture_is(agent_fixture_broken(agent, name).reason, error));
	}
}

static void a_signal_is_a_crash_that_counts(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "kill", "kill -$(cat) $$");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "kill", "SEGV");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY,
				     "killed by signal 11 (Segmentation fault)");
	assert_int_equal(outcome.signal, 11);
	assert_int_equal(outcome.exit_code, -1);
	outcome = agent_fixture_finish(agent, 2, "kill", "KILL");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "killed by signal 9 (Killed)");
	outcome = agent_fixture_finish(agent, 3, "kill", "TERM");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "killed by signal 15 (Terminated)");
}

/* --- handlers that cannot run ------------------------------------------------------------------ */

static void a_program_that_cannot_be_executed_is_broken_from_the_start(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_command(agent, "missing", "/nowhere/program", NULL);
	agent_fixture_command(agent, "relative", "true", NULL);
	agent_fixture_command(agent, "directory", "/tmp", NULL);
	agent_fixture_command(agent, "data", "/etc/passwd", NULL);
	agent_fixture_command(agent, "nothing", NULL);
	agent_fixture_command(agent, "stranger", "/bin/true", NULL)->user = strdup("no-such-user");
	agent_fixture_start(agent);
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "missing").reason,
				     "cannot execute /nowhere/program: No such file or directory"));
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "relative").reason,
				     "true is not an absolute path"));
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "directory").reason,
				     "cannot execute /tmp: not a file"));
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "data").reason,
				     "cannot execute /etc/passwd: not executable"));
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "nothing").reason,
				     "no program is configured"));
	assert_true(agent_fixture_is(agent_fixture_broken(agent, "stranger").reason,
				     "there is no user no-such-user"));
	outcome = agent_fixture_finish(agent, 1, "missing", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: the handler cannot be executed here");
	assert_int_equal(outcome.started_ms, 0);
	assert_false(agent_fixture_has_started(agent, 1));
}

static void a_failed_execution_releases_all_jobs_of_the_handler(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *handler = agent_fixture_command(agent, "homeless", "/bin/true", NULL);
	struct wire_job jobs[3];

	agent->slots = 1;
	handler->directory = strdup("/nowhere");
	agent_fixture_start(agent);
	for (size_t i = 0; i < 3; i++)
		jobs[i] = agent_fixture_job((int64_t)i + 1, "homeless", "{}");
	agent_fixture_send(agent, jobs, 3);
	for (int64_t id = 1; id <= 3; id++) {
		struct wire_outcome outcome = agent_fixture_outcome(agent, id);

		agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
					     "cannot change to the directory of /bin/true, "
					     "/nowhere: No such file or directory");
		assert_int_equal(outcome.started_ms, 0);
	}
	assert_int_equal(agent_fixture_broken_count(agent), 1);
}

static void a_script_without_interpreter_is_broken(void **state)
{
	struct agent_fixture *agent = *state;
	char path[AGENT_FIXTURE_PATH];
	FILE *file;

	snprintf(path, sizeof(path), "%.200s/script", agent->directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("#!/nowhere/interpreter\n", file);
	assert_int_equal(fchmod(fileno(file), 0755), 0);
	fclose(file);
	agent_fixture_command(agent, "script", path, NULL);
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "script", "{}").verdict, VERDICT_RELEASED);
	assert_true(agent_fixture_holds(agent_fixture_broken(agent, "script").reason,
					"cannot execute"));
	unlink(path);
}

static void an_unknown_handler_is_released(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "nobody's", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: the agent does not know this handler");
}

/* --- payload and result ------------------------------------------------------------------------ */

/* LIMIT_PAYLOAD_BYTES of every kind of byte that UTF-8 allows, quotes and line ends included. */
static char *make_payload(void)
{
	static const char PATTERN[] =
		"{\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98\":\"\\u0000\r\n\t\x7f\x01'$`\"} ";
	char *payload = malloc(LIMIT_PAYLOAD_BYTES + 1);

	assert_non_null(payload);
	for (size_t i = 0; i < LIMIT_PAYLOAD_BYTES; i++)
		payload[i] = PATTERN[i % (sizeof(PATTERN) - 1)];
	/* The last pattern may be torn. */
	memset(payload + LIMIT_PAYLOAD_BYTES - sizeof(PATTERN), ' ', sizeof(PATTERN));
	payload[LIMIT_PAYLOAD_BYTES] = '\0';
	return payload;
}

static void the_payload_arrives_byte_for_byte_and_so_does_the_result(void **state)
{
	struct agent_fixture *agent = *state;
	char *payload = make_payload();
	struct wire_outcome outcome;

	agent_fixture_script(agent, "echo", "cat >&3");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "echo", payload);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_int_equal(outcome.result.length, LIMIT_PAYLOAD_BYTES);
	assert_memory_equal(outcome.result.bytes, payload, LIMIT_PAYLOAD_BYTES);
	free(payload);
}

static void the_payload_may_be_opened_again_and_not_changed(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "reopen",
			     "cat /dev/stdin >&3; cat /proc/self/fd/0 >&3; "
			     "echo x >> /dev/stdin && exit 1; exit 0");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "reopen", "[1]");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.result, "[1][1]"));
}

static void an_unread_payload_does_no_harm(void **state)
{
	struct agent_fixture *agent = *state;
	char *payload = make_payload();

	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "true", payload).verdict, VERDICT_DONE);
	free(payload);
}

static void a_result_that_is_not_written_is_absent(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "true", "{}");
	assert_null(outcome.result.bytes);
	assert_null(outcome.log.bytes);
	assert_null(outcome.error.bytes);
}

static void a_result_keeps_its_trailing_newline(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "echo", "echo ' {} ' >&3");
	agent_fixture_start(agent);
	assert_true(agent_fixture_is(agent_fixture_finish(agent, 1, "echo", "").result, " {} \n"));
}

static void a_result_that_cannot_be_kept_fails_the_job(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "large", "head -c 1048577 /dev/zero | tr '\\0' ' ' >&3");
	agent_fixture_script(agent, "latin", "printf '\"\\344\"' >&3");
	agent_fixture_script(agent, "nul", "printf '\"\\000\"' >&3");
	agent_fixture_script(agent, "failed", "printf '\\344' >&3; exit 3");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "large", "");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "result is larger than 1048576 bytes");
	assert_null(outcome.result.bytes);
	outcome = agent_fixture_finish(agent, 2, "latin", "");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "result is not valid UTF-8");
	assert_null(outcome.result.bytes);
	outcome = agent_fixture_finish(agent, 3, "nul", "");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "result holds a NUL byte");
	outcome = agent_fixture_finish(agent, 4, "failed", "");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "exit code 3");
	assert_null(outcome.result.bytes);
}

/* --- many -------------------------------------------------------------------------------------- */

static void no_more_jobs_run_at_once_than_there_are_slots(void **state)
{
	enum { COUNT = 7, SLOTS = 3 };
	struct agent_fixture *agent = *state;
	struct wire_outcome jobs[COUNT];

	agent->slots = SLOTS;
	agent_fixture_script(agent, "wait", WAIT)->timeout_ms = 300;
	agent_fixture_start(agent);
	for (int64_t id = 1; id <= COUNT; id++)
		agent_fixture_run(agent, id, "wait", "{}");
	for (int i = 0; i < COUNT; i++)
		jobs[i] = agent_fixture_outcome(agent, i + 1);
	for (int i = 0; i < COUNT; i++) {
		int running = 0;

		for (int j = 0; j < COUNT; j++)
			running += jobs[j].started_ms <= jobs[i].started_ms &&
				   jobs[i].started_ms < jobs[j].ended_ms;
		assert_in_range(running, 1, SLOTS);
	}
}

static void a_thousand_jobs_of_one_frame_all_end(void **state)
{
	enum { COUNT = 1000 };
	struct agent_fixture *agent = *state;
	struct wire_job jobs[COUNT];

	agent->slots = 16;
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	for (int64_t i = 0; i < COUNT; i++)
		jobs[i] = agent_fixture_job(i + 1, "true", "{}");
	agent_fixture_send(agent, jobs, COUNT);
	for (int64_t id = 1; id <= COUNT; id++) {
		assert_int_equal(agent_fixture_outcome(agent, id).verdict, VERDICT_DONE);
		assert_true(agent_fixture_has_started(agent, id));
	}
}

static void more_jobs_than_may_wait_are_handed_back(void **state)
{
	enum { COUNT = 16384 + 10 };
	struct agent_fixture *agent = *state;
	struct wire_job *jobs = calloc(COUNT, sizeof(*jobs));
	struct wire_outcome outcome;

	assert_non_null(jobs);
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start_fenced(agent);
	for (int64_t i = 0; i < COUNT; i++)
		jobs[i] = agent_fixture_job(i + 1, "true", "{}");
	agent_fixture_send(agent, jobs, COUNT);
	outcome = agent_fixture_outcome(agent, COUNT);
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: too many jobs wait here");
	assert_true(agent_fixture_has_outcome(agent, COUNT - 9));
	assert_false(agent_fixture_has_outcome(agent, COUNT - 10));
	free(jobs);
}

static void a_frame_that_is_no_frame_ends_the_agent(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_start(agent);
	assert_int_equal(buffer_append(&agent->out, "\xff\xff\xff\xff\x02", 5, NULL), 0);
	agent_fixture_flush(agent);
	assert_int_equal(agent_fixture_await_exit(agent), 76);
}

static void another_protocol_is_refused(void **state)
{
	static const char HELLO[] = { 4, 0, 0, 0, WIRE_HELLO, 99, 0, 0, 0 };
	struct agent_fixture *agent = *state;

	agent_fixture_launch(agent);
	assert_int_equal(buffer_append(&agent->out, HELLO, sizeof(HELLO), NULL), 0);
	agent_fixture_flush(agent);
	assert_int_equal(agent_fixture_await_exit(agent), 78);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_exit_code_has_its_verdict),
		TEST(exit_codes_126_and_127_release_the_job_and_break_the_handler),
		TEST(a_signal_is_a_crash_that_counts),
		TEST(a_program_that_cannot_be_executed_is_broken_from_the_start),
		TEST(a_failed_execution_releases_all_jobs_of_the_handler),
		TEST(a_script_without_interpreter_is_broken),
		TEST(an_unknown_handler_is_released),
		TEST(the_payload_arrives_byte_for_byte_and_so_does_the_result),
		TEST(the_payload_may_be_opened_again_and_not_changed),
		TEST(an_unread_payload_does_no_harm),
		TEST(a_result_that_is_not_written_is_absent),
		TEST(a_result_keeps_its_trailing_newline),
		TEST(a_result_that_cannot_be_kept_fails_the_job),
		TEST(no_more_jobs_run_at_once_than_there_are_slots),
		TEST(a_thousand_jobs_of_one_frame_all_end),
		TEST(more_jobs_than_may_wait_are_handed_back),
		TEST(a_frame_that_is_no_frame_ends_the_agent),
		TEST(another_protocol_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
