#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/agent_fixture.h"
#include "tests/support/service_script.h"

#define ECHO "run() { result '{\"value\":'\"$payload\"'}'; }"

static void assert_echo(struct agent_fixture *agent, int64_t id, const char *payload,
			const char *wanted)
{
	struct wire_outcome outcome = agent_fixture_finish(agent, id, "echo", payload);

	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.result, wanted));
}

/* --- jobs and answers -------------------------------------------------------------------------- */

static void payloads_and_values_pass_byte_for_byte(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "echo", ECHO);
	agent_fixture_start(agent);
	assert_echo(agent, 1, "{\"a\": [1.50, 1e2 ,\t-0] }", "{\"a\": [1.50, 1e2 ,\t-0] }");
	assert_echo(agent, 2, "\"\\u00e4 \xc3\xa4 }} \"", "\"\\u00e4 \xc3\xa4 }} \"");
	assert_echo(agent, 3, "123456789012345678901234567890", "123456789012345678901234567890");
	assert_echo(agent, 4, "null", "null");
	assert_echo(agent, 5, "{\"payload\": {\"id\": 9}}", "{\"payload\": {\"id\": 9}}");
}

static void line_breaks_between_tokens_become_spaces(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "echo", ECHO);
	agent_fixture_start(agent);
	assert_echo(agent, 1, "{\r\n \"a\":\n1 }\n", "{   \"a\": 1 }");
}

static void a_result_without_a_value_is_none(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "empty", "run() { result null; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "empty", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_null(outcome.result.bytes);
	assert_int_equal(outcome.exit_code, -1);
	assert_true(outcome.started_ms > 0 && outcome.ended_ms >= outcome.started_ms);
}

static void a_job_says_who_it_is(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(7, "tell", "{}");
	struct wire_bytes order;

	service_script(agent, "tell", "run() { result '{\"value\":'\"$order\"'}'; }");
	agent_fixture_start(agent);
	job.timeout_ms = 60000;
	job.traceparent = (struct wire_bytes){ "00-\"-1", 6 };
	agent_fixture_send(agent, &job, 1);
	order = agent_fixture_outcome(agent, 7).result;
	assert_true(agent_fixture_holds(order,
					"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"job.run\","
					"\"params\":{\"id\":7,\"attempt\":1,\"fence\":\"c1"));
	assert_true(agent_fixture_holds(order, ",\"claimSeq\":7,\"queue\":\"default\","));
	assert_true(agent_fixture_holds(order,
					",\"handler\":\"tell\",\"traceparent\":\"00-\\u0022-1\""));
	assert_true(agent_fixture_holds(order, ",\"deadline\":\"20"));
	assert_true(agent_fixture_holds(order, ",\"payload\":{}}}"));
}

static void errors_say_what_comes_next(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "fail", "run() { eval \"error 'it \\\\u0062roke' $payload\"; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "fail", " ");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "it broke");
	assert_int_equal(outcome.delay_ms, -1);
	outcome = agent_fixture_finish(agent, 2, "fail", "'{\"outcome\":\"fail\"}'");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "it broke");
	outcome = agent_fixture_finish(agent, 3, "fail",
				       "'{\"outcome\":\"snooze\",\"afterSeconds\":1.5}'");
	agent_fixture_assert_outcome(outcome, VERDICT_SNOOZED, "it broke");
	assert_int_equal(outcome.delay_ms, 1500);
	outcome = agent_fixture_finish(agent, 4, "fail",
				       "'{\"outcome\":\"retry\",\"afterSeconds\":1e99}'");
	assert_int_equal(outcome.verdict, VERDICT_RETRY);
	assert_int_equal(outcome.delay_ms, LIMIT_DELAY_SECONDS * 1000LL);
}

static void a_value_that_is_too_large_fails_its_job_alone(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "large",
		       "run() { [ $id = 2 ] && { result {}; return; }; "
		       "result '{\"value\":\"'$(head -c 1048577 /dev/zero | tr '\\0' x)'\"}'; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "large", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "result is larger than 1048576 bytes");
	assert_int_equal(agent_fixture_finish(agent, 2, "large", "{}").verdict, VERDICT_DONE);
}

static void a_large_payload_arrives_however_slowly_it_is_read(void **state)
{
	enum { LENGTH = LIMIT_PAYLOAD_BYTES - 2 };
	struct agent_fixture *agent = *state;
	char *payload = malloc(LENGTH + 3);
	struct wire_outcome outcome;

	service_script(agent, "slow",
		       "ready() { result {}; hear ready; read -r go < $FIFO.go; }\n"
		       "run() { result '{\"value\":'${#payload}'}'; }");
	agent_fixture_start(agent);
	memset(payload, 'x', LENGTH + 2);
	payload[0] = '"';
	payload[LENGTH + 1] = '"';
	payload[LENGTH + 2] = '\0';
	fifo_await(&agent->fifo, "ready");
	for (int i = 1; i <= 4; i++)
		agent_fixture_run(agent, i, "slow", payload);
	agent_fixture_await_started(agent, 4);
	fifo_go(&agent->fifo);
	for (int i = 1; i <= 4; i++) {
		outcome = agent_fixture_outcome(agent, i);
		agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
		assert_true(agent_fixture_is(outcome.result, "1048576"));
	}
	free(payload);
}

/* --- credit ------------------------------------------------------------------------------------ */

/* Collects jobs, and answers all of them in reverse when the payload is "flush". */
#define COLLECT                                                                                    \
	"run() { ids=\"$id $ids\"; hear \"got $id\"; "                                             \
	"case $payload in '\"flush\"') for id in $ids; do result {}; done; ids=;; esac; }"

static void jobs_are_sent_without_waiting_for_answers(void **state)
{
	struct agent_fixture *agent = *state;

	service_script(agent, "collect", COLLECT);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "collect", "{}");
	agent_fixture_run(agent, 2, "collect", "{}");
	agent_fixture_run(agent, 3, "collect", "\"flush\"");
	for (int i = 3; i >= 1; i--)
		assert_int_equal(agent_fixture_outcome(agent, i).verdict, VERDICT_DONE);
}

static void the_smaller_concurrency_is_the_credit(void **state)
{
	struct agent_fixture *agent = *state;

	agent->slots = 10;
	service_script(agent, "own", COLLECT "\nready() { result '{\"concurrency\":2}'; }");
	service_script(agent, "configured", COLLECT "\nready() { result '{\"concurrency\":9}'; }")
		->concurrency = 2;
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	for (int i = 1; i <= 3; i++) {
		agent_fixture_run(agent, i, "own", i == 2 ? "\"flush\"" : "{}");
		agent_fixture_run(agent, 10 + i, "configured", "{}");
	}
	agent_fixture_await_started(agent, 3);
	assert_true(agent_fixture_has_outcome(agent, 1) || agent_fixture_has_outcome(agent, 2));
	agent_fixture_await_started(agent, 12);
	/* A command behind a job that waits for its service does not wait. */
	assert_int_equal(agent_fixture_finish(agent, 20, "true", "{}").verdict, VERDICT_DONE);
	assert_false(agent_fixture_has_started(agent, 13));
}

static void jobs_of_services_take_slots_and_their_processes_do_not(void **state)
{
	struct agent_fixture *agent = *state;

	agent->slots = 2;
	service_script(agent, "collect", COLLECT);
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "collect", "{}");
	assert_int_equal(agent_fixture_finish(agent, 2, "true", "{}").verdict, VERDICT_DONE);
	agent_fixture_run(agent, 3, "collect", "{}");
	agent_fixture_await_started(agent, 3);
	agent_fixture_run(agent, 4, "true", "{}");
	fifo_await(&agent->fifo, "got 3");
	assert_false(agent_fixture_has_started(agent, 4));
}

static void instances_share_the_jobs(void **state)
{
	struct agent_fixture *agent = *state;
	struct handler *handler = service_script(agent, "pids", "run() { hear \"$$.\"; }");

	handler->instances = 3;
	handler->concurrency = 1;
	agent_fixture_start(agent);
	for (int i = 1; i <= 3; i++)
		agent_fixture_run(agent, i, "pids", "{}");
	/* Each takes one, or the third would wait for ever. */
	agent_fixture_await_started(agent, 3);
	for (int i = 1; i <= 3; i++)
		fifo_await(&agent->fifo, ".");
}

static void a_process_is_replaced_after_its_last_job_and_loses_none(void **state)
{
	enum { JOBS = 40 };
	struct agent_fixture *agent = *state;
	struct handler *handler =
		service_script(agent, "few",
			       "run() { n=$((n + 1)); result '{\"value\":'$n'}'; }\n"
			       "finish() { hear bye; }");

	handler->max_jobs = 10;
	agent_fixture_start(agent);
	for (int i = 1; i <= JOBS; i++)
		agent_fixture_run(agent, i, "few", "{}");
	for (int i = 1; i <= JOBS; i++) {
		struct wire_outcome outcome = agent_fixture_outcome(agent, i);

		agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
		assert_true(outcome.result.length == 1 || agent_fixture_is(outcome.result, "10"));
	}
	for (int i = 0; i < JOBS / 10; i++)
		fifo_await(&agent->fifo, "bye");
	assert_int_equal(agent_fixture_broken_count(agent), 0);
}

/* --- surroundings ------------------------------------------------------------------------------ */

static void a_service_is_told_nothing_of_any_job_by_its_environment(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(
		agent, "env",
		"run() { result '{\"value\":\"'$(env | grep -c -e JOB_ID -e CLAIM -e DEADLINE)"
		"' '$LOCUM_HANDLER' '$(cat | wc -c)' '$(ls /proc/self/fd | wc -l)'\"}'; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "env", "{}");
	/* No variable of a job, its handler, an empty input; 0 to 4, and that of ls. */
	assert_true(agent_fixture_is(outcome.result, "\"0 env 0 6\""));
}

static void a_log_line_belongs_to_its_job_and_cannot_forge_another(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome first;
	struct wire_outcome second;

	agent->slots = 2;
	service_script(
		agent, "log",
		"run() { notify job.log '{\"id\":'$id',\"level\":\"info\",'"
		"'\"message\":\"job '$id'\\r\\n\\u001b[31mforged\\u0000\"}'; "
		"notify job.progress '{\"id\":'$id',\"percent\":50.5,\"message\":\"half\"}'; "
		"notify job.checkpoint '{\"id\":'$id',\"state\":{\"at\":1}}'; "
		"notify job.log '{\"id\":99,\"message\":\"nobody\"}'; echo loose; result {}; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "log", "{}");
	agent_fixture_run(agent, 2, "log", "{}");
	first = agent_fixture_outcome(agent, 1);
	second = agent_fixture_outcome(agent, 2);
	agent_fixture_assert_outcome(first, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(first.log, "info: job 1\\x0d\\x0a\\x1b[31mforged\\x00\n"
						"progress 50.5% half\n"));
	assert_true(agent_fixture_holds(second.log, "info: job 2"));
	assert_false(agent_fixture_holds(second.log, "job 1"));
}

static void the_last_checkpoint_and_progress_are_told_before_the_end_of_a_failed_run(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_note note;
	struct wire_outcome outcome;

	service_script(agent, "steps",
		       "run() { i=0; while [ $i -lt 300 ]; do i=$((i + 1)); "
		       "notify job.checkpoint '{\"id\":'$id',\"state\":{\"at\": '$i'}}'; done; "
		       "notify job.progress '{\"id\":'$id',\"percent\":1}'; "
		       "notify job.progress '{\"id\":'$id',\"percent\":2.5,\"message\":\"two\"}'; "
		       "error again; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "steps", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "again");
	/* Far fewer are told than were said. */
	assert_in_range(agent_events_notes(&agent->events, 1, &note), 1, 10);
	assert_true(agent_fixture_is(note.checkpoint, "{\"at\": 300}"));
	assert_true(agent_fixture_is(note.progress, "{\"percent\":2.5,\"message\":\"two\"}"));
}

static void a_checkpoint_is_told_while_its_run_goes_on(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_note note;

	service_script(agent, "long",
		       "run() { notify job.checkpoint '{\"id\":'$id',\"state\":1}'; hear one.; "
		       "notify job.checkpoint '{\"id\":'$id',\"state\":2}'; }");
	agent_fixture_start(agent);
	agent_fixture_run(agent, 1, "long", "{}");
	while (agent_events_notes(&agent->events, 1, &note) == 0 ||
	       !agent_fixture_is(note.checkpoint, "2"))
		agent_events_await(&agent->events, agent->socket);
	assert_false(agent_fixture_has_outcome(agent, 1));
}

static void a_run_gets_the_checkpoint_of_the_one_before(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_job job = agent_fixture_job(1, "go", "{\"p\":1}");

	service_script(agent, "go",
		       "run() { c=${order#*'\"checkpoint\":'}; c=${c%%',\"payload'*}; "
		       "result '{\"value\":['\"$c,$payload\"']}'; }");
	job.checkpoint = (struct wire_bytes){ "{\"at\":\n7}", 9 };
	agent_fixture_start(agent);
	agent_fixture_send(agent, &job, 1);
	assert_true(agent_fixture_is(agent_fixture_outcome(agent, 1).result,
				     "[{\"at\": 7},{\"p\":1}]"));
}

static void a_checkpoint_that_is_too_large_is_not_kept_and_the_log_says_so(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;
	struct wire_note note;

	service_script(
		agent, "large",
		"run() { notify job.checkpoint '{\"id\":'$id',\"state\":\"'$(printf %08200d 0)'\"}'; "
		"error again; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "large", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_RETRY, "again");
	assert_true(agent_fixture_is(outcome.log, "a checkpoint was too large to be kept\n"));
	assert_int_equal(agent_events_notes(&agent->events, 1, &note), 0);
}

static void what_the_host_does_not_know_is_ignored_or_refused(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "odd",
		       "run() { notify job.unheard '[1]'; say ''; say '  '; "
		       "say '{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}'; "
		       "say '{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"host.say\"}'; "
		       "read -r refusal <&3; result '{\"value\":'\"$refusal\"'}'; result {}; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "odd", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_holds(outcome.result, "\"id\":\"q\",\"error\":{\"code\":-32601"));
	assert_int_equal(agent_fixture_finish(agent, 2, "odd", "{}").verdict, VERDICT_DONE);
}

static void a_value_with_too_many_levels_fails_its_job_alone(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(agent, "deep",
		       "run() { case $payload in *deep*) "
		       "n=$(head -c 600 /dev/zero | tr '\\0' '[');"
		       "m=$(head -c 600 /dev/zero | tr '\\0' ']');"
		       "notify job.checkpoint \"{\\\"id\\\":$id,\\\"state\\\":$n$m}\";"
		       "result '{\"value\":'\"$n$m\"'}' ;; *) result '{}' ;; esac; }");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "deep", "\"deep\"");
	agent_fixture_assert_outcome(outcome, VERDICT_FAIL, "result has more than 512 levels");
	assert_true(agent_fixture_holds(outcome.log, "a checkpoint was too large to be kept"));
	assert_int_equal(agent_fixture_finish(agent, 2, "deep", "{}").verdict, VERDICT_DONE);
}

/* An answer that names its claim is never taken for that of another run of its job. */
static void a_late_answer_does_not_count_for_the_next_run(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	service_script(
		agent, "late",
		"run() { fence=${order#*'\"fence\":\"'}; fence=${fence%%'\"'*}; "
		"notify job.log '{\"id\":'$id',\"message\":\"old\",\"fence\":\"'$old'\"}'; "
		"result '{\"value\":\"old\",\"fence\":\"'$old'\"}'; "
		"error old '{\"outcome\":\"fail\",\"fence\":\"'$old'\"}'; "
		"notify job.log '{\"id\":'$id',\"message\":\"new\",\"fence\":\"'$fence'\"}'; "
		"result '{\"value\":\"new\",\"fence\":\"'$fence'\"}'; }\n"
		"old=c1000000-0000-0000-ffff-000000000000");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "late", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(agent_fixture_is(outcome.result, "\"new\""));
	assert_true(agent_fixture_is(outcome.log, "new\n"));
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(payloads_and_values_pass_byte_for_byte),
		TEST(line_breaks_between_tokens_become_spaces),
		TEST(a_result_without_a_value_is_none),
		TEST(a_job_says_who_it_is),
		TEST(errors_say_what_comes_next),
		TEST(a_value_that_is_too_large_fails_its_job_alone),
		TEST(a_large_payload_arrives_however_slowly_it_is_read),
		TEST(jobs_are_sent_without_waiting_for_answers),
		TEST(the_smaller_concurrency_is_the_credit),
		TEST(jobs_of_services_take_slots_and_their_processes_do_not),
		TEST(instances_share_the_jobs),
		TEST(a_process_is_replaced_after_its_last_job_and_loses_none),
		TEST(a_service_is_told_nothing_of_any_job_by_its_environment),
		TEST(a_log_line_belongs_to_its_job_and_cannot_forge_another),
		TEST(the_last_checkpoint_and_progress_are_told_before_the_end_of_a_failed_run),
		TEST(a_checkpoint_is_told_while_its_run_goes_on),
		TEST(a_run_gets_the_checkpoint_of_the_one_before),
		TEST(a_checkpoint_that_is_too_large_is_not_kept_and_the_log_says_so),
		TEST(a_value_with_too_many_levels_fails_its_job_alone),
		TEST(a_late_answer_does_not_count_for_the_next_run),
		TEST(what_the_host_does_not_know_is_ignored_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
