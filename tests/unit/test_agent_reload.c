/* An agent that gets another configuration, and one that is to hand back what has not started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_fixture.h"

#define TEST(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, agent_fixture_set_up, agent_fixture_tear_down)

/* Sends what the fixture's handlers and slots are now. */
static void reload(struct agent_fixture *fixture)
{
	struct wire_hello terms = {
		.agent = fixture->directory,
		.slots = fixture->slots,
		.kill_grace_ms = fixture->kill_grace_ms,
		.log_level = LOG_LEVEL_INFO,
		.handler_count = fixture->handler_count,
		.handlers = fixture->handlers,
	};

	assert_int_equal(wire_write_reload(&fixture->out, &terms, NULL), 0);
	fixture->events.ready = false;
	agent_fixture_flush(fixture);
	while (!fixture->events.ready)
		agent_events_await(&fixture->events, fixture->socket);
}

static void recall(struct agent_fixture *fixture)
{
	assert_int_equal(wire_write_recall(&fixture->out, NULL), 0);
	agent_fixture_flush(fixture);
}

static void assert_released(struct agent_fixture *fixture, int64_t id, const char *why)
{
	struct wire_outcome outcome = agent_fixture_outcome(fixture, id);

	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED, why);
	assert_int_equal(outcome.started_ms, 0);
}

static void what_waits_for_a_changed_handler_is_handed_back_and_what_runs_goes_on(void **state)
{
	struct agent_fixture *fixture = *state;
	struct wire_outcome outcome;

	fixture->slots = 1;
	agent_fixture_script(fixture, "slow", "sleep 0.3; exit 3");
	agent_fixture_script(fixture, "same", "exit 0");
	agent_fixture_start(fixture);
	agent_fixture_run(fixture, 1, "slow", "{}");
	agent_fixture_await_started(fixture, 1);
	agent_fixture_run(fixture, 2, "slow", "{}");
	agent_fixture_run(fixture, 3, "same", "{}");
	fixture->handlers[0].timeout_ms = 20;
	reload(fixture);
	assert_released(fixture, 2, "released: the handler was changed or removed");
	outcome = agent_fixture_outcome(fixture, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "exit code 3");
	outcome = agent_fixture_outcome(fixture, 3);
	assert_int_equal(outcome.verdict, VERDICT_DONE);
	outcome = agent_fixture_finish(fixture, 4, "slow", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "timed out after 20ms");
}

static void a_removed_handler_is_unknown(void **state)
{
	struct agent_fixture *fixture = *state;
	struct wire_outcome outcome;

	agent_fixture_script(fixture, "stays", "exit 0");
	agent_fixture_script(fixture, "goes", "exit 0");
	agent_fixture_start(fixture);
	fixture->handler_count = 1;
	reload(fixture);
	outcome = agent_fixture_finish(fixture, 1, "goes", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RELEASED,
				     "released: the agent does not know this handler");
	outcome = agent_fixture_finish(fixture, 2, "stays", "{}");
	assert_int_equal(outcome.verdict, VERDICT_DONE);
	fixture->handler_count = 2;
}

static void more_slots_count_at_once(void **state)
{
	struct agent_fixture *fixture = *state;

	fixture->slots = 1;
	agent_fixture_script(fixture, "slow", "sleep 60");
	agent_fixture_start(fixture);
	for (int64_t id = 1; id <= 3; id++)
		agent_fixture_run(fixture, id, "slow", "{}");
	agent_fixture_await_started(fixture, 1);
	assert_false(agent_fixture_has_started(fixture, 2));
	fixture->slots = 3;
	reload(fixture);
	agent_fixture_await_started(fixture, 2);
	agent_fixture_await_started(fixture, 3);
}

static void a_recall_hands_back_what_has_not_started_and_no_more(void **state)
{
	struct agent_fixture *fixture = *state;
	struct wire_outcome outcome;

	fixture->slots = 1;
	agent_fixture_script(fixture, "slow", "sleep 0.3; exit 3");
	agent_fixture_start(fixture);
	for (int64_t id = 1; id <= 3; id++)
		agent_fixture_run(fixture, id, "slow", "{}");
	agent_fixture_await_started(fixture, 1);
	recall(fixture);
	assert_released(fixture, 2, "released: the dispatcher is draining");
	assert_released(fixture, 3, "released: the dispatcher is draining");
	assert_false(agent_fixture_has_outcome(fixture, 1));
	outcome = agent_fixture_outcome(fixture, 1);
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "exit code 3");
}

/* --- plugin hosts ------------------------------------------------------------------------------ */

static void add_plugin(struct agent_fixture *fixture, const char *symbol)
{
	struct handler *handler = &fixture->handlers[fixture->handler_count++];

	handler->kind = HANDLER_PLUGIN;
	handler->name = strdup(symbol);
	handler->symbol = strdup(symbol);
	assert_true(asprintf(&handler->path, "%s/../plugins/deeds.so", getenv("LOCUM_TEST_BIN")) >
		    0);
	handler->limits = (struct handler_limits){ -1, -1, -1, -1, -1 };
}

/* One that runs for that long in the only slot, and two behind it. */
static void occupy(struct agent_fixture *fixture, const char *ms)
{
	fixture->slots = 1;
	add_plugin(fixture, "busy");
	add_plugin(fixture, "done");
	agent_fixture_start(fixture);
	agent_fixture_run(fixture, 1, "busy", ms);
	agent_fixture_await_started(fixture, 1);
	agent_fixture_run(fixture, 2, "busy", ms);
	agent_fixture_run(fixture, 3, "done", "{}");
}

static void a_host_whose_handlers_change_finishes_and_is_replaced(void **state)
{
	struct agent_fixture *fixture = *state;

	occupy(fixture, "400");
	fixture->handlers[0].timeout_ms = 60000;
	reload(fixture);
	assert_int_equal(agent_fixture_outcome(fixture, 2).verdict, VERDICT_RELEASED);
	assert_int_equal(agent_fixture_outcome(fixture, 3).verdict, VERDICT_RELEASED);
	assert_false(agent_fixture_has_outcome(fixture, 1));
	assert_int_equal(agent_fixture_finish(fixture, 4, "done", "{}").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_outcome(fixture, 1).verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_finish(fixture, 5, "busy", "1").verdict, VERDICT_DONE);
	assert_int_equal(agent_fixture_broken_count(fixture), 0);
}

static void a_recall_reaches_what_waits_in_a_host(void **state)
{
	struct agent_fixture *fixture = *state;

	occupy(fixture, "400");
	recall(fixture);
	assert_int_equal(agent_fixture_outcome(fixture, 2).verdict, VERDICT_RELEASED);
	assert_int_equal(agent_fixture_outcome(fixture, 3).verdict, VERDICT_RELEASED);
	assert_false(agent_fixture_has_outcome(fixture, 1));
	assert_int_equal(agent_fixture_outcome(fixture, 1).verdict, VERDICT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_for_a_changed_handler_is_handed_back_and_what_runs_goes_on),
		TEST(a_removed_handler_is_unknown),
		TEST(more_slots_count_at_once),
		TEST(a_recall_hands_back_what_has_not_started_and_no_more),
		TEST(a_host_whose_handlers_change_finishes_and_is_replaced),
		TEST(a_recall_reaches_what_waits_in_a_host),
	};

	return cmocka_run_group_tests_name("agent_reload", tests, NULL, NULL);
}
