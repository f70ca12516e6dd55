#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/fleet.h"

/* Runs it, and expects that code and those words on stderr. */
#define expect(d, code, words, ...)                                                                \
	do {                                                                                       \
		struct command expected;                                                           \
                                                                                                   \
		cli_run(&expected, d, __VA_ARGS__, NULL);                                          \
		cli_assert(&expected, code, words);                                                \
		command_fini(&expected);                                                           \
	} while (0)

static void finish_job(struct database *d, int64_t id, const char *outcome)
{
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .id = id,
				     .outcome = outcome,
				     .result = "{\"b\": 1.50, \"a\":[ ]}",
				     .log = "first\nsecond" };

	assert_int_equal(fleet_claim_one(d, dispatcher, &end.claim_id), id);
	assert_string_not_equal(fleet_complete(d, dispatcher, &end), "");
}

/* --- submit ------------------------------------------------------------------------------------ */

static const char ODD_JSON[] =
	"\n{ \"z\": 1e400,\t\"a\": 1.000, \"a\": -0.0, \"big\": 123456789012345678901234567890,\r\n"
	"\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\": \"\\u00e9\\/\", \"\": [ ]  } \n";

static void a_payload_is_stored_and_shown_byte_for_byte(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_run(&command, d, "submit", "h", "--payload", ODD_JSON, NULL);
	cli_assert(&command, 0, "");
	assert_string_equal(command.printed, "1\n");
	command_fini(&command);
	assert_sql(d, ODD_JSON, "select payload::text from locum.job");
	cli_run(&command, d, "show", "1", NULL);
	assert_non_null(strstr(command.printed, ODD_JSON));
	command_fini(&command);
}

static void a_payload_from_stdin_or_a_file_is_stored_byte_for_byte(void **state)
{
	struct database *d = *state;
	struct command command;
	char path[] = "/tmp/locum-payload-XXXXXX";
	char argument[64];
	int fd = mkstemp(path);

	cli_run_with(&command, d, ODD_JSON, "submit", "h", "--payload", "-", NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_int_equal(write(fd, ODD_JSON, strlen(ODD_JSON)), strlen(ODD_JSON));
	close(fd);
	snprintf(argument, sizeof(argument), "@%s", path);
	cli_run(&command, d, "submit", "h", "--payload", argument, NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	unlink(path);
	assert_int_equal(
		database_int(d, "select count(distinct payload::text) + count(*) from locum.job"),
		3);
}

static void every_option_reaches_the_job(void **state)
{
	struct database *d = *state;

	expect(d, 0, "", "submit", "h", "--queue", "mail", "--priority", "2", "--key", "k",
	       "--max-attempts", "7", "--timeout", "1m30s", "--expires", "2d", "--on-interrupt",
	       "hold", "--traceparent", "00-ab", "--delay", "1h");
	assert_sql(d, "mail|2|k|7|90000|2|hold|00-ab|scheduled|t",
		   "select q.name, priority, key, max_attempts, timeout_ms, "
		   "extract(day from expires_at - j.created_at), on_interrupt, traceparent, state, "
		   "run_at between now() + interval '59m' and now() + interval '61m' "
		   "from locum.job j join locum.queue q on q.id = j.queue_id");
	expect(d, 0, "", "submit", "h", "--run-at", "2090-01-02T03:04:05Z");
	assert_sql(d, "2090-01-02 03:04:05",
		   "select run_at at time zone 'UTC' from locum.job where id = 2");
}

static void the_same_request_id_gives_the_same_job(void **state)
{
	struct database *d = *state;
	struct command command;

	for (int i = 0; i < 2; i++) {
		cli_run(&command, d, "submit", "h", "--request-id",
			"11111111-2222-3333-4444-555555555555", NULL);
		assert_string_equal(command.printed, "1\n");
		command_fini(&command);
	}
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 1);
}

static void a_handler_that_nobody_serves_is_a_warning_or_strictly_an_error(void **state)
{
	struct database *d = *state;

	expect(d, 0, "no live dispatcher serves handler \"h\" in queue \"default\"", "submit", "h");
	expect(d, 65, "no live dispatcher serves handler \"h\"", "submit", "--strict", "h");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 1);
	database_do(
		d,
		"insert into locum.agent values (gen_random_uuid(), 'a', 1, '{default}', '{h}')");
	expect(d, 0, "", "submit", "--strict", "h");
	database_do(d, "update locum.agent set broken = '{h}'");
	expect(d, 65, "no live dispatcher", "submit", "--strict", "h");
	database_do(d, "delete from locum.agent");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 2);
}

/* --- list, show, wait -------------------------------------------------------------------------- */

static void list_shows_the_newest_first_and_says_when_it_cut(void **state)
{
	struct database *d = *state;
	struct command command;

	for (int i = 0; i < 3; i++)
		fleet_submit(d, "'h'");
	cli_run(&command, d, "list", "-q", NULL);
	assert_string_equal(command.printed, "3\n2\n1\n");
	assert_string_equal(command.said, "");
	command_fini(&command);
	cli_run(&command, d, "list", "-q", "--limit", "2", NULL);
	assert_string_equal(command.printed, "3\n2\n");
	cli_assert(&command, 0, "only the newest 2 are shown");
	command_fini(&command);
}

static void list_pages_through_more_jobs_than_one_answer_holds(void **state)
{
	struct database *d = *state;
	struct command command;
	size_t lines = 0;

	database_do(d, "select count(locum.submit('h')) from generate_series(1, 1203)");
	cli_run(&command, d, "list", "-q", "--limit", "5000", NULL);
	for (const char *c = command.printed; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 1203);
	assert_string_equal(command.said, "");
	command_fini(&command);
}

static void list_finds_jobs_by_state_queue_and_handler(void **state)
{
	struct database *d = *state;
	static const char *const FILTERS[][3] = {
		{ "--state", "completed", "1\n" }, { "--state", "pending", "3\n2\n" },
		{ "--state", "scheduled", "4\n" }, { "--queue", "mail", "3\n" },
		{ "--handler", "other", "2\n" },   { "--state", "active", "" },
		{ "--queue", "nosuchqueue", "" },
	};

	fleet_submit(d, "'h'");
	finish_job(d, 1, "completed");
	fleet_submit(d, "'other'");
	fleet_submit(d, "'h', queue => 'mail'");
	fleet_submit(d, "'h', delay => '1h'");
	for (size_t i = 0; i < sizeof(FILTERS) / sizeof(FILTERS[0]); i++) {
		struct command command;

		cli_run(&command, d, "list", "-q", FILTERS[i][0], FILTERS[i][1], NULL);
		assert_string_equal(command.printed, FILTERS[i][2]);
		command_fini(&command);
	}
}

static void json_lines_hold_payload_and_result_as_they_are(void **state)
{
	struct database *d = *state;
	struct command command;

	fleet_submit(d, "'h', '{\"x\":  1.0}'");
	finish_job(d, 1, "completed");
	cli_run(&command, d, "list", "--json", NULL);
	assert_non_null(strstr(command.printed, "\"payload\":{\"x\":  1.0},"));
	assert_non_null(strstr(command.printed, "\"result\":{\"b\": 1.50, \"a\":[ ]}"));
	assert_non_null(strstr(command.printed, "\"state\":\"completed\""));
	command_fini(&command);
	cli_run(&command, d, "show", "1", "--json", NULL);
	assert_non_null(strstr(command.printed, "\"result\":{\"b\": 1.50, \"a\":[ ]}"));
	assert_non_null(strstr(command.printed, "\"log\":\"first\\nsecond\""));
	assert_null(strstr(command.printed, "claim_id"));
	command_fini(&command);
}

static void show_tells_of_the_reassignment_and_its_certificate(void **state)
{
	struct database *d = *state;
	struct uuid victim = fleet_dispatcher(d);
	struct command command;
	struct uuid claim;
	char uuid[UUID_TEXT_SIZE];

	fleet_submit(d, "'h'");
	fleet_claim_one(d, victim, &claim);
	assert_true(fleet_start(d, 1, claim));
	fleet_kill(d, victim);
	assert_int_equal(fleet_reclaim(d, victim, 10), 1);
	cli_run(&command, d, "show", "1", NULL);
	assert_non_null(strstr(command.printed, "job 1: pending, reassigned 1 time\n"));
	assert_non_null(strstr(command.printed, "reassigned while it ran"));
	assert_non_null(strstr(command.printed, uuid_text(victim, uuid)));
	assert_non_null(strstr(command.printed, "declared dead 2"));
	command_fini(&command);
	cli_run(&command, d, "show", "1", "--json", NULL);
	assert_non_null(strstr(command.printed, "\"reassigned\":true"));
	assert_non_null(strstr(command.printed, "\"outcome\":\"interrupted\""));
	command_fini(&command);
}

static void a_jobs_output_cannot_move_the_cursor(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .id = 1, .outcome = "failed", .log = "\033[2Jgone" };
	struct command command;

	fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, &end.claim_id);
	fleet_complete(d, dispatcher, &end);
	cli_run(&command, d, "show", "1", NULL);
	assert_non_null(strstr(command.printed, "  | \\x1b[2Jgone\n"));
	command_fini(&command);
}

static void an_unknown_job_is_a_negative_answer(void **state)
{
	struct database *d = *state;

	expect(d, 1, "there is no job 99", "show", "99");
	expect(d, 1, "there is no job 99", "wait", "99");
	expect(d, 1, "there is no unfinished job 99", "cancel", "99");
	expect(d, 1, "there is no finished job 99", "retry", "99");
}

static void wait_ends_when_the_last_job_has(void **state)
{
	struct database *d = *state;
	struct command command;

	fleet_submit(d, "'h'");
	cli_init(&command, d);
	command_add(&command, "wait", "1", NULL);
	command_start(&command);
	finish_job(d, 1, "completed");
	command_finish(&command);
	cli_assert(&command, 0, "");
	assert_string_equal(command.printed, "1 completed\n");
	command_fini(&command);
}

static void wait_says_when_a_job_was_not_completed(void **state)
{
	struct database *d = *state;
	struct command command;

	fleet_submit(d, "'h'");
	fleet_submit(d, "'h'");
	finish_job(d, 1, "failed");
	finish_job(d, 2, "completed");
	cli_run(&command, d, "wait", "1", "2", NULL);
	cli_assert(&command, 1, "");
	assert_string_equal(command.printed, "1 failed\n2 completed\n");
	command_fini(&command);
	expect(d, 0, "", "wait", "2");
}

static void wait_gives_up_at_its_timeout(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	expect(d, 124, "1 of 1 jobs had not ended after 50ms", "wait", "1", "--timeout", "50ms");
}

static void wait_any_is_content_with_the_first(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	fleet_submit(d, "'h'");
	finish_job(d, 1, "completed");
	expect(d, 0, "", "wait", "--any", "1", "2");
}

static void cancel_ends_a_waiting_job_and_retry_submits_it_again(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', '[7]'");
	expect(d, 0, "", "cancel", "1");
	expect(d, 1, "", "wait", "1");
	expect(d, 0, "", "retry", "1");
	assert_sql(d, "1|[7]", "select retry_of, payload from locum.job");
}

static void workers_shows_who_is_alive_and_who_died(void **state)
{
	struct database *d = *state;
	struct uuid living = fleet_dispatcher(d);
	struct uuid dead = fleet_dispatcher(d);
	struct command command;
	char uuid[UUID_TEXT_SIZE];

	database_do(d, "insert into locum.agent values ('%s', 'a', 3, '{default}', '{h}')",
		    uuid_text(living, uuid));
	fleet_kill(d, dead);
	cli_run(&command, d, "workers", "--json", NULL);
	assert_non_null(strstr(command.printed, uuid_text(living, uuid)));
	assert_non_null(strstr(command.printed, "\"size\":3,\"queues\":[\"default\"]"));
	assert_null(strstr(command.printed, uuid_text(dead, uuid)));
	command_fini(&command);
	cli_run(&command, d, "workers", "--all", NULL);
	cli_assert(&command, 0, "");
	assert_non_null(strstr(command.printed, uuid_text(dead, uuid)));
	command_fini(&command);
}

/* --- the database ------------------------------------------------------------------------------ */

static void without_a_database_the_way_out_is_told(void **state)
{
	struct database *d = *state;
	char conninfo[600];

	snprintf(conninfo, sizeof(conninfo), "%s dbname=no_such_one", d->conninfo);
	expect(NULL, 69, "database \"no_such_one\" does not exist", "list", "-d", conninfo);
	expect(NULL, 69, "no database: run \"locum up\"", "submit", "h");
	expect(NULL, 69, "cannot connect", "list", "-d", "host=/nonexistent dbname=x");
	expect(NULL, 64, "the connection string is wrong", "list", "-d", "colour=blue");
}

static void another_schema_version_is_refused(void **state)
{
	struct database *d = *state;

	database_do(d, "insert into locum.migration (version, name) values (9999, 'later')");
	expect(d, 78, "schema version 9999", "submit", "h");
	expect(d, 78, "install a newer locum", "init");
	database_do(d, "delete from locum.migration where version = 9999");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 0);
}

static void init_makes_the_schema_once_and_only_in_utf8(void **state)
{
	struct database *d = *state;
	char conninfo[600];

	database_do(d, "drop database if exists %s_fresh", d->name);
	database_do(d, "create database %s_fresh", d->name);
	snprintf(conninfo, sizeof(conninfo), "%s dbname=%s_fresh", d->conninfo, d->name);
	expect(NULL, 78, "run \"locum init\"", "list", "-d", conninfo);
	expect(NULL, 0, "schema made", "init", "-d", conninfo);
	expect(NULL, 0, "already at version", "init", "-d", conninfo);
	database_do(d, "drop database %s_fresh", d->name);
	database_do(d, "create database %s_fresh template template0 encoding 'LATIN1' locale 'C'",
		    d->name);
	expect(NULL, 78, "LATIN1", "init", "-d", conninfo);
	database_do(d, "drop database %s_fresh", d->name);
}

static void the_flag_beats_the_variables_and_they_beat_each_other(void **state)
{
	struct database *d = *state;
	struct command command;

	cli_init(&command, d);
	command_setenv(&command, "DATABASE_URL", "host=/nonexistent");
	command_setenv(&command, "PGHOST", "/nonexistent");
	command_add(&command, "list", NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 0, "");
	command_fini(&command);
	cli_init(&command, d);
	command_add(&command, "list", "-d", "host=/nonexistent", NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 69, "/nonexistent");
	command_fini(&command);
}

static void a_role_that_may_submit_submits_one_or_many(void **state)
{
	struct database *d = *state;
	char conninfo[600];
	struct command command;

	database_do(d, "do $$ begin drop owned by locum_test_submitter; "
		       "exception when undefined_object then end $$; "
		       "drop role if exists locum_test_submitter; "
		       "create role locum_test_submitter login; "
		       "grant usage on schema locum to locum_test_submitter; "
		       "grant select on locum.agent, locum.migration to locum_test_submitter; "
		       "grant select, insert on locum.queue, locum.job to locum_test_submitter; "
		       "grant select, insert, update on locum.request to locum_test_submitter; "
		       "grant usage on sequence locum.job_id_seq to locum_test_submitter; "
		       "grant select on all tables in schema public to locum_test_submitter");
	snprintf(conninfo, sizeof(conninfo), "%s user=locum_test_submitter", d->conninfo);
	expect(NULL, 0, "", "submit", "h", "-d", conninfo, "--then", "always=h", "--label", "a=b");
	cli_run_with(&command, NULL, "{\"handler\":\"h\"}\n{\"handler\":\"h\",\"key\":\"k\"}\n",
		     "submit", "--stream", "-", "-d", conninfo, NULL);
	cli_assert(&command, 0, "");
	command_fini(&command);
	assert_sql(d, "3",
		   "select count(*) from locum.job where submitted_by = 'locum_test_submitter'");
	database_do(d, "drop owned by locum_test_submitter; drop role locum_test_submitter");
}

static void a_role_without_rights_is_told_so(void **state)
{
	struct database *d = *state;
	char conninfo[600];

	database_do(d,
		    "drop role if exists locum_test_nobody; create role locum_test_nobody login");
	snprintf(conninfo, sizeof(conninfo), "%s user=locum_test_nobody", d->conninfo);
	expect(NULL, 77, "permission denied", "submit", "h", "-d", conninfo);
	database_do(d, "drop role locum_test_nobody");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_payload_is_stored_and_shown_byte_for_byte),
		DATABASE_TEST(a_payload_from_stdin_or_a_file_is_stored_byte_for_byte),
		DATABASE_TEST(every_option_reaches_the_job),
		DATABASE_TEST(the_same_request_id_gives_the_same_job),
		DATABASE_TEST(a_handler_that_nobody_serves_is_a_warning_or_strictly_an_error),
		DATABASE_TEST(list_shows_the_newest_first_and_says_when_it_cut),
		DATABASE_TEST(list_pages_through_more_jobs_than_one_answer_holds),
		DATABASE_TEST(list_finds_jobs_by_state_queue_and_handler),
		DATABASE_TEST(json_lines_hold_payload_and_result_as_they_are),
		DATABASE_TEST(show_tells_of_the_reassignment_and_its_certificate),
		DATABASE_TEST(a_jobs_output_cannot_move_the_cursor),
		DATABASE_TEST(an_unknown_job_is_a_negative_answer),
		DATABASE_TEST(wait_ends_when_the_last_job_has),
		DATABASE_TEST(wait_says_when_a_job_was_not_completed),
		DATABASE_TEST(wait_gives_up_at_its_timeout),
		DATABASE_TEST(wait_any_is_content_with_the_first),
		DATABASE_TEST(cancel_ends_a_waiting_job_and_retry_submits_it_again),
		DATABASE_TEST(workers_shows_who_is_alive_and_who_died),
		DATABASE_TEST(without_a_database_the_way_out_is_told),
		DATABASE_TEST(another_schema_version_is_refused),
		DATABASE_TEST(init_makes_the_schema_once_and_only_in_utf8),
		DATABASE_TEST(the_flag_beats_the_variables_and_they_beat_each_other),
		DATABASE_TEST(a_role_that_may_submit_submits_one_or_many),
		DATABASE_TEST(a_role_without_rights_is_told_so),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
