#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rpc.h"
#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

/* The second process of each is a good one. */
#define ONCE(commands)                                                                             \
	"[ -e $FIFO.$LOCUM_HANDLER ] || { : > $FIFO.$LOCUM_HANDLER; " commands "; }\n"

static void clean_up(const struct agent_fixture *agent, const char *handler)
{
	char path[AGENT_FIXTURE_PATH];

	snprintf(path, sizeof(path), "%.200s.%s", agent->fifo.path, handler);
	unlink(path);
}

/* More than a pipe takes. */
static char *large_payload(void)
{
	enum { BYTES = 500000 };
	char *payload = malloc(BYTES + 1);

	memset(payload, 'x', BYTES);
	payload[0] = payload[BYTES - 1] = '"';
	payload[BYTES] = '\0';
	return payload;
}

static void a_process_that_does_not_answer_in_time_is_replaced(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent->slots = 10;
	service_script(agent, "mute", ONCE("ready() { :; }"));
	service_script(agent, "deaf",
		       ONCE("ready() { result '{\"pings\":true}'; }; run() { :; }; "
			    "ping() { hear ping; }"));
	service_script(
		agent, "alive",
		"ready() { result '{\"pings\":true}'; }\n"
		"run() { mine=$id; }\n"
		"ping() { result {}; n=$((n + 1)); [ $n -lt 3 ] || { id=$mine; result {}; }; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "mute", "{}");
	agent_fixture_run(agent, 2, "deaf", "{}");
	agent_fixture_run(agent, 3, "alive", "{}");
	/* The first process never got its job. */
	outcome = agent_fixture_outcome(agent, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	fifo_await(&agent->fifo, "ping");
	outcome = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY,
				     "crashed: the service did not answer a ping in time");
	assert_true(outcome.ended_ms - outcome.started_ms >= RPC_ANSWER_MS + RPC_PING_MS - 1000);
	assert_int_equal(agent_fixture_finish(agent, 4, "deaf", "{}").verdict, VERDICT_DONE);
	/* Three pings are answered while a job runs. */
	outcome = agent_fixture_outcome(agent, 3);
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_int_equal(agent_fixture_broken_count(agent), 0);
	clean_up(agent, "mute");
	clean_up(agent, "deaf");
}

/* It answered an order of which it never reads the end. */
static void a_process_without_jobs_that_does_not_read_is_replaced(void **state)
{
	struct agent_fixture *agent = *state;
	char *large = large_payload();

	service_script(agent, "lazy",
		       "ready() { hear up; result {}; }\n" ONCE(
			       "ready() { result {}; head -c 100 <&3; id=1; result {}; "
			       "exec sleep 1000; }"));
	agent_fixture_start(agent);
	assert_int_equal(agent_fixture_finish(agent, 1, "lazy", large).verdict, VERDICT_DONE);
	fifo_await(&agent->fifo, "up");
	assert_int_equal(agent_fixture_finish(agent, 2, "lazy", "{}").verdict, VERDICT_DONE);
	clean_up(agent, "lazy");
	free(large);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_that_does_not_answer_in_time_is_replaced),
		TEST(a_process_without_jobs_that_does_not_read_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
