/* A job goes in, its handler runs, its result comes out: byte for byte, within limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { AGENT_MEMORY_KB = 64 * 1024 };

static void submit_payload(struct scenario *s, const char *handler, const char *payload)
{
	const char *const values[] = { handler, payload };
	PGresult *result = PQexecParams(s->database->sql, "select locum.submit($1, $2::json)", 2,
					NULL, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		scenario_fail(s, "%s", PQerrorMessage(s->database->sql));
	PQclear(result);
}

/* The payload or the result of a job against what it was. */
static void assert_bytes(struct scenario *s, const char *column, int job, const char *expected)
{
	char query[128];
	PGresult *result;

	snprintf(query, sizeof(query), "select %s from locum.finished where id = %d", column, job);
	result = PQexec(s->database->sql, query);
	assert_int_equal(PQntuples(result), 1);
	if (strcmp(PQgetvalue(result, 0, 0), expected) != 0)
		scenario_fail(s, "%s of job %d is %.100s, not %.100s", column, job,
			      PQgetvalue(result, 0, 0), expected);
	PQclear(result);
}

static void a_submitted_job_runs_and_its_result_is_stored(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "hello", "",
			 "note run; echo to the log; echo and this >&2; printf '{\"n\": 1}' >&3");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "hello");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database,
		   "1|default|hello|completed|1|0|{\"n\": 1}|-|to the log\nand this\n|t",
		   "select id, queue, handler, state, attempt, interruptions, result, error, log, "
		   "created_at <= started_at and started_at <= finished_at from locum.jobs");
	assert_sql(s->database, "t",
		   "select j.dispatcher_id = d.id and j.incarnation = d.incarnation and d.pid = %d "
		   "from locum.jobs j, locum.dispatchers d",
		   (int)daemon->pid);
	assert_int_equal(scenario_noted(s, "run "), 1);
}

static void a_handler_is_told_about_its_job(void **state)
{
	struct scenario *s = *state;

	scenario_handler(
		s, "told", "",
		"printf '%s|%s|%s|%s|%s|%s|%s' $LOCUM_JOB_ID $LOCUM_CLAIM_ID "
		"$LOCUM_CLAIM_SEQ $LOCUM_ATTEMPT \"$LOCUM_QUEUE\" $LOCUM_HANDLER $TRACEPARENT");
	scenario_start(s, "one", "agent \"main\" { queues = {\"a line\"} }");
	database_do(s->database, "select locum.submit('told', queue => 'a line', "
				 "traceparent => '00-abc')");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "t",
		   "select log = format('%%s|%%s|1|1|a line|told|00-abc', id, claim_id) "
		   "from locum.finished");
}

static void a_payload_reaches_its_handler_byte_for_byte(void **state)
{
	static const char *const PAYLOADS[] = {
		"1e400",
		"-0",
		"-0.0",
		"1E+02",
		"0.10",
		"123456789012345678901234567890.123456789012345678901234567890",
		"{\"b\":1,\"a\":2,\"b\":3}",
		"{ \"a\" : [1 ,\t2 ,\r\n 3 ] }",
		"  \n null \t",
		"\"\\u00e9\\/\\n\\ud83d\\ude80\\u0000\"",
		"\"za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 \xf0\x9f\x9a\x80\"",
		"{\"\":\"'\\\"$(id) %s \\\\\"}",
		"\"\"",
		"[]",
		"true",
	};
	enum { COUNT = sizeof(PAYLOADS) / sizeof(PAYLOADS[0]) };
	struct scenario *s = *state;

	scenario_handler(s, "cat", "", "cat >&3");
	scenario_start(s, "one", "%s", "");
	for (int i = 0; i < COUNT; i++)
		submit_payload(s, "cat", PAYLOADS[i]);
	scenario_await_finished(s, COUNT, "completed");
	for (int i = 0; i < COUNT; i++) {
		assert_bytes(s, "payload", i + 1, PAYLOADS[i]);
		assert_bytes(s, "result", i + 1, PAYLOADS[i]);
	}
}

static void large_payloads_and_results_pass_whole(void **state)
{
	static const int SIZES[] = { LIMIT_PAYLOAD_INLINE_BYTES, LIMIT_PAYLOAD_INLINE_BYTES + 1,
				     LIMIT_PAYLOAD_BYTES,        LIMIT_PAYLOAD_BYTES,
				     LIMIT_PAYLOAD_BYTES,        LIMIT_PAYLOAD_BYTES,
				     LIMIT_PAYLOAD_BYTES };
	enum { COUNT = sizeof(SIZES) / sizeof(SIZES[0]) };
	struct scenario *s = *state;
	char *payload = malloc(LIMIT_PAYLOAD_BYTES + 1);

	assert_non_null(payload);
	scenario_handler(s, "cat", "", "cat >&3");
	scenario_start(s, "one", "agent \"main\" { size = %d }", (int)COUNT);
	for (int i = 0; i < COUNT; i++) {
		memset(payload, 'a' + i, (size_t)SIZES[i]);
		payload[0] = payload[SIZES[i] - 1] = '"';
		payload[SIZES[i]] = '\0';
		submit_payload(s, "cat", payload);
	}
	free(payload);
	scenario_await_finished(s, COUNT, "completed");
	for (int i = 0; i < COUNT; i++)
		assert_sql(s->database, "t",
			   "select result::text = payload::text and payload::text = "
			   "format('\"%%s\"', repeat('%c', %d)) from locum.finished where id = %d",
			   'a' + i, SIZES[i] - 2, i + 1);
}

static void a_result_that_is_too_large_fails_its_job(void **state)
{
	struct scenario *s = *state;

	scenario_handler(s, "large", "", "{ printf '\"'; head -c 2M /dev/zero | tr '\\0' x; } >&3");
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "large");
	scenario_await_finished(s, 1, "failed");
	assert_sql(s->database, "1|-|result is larger than 1048576 bytes",
		   "select attempt, result, error from locum.finished");
}

static int64_t peak_kb(struct scenario *s, pid_t pid)
{
	char path[64];
	char line[256];
	int64_t peak = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			peak = strtoll(line + 6, NULL, 10);
	if (file == NULL || peak == 0)
		scenario_fail(s, "cannot read %s", path);
	fclose(file);
	return peak;
}

static void a_gigabyte_of_output_keeps_its_tail_and_little_memory(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "loud", "", "yes loud | head -c 1G; printf '\\nthe end'");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "loud");
	scenario_await_finished(s, 1, "completed");
	assert_sql(
		s->database, "t|t",
		"select octet_length(log) between %d and %d, "
		"log ~ '^\\[[0-9]+ earlier bytes dropped\\]\n.*loud\nthe end$' from locum.finished",
		LIMIT_LOG_BYTES / 2, LIMIT_LOG_BYTES);
	/* Sanitizers need memory of their own. */
	if (getenv("ASAN_OPTIONS") == NULL && getenv("TSAN_OPTIONS") == NULL)
		assert_in_range((uintmax_t)peak_kb(s, scenario_agent(s, daemon)), 1,
				AGENT_MEMORY_KB);
}

static void a_result_that_is_no_json_fails_only_its_own_job(void **state)
{
	struct scenario *s = *state;

	scenario_gate(s, "gate");
	scenario_handler(s, "half", "",
			 "note start; gate gate; [ $((LOCUM_JOB_ID % 4)) != 0 ] && printf 1 >&3 || "
			 "printf '{broken' >&3");
	scenario_start(s, "one", "agent \"main\" { size = 16 }");
	scenario_submit(s, 16, "half");
	scenario_await_noted(s, 16, "start ");
	scenario_let(s, "gate", 16); /* so that they end together */
	scenario_await_finished(s, 4, "failed");
	scenario_await_finished(s, 12, "completed");
	assert_sql(s->database, "t|4",
		   "select bool_and(id %% 4 = 0 and attempt = 1 and result is null and error like "
		   "'the database refused the outcome: %%json%%'), count(*) "
		   "from locum.finished where state = 'failed'");
	assert_int_equal(scenario_noted(s, "start "), 16);
}

static void a_queue_that_keeps_nothing_leaves_nothing(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "quick", "", "note run; printf 1 >&3");
	database_do(s->database, "update locum.queue set keep_finished = '0'");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 20, "quick");
	scenario_await_noted(s, 20, "run ");
	scenario_await(s, "select count(*) = 0 from locum.job");
	scenario_drain(s, daemon);
	assert_int_equal(database_int(s->database, "select count(*) from locum.finished"), 0);
	assert_int_equal(scenario_noted(s, "run "), 20);
	assert_int_equal(scenario_logged(s, daemon, "job completed"), 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_submitted_job_runs_and_its_result_is_stored),
		SCENARIO_CALM_TEST(a_handler_is_told_about_its_job),
		SCENARIO_CALM_TEST(a_payload_reaches_its_handler_byte_for_byte),
		SCENARIO_CALM_TEST(large_payloads_and_results_pass_whole),
		SCENARIO_CALM_TEST(a_result_that_is_too_large_fails_its_job),
		SCENARIO_CALM_TEST(a_gigabyte_of_output_keeps_its_tail_and_little_memory),
		SCENARIO_CALM_TEST(a_result_that_is_no_json_fails_only_its_own_job),
		SCENARIO_CALM_TEST(a_queue_that_keeps_nothing_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
