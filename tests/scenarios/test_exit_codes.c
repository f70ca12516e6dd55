/* What an exit code does to a job, from the handler to the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* Each run ends with the exit code that is its payload. */
static void start_exits(struct scenario *s)
{
	scenario_handler(s, "exits", "", "note run; exit \"$(cat)\"");
	scenario_start(s, "one", "%s", "");
}

/* How the first run of the job with this payload ended: "OUTCOME|ATTEMPT|ERROR". A job that is tried again may
 * be running anew by now, so that its own state tells nothing. */
static void assert_first_run(struct scenario *s, const char *payload, const char *outcome,
			     const char *error)
{
	char expected[256];

	scenario_await(s,
		       "select history is not null or finished_at is not null from locum.jobs "
		       "where payload::text = '%s'",
		       payload);
	snprintf(expected, sizeof(expected), "%s|1|%s", outcome, error);
	assert_sql(s->database, expected,
		   "select coalesce(history -> 0 ->> 'outcome', state), "
		   "coalesce((history -> 0 ->> 'attempt')::int, attempt), "
		   "coalesce(history -> 0 ->> 'error', error) from locum.jobs "
		   "where payload::text = '%s'",
		   payload);
}

static void exit_codes_decide_what_becomes_of_a_job(void **state)
{
	static const struct {
		const char *code;
		const char *outcome;
		const char *error;
	} ROWS[] = {
		{ "0", "completed", "-" },
		{ "75", "retry", "asked to be tried again (exit code 75)" },
		{ "111", "retry", "asked to be tried again (exit code 111)" },
		{ "64", "failed", "failed for good (exit code 64)" },
		{ "65", "failed", "failed for good (exit code 65)" },
		{ "76", "failed", "failed for good (exit code 76)" },
		{ "77", "failed", "failed for good (exit code 77)" },
		{ "78", "failed", "failed for good (exit code 78)" },
		{ "100", "failed", "failed for good (exit code 100)" },
		{ "112", "failed", "failed for good (exit code 112)" },
		{ "1", "retry", "exit code 1" },
		{ "2", "retry", "exit code 2" },
		{ "63", "retry", "exit code 63" },
		{ "125", "retry", "exit code 125" },
		{ "128", "retry", "exit code 128" },
		{ "255", "retry", "exit code 255" },
	};
	enum { COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };
	struct scenario *s = *state;

	start_exits(s);
	for (int i = 0; i < COUNT; i++)
		database_do(s->database, "select locum.submit('exits', '%s')", ROWS[i].code);
	for (int i = 0; i < COUNT; i++)
		assert_first_run(s, ROWS[i].code, ROWS[i].outcome, ROWS[i].error);
}

static void a_signal_is_a_failure_that_is_tried_again(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "crash", "", "kill -SEGV $$");
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "crash");
	assert_first_run(s, "{}", "retry", "killed by signal 11 (Segmentation fault)");
}

static void a_timeout_is_a_failure_that_is_tried_again(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('gated', timeout => '300 ms')");
	assert_first_run(s, "{}", "retry", "timed out after 300ms");
	scenario_await_first_runs_gone(s, 1, 1);
}

/* Notes each wait that a retry is given, and cuts it short. */
static const char WAITS[] =
	"drop table if exists public.wait; create table public.wait (attempt int, given interval); "
	"create or replace function public.cut_wait() returns trigger language plpgsql as $$ begin "
	"insert into public.wait values (new.attempt, new.run_at - clock_timestamp()); "
	"new.run_at := clock_timestamp(); return new; end $$; "
	"create or replace trigger waits before update on locum.job for each row "
	"when (new.state = 'scheduled') execute function public.cut_wait()";

static void retries_wait_longer_each_time_until_attempts_run_out(void **state)
{
	struct scenario *s = *state;

	start_exits(s);
	database_do(s->database, "%s", WAITS);
	database_do(s->database, "select locum.submit('exits', '75', max_attempts => 4)");
	scenario_await_finished(s, 1, "failed");
	database_do(s->database, "drop trigger waits on locum.job");
	assert_sql(s->database, "4|4|0|3",
		   "select attempt, claim_seq, interruptions, jsonb_array_length(history) "
		   "from locum.finished");
	/* A second, doubled each time, give or take a quarter; what the statement itself took is off. */
	assert_sql(s->database, "1|t\n2|t\n3|t",
		   "select attempt, given between interval '650 ms' * 2 ^ (attempt - 1) "
		   "and interval '1250 ms' * 2 ^ (attempt - 1) from public.wait order by 1");
	assert_int_equal(scenario_noted(s, "run "), 4);
}

static void a_retry_comes_by_itself_when_its_time_has_come(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "second", "", "note run; [ $LOCUM_ATTEMPT = 2 ] || exit 75");
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "second");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "2|2|t|t",
		   "select attempt, claim_seq, error is null, "
		   "started_at - (history -> 0 ->> 'ended_at')::timestamptz >= interval '700 ms' "
		   "from locum.finished");
}

static const char SOUND[] = "handler \"exit126\" { kind = \"command\" argv = {\"/bin/true\"} }\n"
			    "handler \"exit127\" { kind = \"command\" argv = {\"/bin/true\"} }\n"
			    "handler \"vanished\" { kind = \"command\" argv = {\"/bin/true\"} }\n"
			    "handler \"missing\" { kind = \"command\" argv = {\"/bin/true\"} }\n"
			    "handler \"data\" { kind = \"command\" argv = {\"/bin/true\"} }\n";

/* Five handlers that it cannot execute: two say so, one disappears, two were never programs. */
static struct scenario_daemon *start_broken(struct scenario *s)
{
	struct scenario_daemon *daemon;
	char path[SCENARIO_PATH];

	scenario_handler(s, "exit126", "", "exit 126");
	scenario_handler(s, "exit127", "", "exit 127");
	scenario_handler(s, "vanished", "", "exit 0");
	daemon = scenario_start(s, "broken",
				"handler \"missing\" { kind = \"command\" argv = {\"/no/such\"} }\n"
				"handler \"data\" { kind = \"command\" argv = {\"%s\"} }\n",
				s->effects);
	snprintf(path, sizeof(path), "%s/vanished.sh", s->directory);
	assert_int_equal(unlink(path), 0);
	return daemon;
}

static void what_cannot_be_executed_is_left_to_others_uncounted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *broken = start_broken(s);
	struct command command;

	database_do(s->database,
		    "select locum.submit(handler) from unnest(array['exit126', 'exit127', "
		    "'vanished', 'missing', 'data']) as handler");
	scenario_await_logged(s, broken, 5, "handler cannot be executed here; its jobs");
	scenario_await(s,
		       "select array_length(broken, 1) = 5 and handlers = '{}' from locum.agent");
	scenario_await(s, "select count(*) = 3 from locum.job where claim_seq = 1 and "
			  "history -> 0 ->> 'outcome' = 'release'");
	cli_run(&command, s->database, "workers", NULL);
	assert_non_null(strstr(command.printed, "missing"));
	assert_non_null(strstr(command.printed, "exit127"));
	command_fini(&command);
	assert_sql(s->database, "5|0",
		   "select count(*), sum(attempt + interruptions + recoveries) from locum.job "
		   "where state = 'pending'");
	s->handlers[0] = '\0';
	scenario_start(s, "sound", "%s", SOUND);
	scenario_await_finished(s, 5, "completed");
	assert_sql(s->database, "1|1|0|2\n2|1|0|3",
		   "select claim_seq, attempt, interruptions, count(*) from locum.finished "
		   "group by 1, 2, 3 order by 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(exit_codes_decide_what_becomes_of_a_job),
		SCENARIO_CALM_TEST(a_signal_is_a_failure_that_is_tried_again),
		SCENARIO_CALM_TEST(a_timeout_is_a_failure_that_is_tried_again),
		SCENARIO_CALM_TEST(a_retry_comes_by_itself_when_its_time_has_come),
		SCENARIO_CALM_TEST(what_cannot_be_executed_is_left_to_others_uncounted),
		/* The last, for it leaves a trigger when it fails. */
		SCENARIO_CALM_TEST(retries_wait_longer_each_time_until_attempts_run_out),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
