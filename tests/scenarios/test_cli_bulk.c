#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/fleet.h"
#include "tests/support/scenario.h"

/* Runs it, and expects that code, those words on stderr and that on stdout. */
#define expect(d, code, words, output, ...)                                                        \
	do {                                                                                       \
		struct command expected;                                                           \
                                                                                                   \
		cli_run(&expected, d, __VA_ARGS__, NULL);                                          \
		cli_assert(&expected, code, words);                                                \
		assert_string_equal(expected.printed, output);                                     \
		command_fini(&expected);                                                           \
	} while (0)

static void cancel_by_filter_asks_first_and_tells_how_many(void **state)
{
	struct database *d = *state;

	for (int i = 0; i < 3; i++)
		fleet_submit(d, "'h', queue => 'mail'");
	fleet_submit(d, "'h'");
	expect(d, 0, "", "would cancel 3 jobs\n", "cancel", "-Q", "mail", "--dry-run");
	expect(d, 0, "", "1\n2\n3\n", "cancel", "-Q", "mail", "--dry-run", "-q");
	expect(d, 64, "this would cancel 3 jobs; --yes does it", "", "cancel", "-Q", "mail");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 4);
	expect(d, 0, "3 jobs cancelled", "", "cancel", "-Q", "mail", "--yes");
	expect(d, 0, "0 jobs cancelled", "", "cancel", "-Q", "mail");
	assert_int_equal(database_int(d, "select count(*) from locum.job"), 1);
}

static void many_jobs_are_cancelled_and_retried_whole(void **state)
{
	struct database *d = *state;

	database_do(d, "select count(locum.submit('h')) from generate_series(1, 1203)");
	expect(d, 0, "1203 jobs cancelled", "", "cancel", "-y", "-s", "pending");
	assert_sql(d, "1203|1203", "select count(*), count(distinct id) from locum.finished");
	expect(d, 0, "1203 jobs submitted again", "", "retry", "-y", "-s", "cancelled");
	assert_sql(d, "1203|1203", "select count(*), count(distinct retry_of) from locum.job");
}

static void await_held(struct database *d)
{
	while (database_int(d, "select count(*) from pg_stat_activity where datname = "
			       "current_database() and wait_event = 'PgSleep'") == 0) {
	}
}

static void an_interrupted_cancel_tells_how_far_it_came(void **state)
{
	enum { COUNT = 1203 };
	struct database *d = *state;
	struct command command;
	size_t cancelled;

	database_do(d, "select count(locum.submit('h')) from generate_series(1, %d)", COUNT);
	database_hold_finish(d);
	cli_init(&command, d);
	command_add(&command, "cancel", "--yes", "--state", "pending", NULL);
	command_start(&command);
	await_held(d);
	assert_int_equal(kill(command.pid, SIGINT), 0);
	database_let_finish(d);
	command_finish(&command);
	database_do(d, "drop trigger waits on locum.finished");
	assert_int_equal(command.code, 130);
	assert_int_equal(sscanf(command.said, "locum: interrupted; %zu of 1203 jobs were cancelled",
				&cancelled),
			 1);
	assert_in_range(cancelled, 1, COUNT - 1);
	assert_int_equal(database_int(d, "select count(*) from locum.finished"), cancelled);
	command_fini(&command);
}

static void retry_finds_what_did_not_go_well(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .outcome = "completed" };

	end.id = fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, &end.claim_id);
	fleet_complete(d, dispatcher, &end);
	database_do(d, "select locum.cancel(%d)", (int)fleet_submit(d, "'h'"));
	expect(d, 0, "", "would retry 1 job\n", "retry", "-H", "h", "-n");
	expect(d, 0, "", "{\"id\":3,\"retry_of\":2}\n", "retry", "-H", "h", "-y", "--json");
	expect(d, 0, "", "4\n", "retry", "-s", "completed", "-y", "-q");
	expect(d, 64, "there is nothing to retry about pending jobs", "", "retry", "-s", "pending");
	expect(d, 64, "there is nothing to cancel about failed jobs", "", "cancel", "-s", "failed");
}

static void a_filter_does_not_retry_a_job_twice(void **state)
{
	struct database *d = *state;

	for (int i = 0; i < 3; i++)
		database_do(d, "select locum.cancel(%d)", (int)fleet_submit(d, "'h'"));
	expect(d, 0, "", "4\n", "retry", "2", "2");
	expect(d, 0, "1 job was left alone: retried before; --again", "would retry 2 jobs\n",
	       "retry", "-s", "cancelled", "-n");
	expect(d, 0, "1 job was left alone",
	       "{\"id\":5,\"retry_of\":1}\n{\"id\":6,\"retry_of\":3}\n", "retry", "-s", "cancelled",
	       "-y", "-j");
	expect(d, 0, "0 jobs submitted again\nlocum: 3 jobs were left alone", "", "retry", "-s",
	       "cancelled");
	expect(d, 0, "3 jobs submitted again\n", "", "retry", "-s", "cancelled", "-y", "--again");
	expect(d, 0, "", "10\n", "retry", "2");
}

static void a_job_whose_key_is_taken_stops_no_other(void **state)
{
	struct database *d = *state;

	for (int i = 0; i < 3; i++)
		database_do(d, "select locum.cancel(%d)",
			    (int)fleet_submit(d, "'h', key => '%d'", i));
	fleet_submit(d, "'h', key => '1'");
	/* The attempt at all of them together used up ids. */
	expect(d, 1, "job 2: an unfinished job of the same queue has the key \"1\"", "", "retry",
	       "-s", "cancelled", "-y");
	assert_sql(d, "1,3",
		   "select string_agg(retry_of::text, ',' order by retry_of) "
		   "from locum.job");
}

static void ids_and_filters_do_not_mix(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	expect(d, 64, "\"1\" does not go with a filter", "", "cancel", "1", "-Q", "default");
	expect(d, 64, "--dry-run goes with a filter", "", "cancel", "1", "--dry-run");
	expect(d, 1, "there is no unfinished job 2", "1\n", "cancel", "2", "1");
}

/* A command that ignores SIGTERM, and one that ends by it. */
static void a_running_command_gets_sigterm_and_then_sigkill(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;

	scenario_handler(s, "stubborn", "",
			 "trap 'note term' TERM; note begun; while :; do gate g; done");
	scenario_handler(s, "polite", "",
			 "trap 'note bye; exit 0' TERM; note started; while :; do gate g; done");
	scenario_gate(s, "g");
	scenario_start(s, "one", " ");
	scenario_submit(s, 1, "stubborn");
	scenario_submit(s, 1, "polite");
	scenario_await_noted(s, 1, "begun");
	scenario_await_noted(s, 1, "started");
	scenario_await(s, "select count(*) = 2 from locum.job where state = 'active'");
	expect(d, 0, "2 of them are running", "", "cancel", "--state", "active", "-y");
	scenario_await_finished(s, 2, "cancelled");
	assert_int_equal(scenario_noted(s, "term"), 1);
	assert_int_equal(scenario_noted(s, "bye"), 1);
	scenario_await_gone(s, scenario_noted_pid(s, "begun"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(cancel_by_filter_asks_first_and_tells_how_many),
		DATABASE_TEST(many_jobs_are_cancelled_and_retried_whole),
		DATABASE_TEST(an_interrupted_cancel_tells_how_far_it_came),
		DATABASE_TEST(retry_finds_what_did_not_go_well),
		DATABASE_TEST(a_filter_does_not_retry_a_job_twice),
		DATABASE_TEST(a_job_whose_key_is_taken_stops_no_other),
		DATABASE_TEST(ids_and_filters_do_not_mix),
		SCENARIO_CALM_TEST(a_running_command_gets_sigterm_and_then_sigkill),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
