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

#include "base/limits.h"
#include "tests/support/cli.h"
#include "tests/support/detour.h"
#include "tests/support/fleet.h"

static const char FIVE[] = "{\"handler\":\"h\",\"payload\":{\"n\":1}}\n"
			   "{\"handler\":\"h\"}\n"
			   "{\"handler\":\"h\",\"payload\":{broken}}\n"
			   "{\"handler\":\"h\"}\n"
			   "{\"handler\":\"h\"}\n";

static int64_t count_jobs(struct database *d)
{
	return database_int(d, "select count(*) from locum.job");
}

static void lines_become_jobs_in_order_byte_for_byte(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run_with(
		&command, d,
		"{\"handler\":\"a\",\"payload\": { \"x\" : 1.0,\"x\":1e400 } }\n"
		"\n   \n"
		"{\"priority\":3,\"handler\":\"b\",\"queue\":\"mail\"}\n"
		"{\"handler\":\"c\",\"delay\":\"1h\",\"payload\":\"last, without a line break\"}",
		"submit", "--stream", "-", NULL);
	cli_assert(&command, 0, "3 jobs stored up to line 5");
	assert_string_equal(command.printed, "1\n2\n3\n");
	command_fini(&command);
	assert_sql(d,
		   "a|5|{ \"x\" : 1.0,\"x\":1e400 }\nb|3|{}\n"
		   "c|5|\"last, without a line break\"",
		   "select handler, priority, payload from locum.job order by id");
}

static void a_bad_line_is_named_and_nothing_is_stored(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run_with(&command, d, FIVE, "submit", "--stream", "-", NULL);
	cli_assert(&command, 65, "line 3: ");
	cli_assert(&command, 65, "not JSON: column 32");
	cli_assert(&command, 65, "nothing was stored");
	assert_string_equal(command.printed, "");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 0);
}

static void with_batches_what_was_committed_before_a_bad_line_is_told(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run_with(&command, d, FIVE, "submit", "--batch", "2", "--stream", "-", NULL);
	cli_assert(&command, 65, "1 batch (2 jobs) stored up to line 2");
	assert_string_equal(command.printed, "1\n2\n");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 2);
}

static void wrong_lines_are_refused_by_number(void **state)
{
	struct database *d = *state;
	static const char *const LINES[][2] = {
		{ "[1]\n", "line 2: a job must be a JSON object" },
		{ "{\"handler\":\"h\",\"colour\":1}\n", "line 2: there is no option \"colour\"" },
		{ "{\"payload\":1}\n", "line 2: the handler has no name" },
		{ "{\"handler\":\"h\",\"priority\":10}\n", "line 2: the priority must be 0 to 9" },
		{ "{\"handler\":\"\xff\"}\n", "line 2: it is not UTF-8 text: byte 13" },
		{ "{\"handler\":\"h\",\"run_at\":\"x\"}\n", "line 2: " },
	};

	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
		struct command command;
		char input[256];

		snprintf(input, sizeof(input), "{\"handler\":\"h\"}\n%s{\"handler\":\"h\"}\n",
			 LINES[i][0]);
		cli_run_with(&command, d, input, "submit", "--stream", "-", NULL);
		cli_assert(&command, 65, LINES[i][1]);
		command_fini(&command);
	}
	assert_int_equal(count_jobs(d), 0);
}

static void an_endless_line_is_refused_in_bounded_memory(void **state)
{
	struct database *d = *state;
	struct command command;
	size_t length = 3 * LIMIT_LINE_BYTES;
	char *line = malloc(length);

	assert_non_null(line);
	memset(line, ' ', length);
	line[0] = '{';
	cli_init(&command, d);
	command_add(&command, "submit", "--stream", "-", NULL);
	command_run(&command, line, length);
	cli_assert(&command, 65, "line 1: it is longer than");
	command_fini(&command);
	free(line);
}

static void an_interrupt_commits_what_was_read(void **state)
{
	struct database *d = *state;
	static const char READ[] = "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n{\"hand";
	struct command command;

	cli_init(&command, d);
	command_add(&command, "submit", "--stream", "-", "--batch", "1", NULL);
	command_start(&command);
	command_type(&command, READ, strlen(READ));
	command_await_printed(&command, "2\n");
	assert_int_equal(kill(command.pid, SIGINT), 0);
	command_finish(&command);
	cli_assert(&command, 130, "interrupted; 2 batches (2 jobs) stored up to line 2");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 2);
}

/* More lines than one call takes, so that one transaction has several. */
static char *many_lines(size_t count)
{
	size_t length = strlen("{\"handler\":\"h\"}\n");
	char *lines = malloc(count * length + 1);

	assert_non_null(lines);
	for (size_t i = 0; i < count; i++)
		memcpy(lines + i * length, "{\"handler\":\"h\"}\n", length + 1);
	return lines;
}

static void a_long_stream_is_one_transaction(void **state)
{
	struct database *d = *state;
	struct command command;
	size_t count = 2 * LIMIT_SUBMIT_BATCH + 1;
	char *lines = many_lines(count);

	cli_run_with(&command, d, lines, "submit", "-q", "--stream", "-", NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	free(lines);
	assert_int_equal(count_jobs(d), count);
	assert_int_equal(database_int(d, "select count(distinct created_at) from locum.job"), 1);
}

static void a_stream_sent_again_with_its_request_id_stores_nothing_new(void **state)
{
	struct database *d = *state;
	struct command first;
	struct command again;

	cli_run_with(&first, d, "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n",
		     "submit", "--stream", "-", "--batch", "2", "--request-id",
		     "11111111-2222-3333-4444-555555555555", NULL);
	cli_run_with(&again, d, "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n",
		     "submit", "--stream", "-", "--batch", "2", "--request-id",
		     "11111111-2222-3333-4444-555555555555", NULL);
	cli_assert(&again, 0, "");
	assert_string_equal(first.printed, again.printed);
	command_fini(&first);
	command_fini(&again);
	assert_int_equal(count_jobs(d), 3);
	cli_run_with(&again, d, "{\"handler\":\"h\"}\n", "submit", "--stream", "-", "--request-id",
		     "11111111-2222-3333-4444-555555555555", NULL);
	cli_assert(&again, 65, "their request_id was used before, for 2 jobs");
	command_fini(&again);
}

/* The server cuts connections of the CLI whenever the stream has got a step further. */
static void a_stream_survives_lost_connections_without_loss_or_repetition(void **state)
{
	struct database *d = *state;
	struct command command;
	char line[64];

	cli_init(&command, d);
	command_add(&command, "submit", "--stream", "-", "--batch", "1", NULL);
	command_start(&command);
	for (int i = 1; i <= 20; i++) {
		snprintf(line, sizeof(line), "{\"handler\":\"h\",\"payload\":%d}\n", i);
		command_type(&command, line, strlen(line));
		if (i == 1)
			command_await_printed(&command, "1\n");
		database_do(
			d, "select pg_terminate_backend(pid) from pg_stat_activity "
			   "where application_name = 'locum/cli' and datname = current_database()");
	}
	command_finish(&command);
	cli_assert(&command, 0, "20 batches (20 jobs) stored");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 20);
	assert_int_equal(database_int(d, "select count(distinct payload::text) from locum.job"),
			 20);
}

static void a_batch_that_is_ended_as_a_deadlock_is_tried_again(void **state)
{
	static const char LINES[] = "{\"handler\":\"h\",\"key\":\"a\"}\n"
				    "{\"handler\":\"h\",\"key\":\"b\"}\n";
	struct database *d = *state;
	struct command command;

	database_do(d, "create function public.dead() returns trigger language plpgsql as $$ begin "
		       "if nextval('public.tries') = 1 then raise 'dead' using errcode = '40P01'; "
		       "end if; return new; end $$");
	database_do(d, "create sequence public.tries");
	database_do(d, "create trigger dead before insert on locum.job for each statement "
		       "execute function public.dead()");
	cli_run_with(&command, d, LINES, "submit", "--stream", "-", NULL);
	database_do(d, "drop trigger dead on locum.job");
	database_do(d, "drop function public.dead; drop sequence public.tries");
	cli_assert(&command, 0, "2 jobs stored");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 2);
}

/* Submits these lines through a proxy that harms the first request with the trigger. */
static void submit_through(struct database *d, enum relay_harm harm, const char *trigger,
			   struct command *command, const char *lines)
{
	struct detour detour;
	char conninfo[600];

	detour_open(&detour, d->sql);
	relay_set(detour.relay,
		  &(struct relay_rule){ .harm = harm, .trigger = trigger, .times = 1 });
	snprintf(conninfo, sizeof(conninfo), "%s host=%s port=5432", d->conninfo, detour.folder);
	cli_init(command, d);
	command_add(command, "submit", "--stream", "-", "-d", conninfo, NULL);
	command_run(command, lines, strlen(lines));
	assert_int_equal(relay_hits(detour.relay), 1);
	detour_close(&detour);
}

static void a_commit_whose_answer_is_lost_is_neither_lost_nor_repeated(void **state)
{
	struct database *d = *state;
	static const enum relay_harm HARMS[] = { RELAY_CUT_REQUEST, RELAY_CUT_ANSWER };
	struct command command;

	for (int answered = 0; answered < 2; answered++) {
		submit_through(d, HARMS[answered], "submit_arrays", &command,
			       "{\"handler\":\"h\"}\n{\"handler\":\"h\"}\n");
		cli_assert(&command, 0, "2 jobs stored");
		assert_string_equal(command.printed, answered == 0 ? "1\n2\n" : "3\n4\n");
		command_fini(&command);
	}
	assert_int_equal(count_jobs(d), 4);
}

/* From a pipe, which cannot be read again, and too long to be in memory: what happened is found out. */
static void the_lost_commit_of_a_long_stream_is_found_out(void **state)
{
	struct database *d = *state;
	size_t count = LIMIT_SUBMIT_BATCH + 1;
	char *lines = many_lines(count);
	struct command command;

	submit_through(d, RELAY_CUT_REQUEST, "commit", &command, lines);
	cli_assert(&command, 75, "cannot be read a second time; nothing was stored");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 0);
	submit_through(d, RELAY_CUT_ANSWER, "commit", &command, lines);
	cli_assert(&command, 0, "10001 jobs stored up to line 10001");
	command_fini(&command);
	assert_int_equal(count_jobs(d), count);
	free(lines);
}

/* COMMIT of a transaction that has failed is answered, and says ROLLBACK. */
static void a_commit_that_rolls_back_is_not_taken_for_stored(void **state)
{
	struct database *d = *state;
	char *lines = many_lines(LIMIT_SUBMIT_BATCH + 1);
	struct command command;

	submit_through(d, RELAY_ABORT, "commit", &command, lines);
	cli_assert(&command, 75, "nothing was stored");
	command_fini(&command);
	assert_int_equal(count_jobs(d), 0);
	free(lines);
}

static void a_conflict_is_tried_again(void **state)
{
	struct database *d = *state;
	struct command command;

	database_do(
		d,
		"create sequence tries; "
		"create function conflict() returns trigger language plpgsql as $$ begin "
		"if nextval('public.tries') < 3 then raise 'conflict' using errcode = '40001'; end if; "
		"return new; end $$; "
		"create trigger conflict before insert on locum.job "
		"for each row execute function conflict()");
	cli_run_with(&command, d, "{\"handler\":\"h\"}\n", "submit", "--stream", "-", NULL);
	cli_assert(&command, 0, "1 job stored");
	command_fini(&command);
	database_do(d, "alter sequence tries restart with 1 maxvalue 1000000; "
		       "create or replace function conflict() returns trigger language plpgsql as "
		       "$$ begin raise 'conflict' using errcode = '40001'; end $$");
	cli_run_with(&command, d, "{\"handler\":\"h\"}\n", "submit", "--stream", "-", "--retry-for",
		     "300ms", NULL);
	cli_assert(&command, 75, "nothing was stored");
	command_fini(&command);
	database_do(d, "drop trigger conflict on locum.job; drop function conflict(); "
		       "drop sequence tries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(lines_become_jobs_in_order_byte_for_byte),
		DATABASE_TEST(a_bad_line_is_named_and_nothing_is_stored),
		DATABASE_TEST(with_batches_what_was_committed_before_a_bad_line_is_told),
		DATABASE_TEST(wrong_lines_are_refused_by_number),
		DATABASE_TEST(an_endless_line_is_refused_in_bounded_memory),
		DATABASE_TEST(an_interrupt_commits_what_was_read),
		DATABASE_TEST(a_long_stream_is_one_transaction),
		DATABASE_TEST(a_stream_sent_again_with_its_request_id_stores_nothing_new),
		DATABASE_TEST(a_stream_survives_lost_connections_without_loss_or_repetition),
		DATABASE_TEST(a_batch_that_is_ended_as_a_deadlock_is_tried_again),
		DATABASE_TEST(a_commit_whose_answer_is_lost_is_neither_lost_nor_repeated),
		DATABASE_TEST(the_lost_commit_of_a_long_stream_is_found_out),
		DATABASE_TEST(a_commit_that_rolls_back_is_not_taken_for_stored),
		DATABASE_TEST(a_conflict_is_tried_again),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
