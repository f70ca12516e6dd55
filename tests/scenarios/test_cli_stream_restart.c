#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/scenario_server.h"

#define REQUEST "11111111-2222-3333-4444-555555555555"

static void type_lines(struct command *command, int first, int last)
{
	char line[64];

	for (int i = first; i <= last; i++) {
		snprintf(line, sizeof(line), "{\"handler\":\"h\",\"payload\":%d}\n", i);
		command_type(command, line, strlen(line));
	}
}

static void start_stream(struct command *command, struct scenario *s, const char *retry_for)
{
	cli_init(command, s->database);
	command_add(command, "submit", "--stream", "-", "--batch", "5", "--retry-for", retry_for,
		    "--resume", REQUEST, NULL);
	command_start(command);
	type_lines(command, 1, 12);
	command_await_printed(command, "10\n");
}

static void assert_each_line_once(struct scenario *s, int count)
{
	assert_int_equal(database_int(s->database, "select count(*) from locum.job"), count);
	assert_int_equal(
		database_int(s->database, "select count(distinct payload::text) from locum.job"),
		count);
}

static void restart_in_the_middle(struct scenario *s, int number)
{
	struct command command;

	start_stream(&command, s, "30s");
	scenario_server_stop(s, number);
	type_lines(&command, 13, 17);
	command_await_said(&command, "trying again for up to 30s");
	scenario_server_start(s);
	type_lines(&command, 18, 21);
	command_finish(&command);
	cli_assert(&command, 0, "5 batches (21 jobs) stored up to line 21");
	command_fini(&command);
	assert_each_line_once(s, 21);
}

static void a_stream_goes_on_when_the_server_restarts(void **state)
{
	restart_in_the_middle(*state, SIGINT);
}

static void a_stream_goes_on_when_the_server_crashes(void **state)
{
	restart_in_the_middle(*state, SIGQUIT);
}

static void a_stream_whose_patience_ends_names_the_last_line_and_can_be_taken_up(void **state)
{
	struct scenario *s = *state;
	struct command command;

	start_stream(&command, s, "300ms");
	scenario_server_stop(s, SIGINT);
	type_lines(&command, 13, 17);
	command_finish(&command);
	/* It may have given up before it was told of line 13. */
	cli_assert(&command, 75,
		   "2 batches (10 jobs) stored up to line 10; it is unknown whether "
		   "lines 11 to 1");
	cli_assert(&command, 75,
		   "were stored, too; go on with the same command and --resume " REQUEST);
	command_fini(&command);
	scenario_server_start(s);
	start_stream(&command, s, "30s");
	type_lines(&command, 13, 17);
	command_finish(&command);
	cli_assert(&command, 0, "4 batches (17 jobs) stored up to line 17");
	command_fini(&command);
	assert_each_line_once(s, 17);
}

static void an_interrupt_ends_the_wait_for_the_server(void **state)
{
	struct scenario *s = *state;
	struct command command;

	start_stream(&command, s, "1h");
	scenario_server_stop(s, SIGINT);
	type_lines(&command, 13, 17);
	command_await_said(&command, "trying again for up to 1h");
	assert_int_equal(kill(command.pid, SIGINT), 0);
	command_finish(&command);
	cli_assert(&command, 130, "2 batches (10 jobs) stored up to line 10");
	command_fini(&command);
	scenario_server_start(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_stream_goes_on_when_the_server_restarts),
		SCENARIO_TEST(a_stream_goes_on_when_the_server_crashes),
		SCENARIO_TEST(a_stream_whose_patience_ends_names_the_last_line_and_can_be_taken_up),
		SCENARIO_TEST(an_interrupt_ends_the_wait_for_the_server),
	};

	return cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close);
}
