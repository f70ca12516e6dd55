/* What an exit code does to a job, from the handler to the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* Each run ends with the exit code that is its payload. */
static void start_exits(struct scenario *s)
{
	scenario_handler(s, "exits", "", "note run; exit \"$(cat)\"");
	scenario_start(s, "one", "%s", "");
}

/* The job, finished or not, as "state|attempt|error". */
static void assert_job(struct scenario *s, int code, const char *state, const char *error)
{
	char expected[256];

	scenario_await(s, "select state = '%s' from locum.jobs where payload::text = '%d'", state,
		       code);
	snprintf(expected, sizeof(expected), "%s|1|%s", state, error);
	assert_sql(s->database, expected,
		   "select state, attempt, error from locum.jobs where payload::text = '%d'", code);
}

static void exit_codes_decide_what_becomes_of_a_job(void **state)
{
	static const struct {
		int code;
		const char *state;
		const char *error;
	} ROWS[] = {
		{ 0, "completed", "-" },
		{ 75, "scheduled", "asked to be tried again (exit code 75)" },
		{ 111, "scheduled", "asked to be tried again (exit code 111)" },
		{ 64, "failed", "failed for good (exit code 64)" },
		{ 65, "failed", "failed for good (exit code 65)" },
		{ 76, "failed", "failed for good (exit code 76)" },
		{ 77, "failed", "failed for good (exit code 77)" },
		{ 78, "failed", "failed for good (exit code 78)" },
		{ 100, "failed", "failed for good (exit code 100)" },
		{ 112, "failed", "failed for good (exit code 112)" },
		{ 1, "scheduled", "exit code 1" },
		{ 2, "scheduled", "exit code 2" },
		{ 63, "scheduled", "exit code 63" },
		{ 125, "scheduled", "exit code 125" },
		{ 128, "scheduled", "exit code 128" },
		{ 255, "scheduled", "exit code 255" },
	};
	enum { COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };
	struct scenario *s = *state;

	start_exits(s);
	for (int i = 0; i < COUNT; i++)
		database_do(s->database, "select locum.submit('exits', '%d')", ROWS[i].code);
	for (int i = 0; i < COUNT; i++)
		assert_job(s, ROWS[i].code, ROWS[i].state, ROWS[i].error);
}

static void a_signal_is_a_failure_that_is_tried_again(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "crash", "", "kill -SEGV $$");
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "crash");
	scenario_await(s, "select state = 'scheduled' from locum.job");
	assert_sql(s->database, "1|0|killed by signal 11 (Segmentation fault)",
		   "select attempt, interruptions, error from locum.job");
}

static void a_timeout_is_a_failure_that_is_tried_again(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('gated', timeout => '300 ms')");
	scenario_await(s, "select state = 'scheduled' from locum.job");
	assert_sql(s->database, "1|timed out after 300ms", "select attempt, error from locum.job");
	scenario_await_first_runs_gone(s, 1, 1);
}

/* Between three and five quarters of the wait that attempt n ends with. */
static void assert_wait(struct scenario *s, int attempt, int wait_ms)
{
	scenario_await(s, "select state = 'scheduled' and attempt = %d from locum.job", attempt);
	assert_sql(s->database, "t",
		   "select run_at - (history -> %d ->> 'ended_at')::timestamptz between "
		   "interval '%d ms' and interval '%d ms' from locum.job",
		   attempt - 1, wait_ms * 3 / 4 - 50, wait_ms * 5 / 4 + 50);
}

static void retries_wait_longer_each_time_until_attempts_run_out(void **state)
{
	struct scenario *s = *state;

	start_exits(s);
	database_do(s->database, "select locum.submit('exits', '75', max_attempts => 4)");
	for (int attempt = 1; attempt < 4; attempt++) {
		assert_wait(s, attempt, 1000 << (attempt - 1));
		assert_int_equal(scenario_noted(s, "run "), attempt);
		database_do(s->database, "update locum.job set run_at = now()");
	}
	scenario_await_finished(s, 1, "failed");
	assert_sql(s->database, "4|4|0|3",
		   "select attempt, claim_seq, interruptions, jsonb_array_length(history) "
		   "from locum.finished");
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

	database_do(s->database,
		    "select locum.submit(handler) from unnest(array['exit126', 'exit127', "
		    "'vanished', 'missing', 'data']) as handler");
	scenario_await_logged(s, broken, 5, "handler cannot be executed here; its jobs");
	scenario_await(s,
		       "select array_length(broken, 1) = 5 and handlers = '{}' from locum.agent");
	scenario_await(s, "select count(*) = 3 from locum.job where claim_seq = 1 and "
			  "history -> 0 ->> 'outcome' = 'release'");
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
		SCENARIO_TEST(exit_codes_decide_what_becomes_of_a_job),
		SCENARIO_TEST(a_signal_is_a_failure_that_is_tried_again),
		SCENARIO_TEST(a_timeout_is_a_failure_that_is_tried_again),
		SCENARIO_TEST(retries_wait_longer_each_time_until_attempts_run_out),
		SCENARIO_TEST(a_retry_comes_by_itself_when_its_time_has_come),
		SCENARIO_TEST(what_cannot_be_executed_is_left_to_others_uncounted),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
