#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/scenario.h"

static void the_result_is_relayed_byte_for_byte(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_handler(s, "answer", "", "printf '{ \"b\" : 1.0,\\n \"a\":1e400 }' >&3");
	scenario_start(s, "one", "%s", "");
	cli_run(&command, s->database, "run", "answer", NULL);
	cli_assert(&command, 0, "locum: job 1\n");
	assert_string_equal(command.printed, "{ \"b\" : 1.0,\n \"a\":1e400 }\n");
	command_fini(&command);
	cli_run(&command, s->database, "run", "-q", "answer", NULL);
	cli_assert(&command, 0, "");
	assert_string_equal(command.said, "");
	command_fini(&command);
	cli_run(&command, s->database, "run", "-j", "answer", NULL);
	assert_non_null(strstr(command.printed, "{\"id\":3,\"state\":\"completed\""));
	assert_non_null(strstr(command.printed, "\"result\":{ \"b\" : 1.0,  \"a\":1e400 }"));
	command_fini(&command);
}

static void a_failure_is_told_with_its_error(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_handler(s, "broken", "", "exit 65");
	scenario_start(s, "one", "%s", "");
	cli_run(&command, s->database, "run", "broken", NULL);
	cli_assert(&command, 1, "locum: job 1 failed: ");
	assert_string_equal(command.printed, "");
	command_fini(&command);
}

static void a_wait_that_ends_leaves_the_job_alone(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	cli_run(&command, s->database, "run", "gated", "--wait", "100ms", NULL);
	cli_assert(&command, 124, "job 1 goes on");
	command_fini(&command);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
}

static void an_interrupt_leaves_the_job_alone(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	cli_init(&command, s->database);
	command_add(&command, "run", "gated", NULL);
	command_start(&command);
	scenario_await_noted(s, 1, "start ");
	assert_int_equal(kill(command.pid, SIGINT), 0);
	command_finish(&command);
	cli_assert(&command, 130, "interrupted; job 1 goes on");
	command_fini(&command);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
}

static void a_job_that_leaves_nothing_is_told_as_such(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_handler(s, "answer", "", "echo 1 >&3");
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "update locum.queue set keep_finished = '0'");
	cli_run(&command, s->database, "run", "answer", NULL);
	cli_assert(&command, 1, "job 1 ended, and its queue keeps no finished jobs");
	command_fini(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(the_result_is_relayed_byte_for_byte),
		SCENARIO_CALM_TEST(a_failure_is_told_with_its_error),
		SCENARIO_CALM_TEST(a_wait_that_ends_leaves_the_job_alone),
		SCENARIO_CALM_TEST(an_interrupt_leaves_the_job_alone),
		SCENARIO_CALM_TEST(a_job_that_leaves_nothing_is_told_as_such),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
