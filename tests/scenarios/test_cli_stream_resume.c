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

#include "tests/support/cli.h"

#define REQUEST "11111111-2222-3333-4444-555555555555"

/* Lines whose payloads are their numbers, from `first` on; the caller's to free. */
static char *numbered_lines(int first, int count)
{
	enum { LINE_SIZE = 40 };
	char *lines = malloc((size_t)count * LINE_SIZE + 1);
	char *at = lines;

	assert_non_null(lines);
	*at = '\0';
	for (int i = first; i < first + count; i++)
		at += snprintf(at, LINE_SIZE, "{\"handler\":\"h\",\"payload\":%d}\n", i);
	return lines;
}

static void start_stream(struct command *command, struct database *d, const char *batch)
{
	cli_init(command, d);
	command_add(command, "submit", "-q", "--stream", "-", "--resume", REQUEST, NULL);
	if (batch != NULL)
		command_add(command, "--batch", batch, NULL);
	command_start(command);
}

static void submit_lines(struct command *command, struct database *d, const char *batch,
			 const char *lines)
{
	start_stream(command, d, batch);
	command_type(command, lines, strlen(lines));
	command_finish(command);
}

static void assert_each_line_once(struct database *d, int count)
{
	assert_int_equal(database_int(d, "select count(*) from locum.job"), count);
	assert_int_equal(database_int(d, "select count(distinct payload::text) from locum.job"),
			 count);
}

/* A batch is committed, and three lines of the next have been read. */
static void interrupt_and_go_on(struct database *d, const char *again)
{
	char *all = numbered_lines(1, 20);
	char *batch_of_seven = numbered_lines(1, 7);
	char *three_more = numbered_lines(8, 3);
	struct command first;
	struct command second;

	start_stream(&first, d, "7");
	command_type(&first, batch_of_seven, strlen(batch_of_seven));
	command_await_printed(&first, "7\n");
	command_type(&first, three_more, strlen(three_more));
	command_await_taken(&first);
	assert_int_equal(kill(first.pid, SIGINT), 0);
	command_finish(&first);
	cli_assert(&first, 130,
		   "(10 jobs) stored up to line 10; go on with the same command and "
		   "--resume " REQUEST);
	submit_lines(&second, d, again, all);
	cli_assert(&second, 0, "");
	assert_memory_equal(first.printed, second.printed, first.printed_length);
	assert_each_line_once(d, 20);
	command_fini(&first);
	command_fini(&second);
	free(all);
	free(batch_of_seven);
	free(three_more);
}

static void an_interrupted_stream_goes_on_where_it_was(void **state)
{
	interrupt_and_go_on(*state, "7");
}

static void an_interrupted_stream_may_go_on_in_larger_batches(void **state)
{
	interrupt_and_go_on(*state, "15");
	database_clear(state);
	interrupt_and_go_on(*state, NULL);
}

static void a_killed_stream_goes_on_where_it_was(void **state)
{
	enum { COUNT = 20000 };
	static const char *const KILLED_AFTER[] = { "\n100\n", "\n5000\n", "\n12000\n" };
	struct database *d = *state;
	char *lines = numbered_lines(1, COUNT);
	struct command command;

	for (size_t i = 0; i < sizeof(KILLED_AFTER) / sizeof(KILLED_AFTER[0]); i++) {
		start_stream(&command, d, "100");
		command_type(&command, lines, strlen(lines) / (3 - i) - i);
		command_await_printed(&command, KILLED_AFTER[i]);
		assert_int_equal(kill(command.pid, SIGKILL), 0);
		command_finish(&command);
		assert_int_equal(command.code, 128 + SIGKILL);
		command_fini(&command);
	}
	submit_lines(&command, d, "100", lines);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_each_line_once(d, COUNT);
	free(lines);
}

/* The server has most of it and commits nothing. */
static void a_killed_stream_of_one_transaction_leaves_nothing_and_begins_anew(void **state)
{
	enum { COUNT = 25000 };
	struct database *d = *state;
	char *lines = numbered_lines(1, COUNT);
	struct command command;

	cli_init(&command, d);
	command_add(&command, "submit", "--stream", "-", "--resume", REQUEST, NULL);
	command_start(&command);
	command_type(&command, lines, strlen(lines));
	command_await_said(&command, "no live dispatcher serves"); /* after its first chunk */
	assert_int_equal(kill(command.pid, SIGKILL), 0);
	command_finish(&command);
	command_fini(&command);
	submit_lines(&command, d, NULL, lines);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_each_line_once(d, COUNT);
	free(lines);
}

static void assert_refused_again(struct database *d, const char *lines, const char *words)
{
	struct command command;

	submit_lines(&command, d, "3", lines);
	cli_assert(&command, 65, words);
	command_fini(&command);
	assert_each_line_once(d, 6);
}

static void a_stream_of_other_lines_is_refused_and_named(void **state)
{
	struct database *d = *state;
	char *lines = numbered_lines(1, 6);
	char *shorter = numbered_lines(1, 5);
	struct command command;

	submit_lines(&command, d, "3", lines);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_refused_again(d, shorter,
			     "lines 4 to 5: their request_id was used before, for 3 jobs instead "
			     "of 2; submit the same lines; 1 batch (3 jobs) "
			     "stored up to line 3");
	*strchr(strstr(lines, ":5}"), '5') = '7';
	assert_refused_again(d, lines, "lines 4 to 6: the request_id");
	assert_refused_again(d, lines, "was used before, for other jobs");
	free(lines);
	free(shorter);
}

static void a_stream_goes_on_in_batches_of_any_size(void **state)
{
	static const char *const BATCHES[] = { "4", "2", "6", "1", "5", NULL };
	struct database *d = *state;
	char *lines = numbered_lines(1, 9);
	struct command command;

	submit_lines(&command, d, "4", lines);
	command_fini(&command);
	for (size_t i = 0; i < sizeof(BATCHES) / sizeof(BATCHES[0]); i++) {
		submit_lines(&command, d, BATCHES[i], lines);
		cli_assert(&command, 0, "");
		assert_string_equal(command.printed, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
		command_fini(&command);
	}
	assert_each_line_once(d, 9);
	free(lines);
}

/* The writer pauses behind these lines, so that batches end there; then the stream is cut off. */
static void what_came_slowly_goes_on_from_a_quick_input(void **state)
{
	static const int PAUSES[] = { 2, 3, 7 };
	struct database *d = *state;
	char *lines = numbered_lines(1, 30);
	struct command slow;
	struct command quick;
	int typed = 0;

	start_stream(&slow, d, "10");
	for (size_t i = 0; i < sizeof(PAUSES) / sizeof(PAUSES[0]); i++) {
		char *some = numbered_lines(typed + 1, PAUSES[i] - typed);
		char last[16];

		snprintf(last, sizeof(last), "%d\n", PAUSES[i]);
		command_type(&slow, some, strlen(some));
		command_await_printed(&slow, last);
		typed = PAUSES[i];
		free(some);
	}
	assert_int_equal(kill(slow.pid, SIGKILL), 0);
	command_finish(&slow);
	submit_lines(&quick, d, "10", lines);
	cli_assert(&quick, 0, "");
	assert_memory_equal(slow.printed, quick.printed, slow.printed_length);
	assert_each_line_once(d, 30);
	command_fini(&slow);
	command_fini(&quick);
	free(lines);
}

static void lines_behind_those_of_the_first_time_are_new(void **state)
{
	struct database *d = *state;
	char *some = numbered_lines(1, 5);
	char *more = numbered_lines(1, 8);
	struct command command;

	submit_lines(&command, d, NULL, some);
	command_fini(&command);
	submit_lines(&command, d, NULL, more);
	cli_assert(&command, 0, "");
	assert_string_equal(command.printed, "1\n2\n3\n4\n5\n6\n7\n8\n");
	command_fini(&command);
	assert_each_line_once(d, 8);
	free(some);
	free(more);
}

/* The jobs have long finished. */
static void a_request_gives_the_old_ids_after_its_jobs_have_ended(void **state)
{
	struct database *d = *state;
	struct command command;
	char *lines = numbered_lines(1, 2);

	for (int i = 0; i < 2; i++) {
		cli_run(&command, d, "submit", "-q", "h", "--request-id", REQUEST, NULL);
		cli_assert(&command, 0, "");
		assert_string_equal(command.printed, "1\n");
		command_fini(&command);
		submit_lines(&command, d, NULL, lines);
		assert_string_equal(command.printed, "2\n3\n");
		command_fini(&command);
		database_do(d, "select locum.cancel(id) from locum.job");
	}
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 0);
	free(lines);
}

static void a_request_for_another_job_is_refused(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run(&command, d, "submit", "-q", "h", "--request-id", REQUEST, NULL);
	command_fini(&command);
	cli_run(&command, d, "submit", "-q", "other", "--request-id", REQUEST, NULL);
	cli_assert(&command, 65, "the request_id " REQUEST " was used before, for other jobs");
	command_fini(&command);
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 1);
}

static void a_new_stream_says_how_to_take_it_up(void **state)
{
	struct database *d = *state;
	struct command first;
	struct command again;
	char id[37];
	const char *said;

	cli_run_with(&first, d, "{\"handler\":\"h\"}\n", "submit", "--stream", "-", NULL);
	said = strstr(first.said, "this stream is ");
	assert_non_null(said);
	snprintf(id, sizeof(id), "%s", said + strlen("this stream is "));
	cli_run_with(&again, d, "{\"handler\":\"h\"}\n", "submit", "--stream", "-", "--resume", id,
		     NULL);
	cli_assert(&again, 0, "1 job stored");
	assert_string_equal(first.printed, again.printed);
	command_fini(&first);
	command_fini(&again);
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(an_interrupted_stream_goes_on_where_it_was),
		DATABASE_TEST(an_interrupted_stream_may_go_on_in_larger_batches),
		DATABASE_TEST(a_killed_stream_goes_on_where_it_was),
		DATABASE_TEST(a_killed_stream_of_one_transaction_leaves_nothing_and_begins_anew),
		DATABASE_TEST(a_stream_of_other_lines_is_refused_and_named),
		DATABASE_TEST(a_stream_goes_on_in_batches_of_any_size),
		DATABASE_TEST(what_came_slowly_goes_on_from_a_quick_input),
		DATABASE_TEST(lines_behind_those_of_the_first_time_are_new),
		DATABASE_TEST(a_request_gives_the_old_ids_after_its_jobs_have_ended),
		DATABASE_TEST(a_request_for_another_job_is_refused),
		DATABASE_TEST(a_new_stream_says_how_to_take_it_up),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
