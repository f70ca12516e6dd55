/* Handlers that write without end: the agent keeps the tail, and its memory. (Of commands: test_agent_output.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define FLOOD (SANITIZED ? "50000000" : "1000000000")

static void assert_tail(struct agent_fixture *agent, struct wire_outcome outcome)
{
	assert_int_equal(outcome.verdict, VERDICT_RETRY);
	assert_true(outcome.log.length <= LIMIT_LOG_BYTES);
	assert_true(outcome.log.length > LIMIT_LOG_BYTES / 2);
	assert_memory_equal(outcome.log.bytes + outcome.log.length - 4, "end\n", 4);
	if (!SANITIZED)
		assert_true(agent_fixture_status(agent, "VmHWM") < 16 * 1024);
}

/* A service's output is kept for the report of its crash. */
static void a_gigabyte_of_a_services_output_needs_no_memory(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "flood", "run() { head -c $payload /dev/zero; echo end; exit 1; }");
	agent_fixture_start(agent);
	assert_tail(agent, agent_fixture_finish(agent, 1, "flood", FLOOD));
}

static void a_gigabyte_of_a_plugins_output_needs_no_memory(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_deed(agent, "spew");
	agent_fixture_start(agent);
	assert_tail(agent, agent_fixture_finish(agent, 1, "spew", FLOOD));
}

/* Lines of a job's log, each a message of the protocol. */
static void a_flood_of_log_lines_keeps_the_last_ones(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(
		agent, "talk",
		"run() { yes '{\"jsonrpc\":\"2.0\",\"method\":\"job.log\",\"params\":{\"id\":1,"
		"\"message\":\"again and again and again\"}}' | head -n $payload >&4; "
		"notify job.log '{\"id\":1,\"message\":\"end\"}'; error full; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "talk", SANITIZED ? "20000" : "1000000");
	assert_tail(agent, outcome);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_gigabyte_of_a_services_output_needs_no_memory),
		TEST(a_gigabyte_of_a_plugins_output_needs_no_memory),
		TEST(a_flood_of_log_lines_keeps_the_last_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
