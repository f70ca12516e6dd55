#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

static void a_job_is_answered_with_its_result(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "echo", "run() { result '{\"value\":'\"$payload\"'}'; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "echo", "{\"a\": \"b\"}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.result, "{\"a\": \"b\"}"));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_answered_with_its_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
