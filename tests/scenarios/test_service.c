/* Whole fleets with services: samples of each language, crashes, deaths of dispatchers. */
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

#include "base/clock.h"
#include "base/limits.h"
#include "tests/support/acts.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { JOBS = 200, GRACE_MS = 3000 };

#define PYTHON "/usr/bin/python3"
#define NODE "/usr/bin/node"

/* A file of this source tree, by its absolute path: where the tests run. */
static const char *sample(const char *name)
{
	static char path[512];
	char here[384];

	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(path), "%s/examples/handlers/%s", here, name);
	return path;
}

/* The sample in C, built. */
static const char *sample_in_c(void)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/../handlers/service", getenv("LOCUM_TEST_BIN"));
	return path;
}

static void add_service(struct scenario *s, const char *name, const char *argv,
			const char *settings)
{
	size_t used = strlen(s->handlers);

	snprintf(s->handlers + used, sizeof(s->handlers) - used,
		 "handler \"%s\" { kind = \"service\" argv = {%s} concurrency = 16 %s }\n", name,
		 argv, settings);
}

/* A service in sh that notes each job in the effect log, with a hook for what is special about a job. */
static void add_noting_service(struct scenario *s, const char *name, const char *settings,
			       const char *hook)
{
	char path[SCENARIO_PATH * 2];
	char argv[SCENARIO_PATH * 3];
	FILE *script;

	snprintf(path, sizeof(path), "%s/%s.sh", s->directory, name);
	script = fopen(path, "we");
	assert_non_null(script);
	fprintf(script,
		"say() { printf '{\"jsonrpc\":\"2.0\",\"id\":%%s,%%s}\\n' \"$id\" \"$1\" >&4; }\n"
		"while IFS= read -r order <&3; do\n"
		"id=${order#*'\"id\":'}; id=${id%%%%,*}\n"
		"attempt=${order#*'\"attempt\":'}; attempt=${attempt%%%%,*}\n"
		"payload=${order#*',\"payload\":'}; payload=${payload%%'}}'}\n"
		"case $order in\n"
		"*'\"method\":\"initialize\"'*) say '\"result\":{\"concurrency\":16}' ;;\n"
		"*'\"method\":\"job.run\"'*)\n"
		"echo \"run $id $attempt $$\" >> %s\n%s\n"
		"say '\"result\":{}' ;;\nesac\ndone\n",
		s->effects, hook);
	fclose(script);
	snprintf(argv, sizeof(argv), "\"/bin/sh\", \"%s\"", path);
	add_service(s, name, argv, settings);
}

static void submit(struct scenario *s, int count, const char *handler, const char *payload)
{
	database_do(s->database, "select locum.submit('%s', '%s') from generate_series(1, %d)",
		    handler, payload, count);
}

/* --- samples ----------------------------------------------------------------------------------- */

static void serve(struct scenario *s, const char *argv, const char *result)
{
	add_service(s, "sample", argv, "");
	scenario_start(s, "one", "%s", "");
	submit(s, JOBS, "sample", "{\"n\":[1,2]}");
	scenario_await_finished(s, JOBS, "completed");
	assert_int_equal(database_int(s->database,
				      "select count(*) from locum.jobs where result::text = '%s'",
				      result),
			 JOBS);
}

static void the_sample_in_sh_serves(void **state)
{
	char argv[600];

	snprintf(argv, sizeof(argv), "\"%s\"", sample("service.sh"));
	serve(*state, argv, "11");
}

static void the_sample_in_python_serves(void **state)
{
	char argv[600];

	if (access(PYTHON, X_OK) != 0)
		skip();
	snprintf(argv, sizeof(argv), "\"" PYTHON "\", \"%s\"", sample("service.py"));
	serve(*state, argv, "{\"n\":[1,2]}");
}

static void the_sample_in_node_serves(void **state)
{
	char argv[600];

	if (access(NODE, X_OK) != 0)
		skip();
	snprintf(argv, sizeof(argv), "\"" NODE "\", \"%s\"", sample("service.js"));
	serve(*state, argv, "{\"n\":[1,2]}");
}

static void the_sample_in_c_serves(void **state)
{
	char argv[600];

	snprintf(argv, sizeof(argv), "\"%s\"", sample_in_c());
	serve(*state, argv, "{\"n\":[1,2]}");
}

static void a_payload_of_a_megabyte_comes_back_byte_for_byte(void **state)
{
	struct scenario *s = *state;
	char argv[600];

	snprintf(argv, sizeof(argv), "\"%s\"", sample_in_c());
	add_service(s, "sample", argv, "");
	scenario_start(s, "one", "%s", "");
	database_do(
		s->database,
		"select locum.submit('sample', ('[1.50, \"' || repeat('\\u00e4\xc3\xa4', %d) || "
		"'\"  ]')::json)",
		LIMIT_PAYLOAD_BYTES / 8 - 2);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(database_int(s->database, "select count(*) from locum.jobs where "
						   "result::text = payload::text and "
						   "octet_length(result::text) > 1000000"),
			 1);
}

/* --- outcomes ---------------------------------------------------------------------------------- */

static void errors_decide_what_becomes_of_a_job(void **state)
{
	struct scenario *s = *state;

	add_noting_service(
		s, "errs", "",
		"case $payload in\n"
		"'\"fail\"') say '\"error\":{\"code\":1,\"message\":\"for good\","
		"\"data\":{\"outcome\":\"fail\"}}'; continue ;;\n"
		"'\"retry\"') [ $attempt != 1 ] || { say '\"error\":{\"code\":1,\"message\":\"again\","
		"\"data\":{\"outcome\":\"retry\",\"afterSeconds\":0}}'; continue; } ;;\n"
		"'\"snooze\"') [ -n \"$woken\" ] || { woken=1; say '\"error\":{\"code\":1,"
		"\"message\":\"later\",\"data\":{\"outcome\":\"snooze\",\"afterSeconds\":0.1}}'; "
		"continue; } ;;\n"
		"esac");
	scenario_start(s, "one", "%s", "");
	submit(s, 1, "errs", "\"fail\"");
	submit(s, 1, "errs", "\"retry\"");
	submit(s, 1, "errs", "\"snooze\"");
	scenario_await(s, "select not exists (select from locum.job)");
	assert_sql(s->database, "failed|1|for good",
		   "select state, attempt, error from locum.jobs where payload::text = '\"fail\"'");
	assert_sql(s->database, "completed|2",
		   "select state, attempt from locum.jobs where payload::text = '\"retry\"'");
	/* A run that asked to come later has cost no attempt. */
	assert_sql(s->database, "completed|1",
		   "select state, attempt from locum.jobs where payload::text = '\"snooze\"'");
	assert_int_equal(scenario_noted(s, "run "), 5);
}

/* --- deaths ------------------------------------------------------------------------------------ */

static void jobs_of_a_killed_process_run_again_and_its_successor_goes_on(void **state)
{
	struct scenario *s = *state;

	add_noting_service(s, "mortal", "",
			   "[ \"$payload:$attempt\" != '\"kill\":1' ] || kill -9 $$");
	scenario_start(s, "one", "%s", "");
	submit(s, 20, "mortal", "{}");
	submit(s, 1, "mortal", "\"kill\"");
	submit(s, 20, "mortal", "{}");
	scenario_await_finished(s, 41, "completed");
	assert_int_equal(database_int(s->database, "select attempt from locum.jobs "
						   "where payload::text = '\"kill\"'"),
			 2);
	assert_true(scenario_logged(s, &s->daemons[0], "a process of a service ended") >= 1);
}

/* Not only when its process ends, which may be never. */
static void answers_about_no_job_are_told_of_while_the_service_lives(void **state)
{
	struct scenario *s = *state;

	add_noting_service(s, "liar", "", "id=4711 say '\"result\":{}'");
	scenario_start(s, "one", "%s", "");
	submit(s, 10, "liar", "{}");
	scenario_await_finished(s, 10, "completed");
	scenario_await_logged(s, &s->daemons[0], 1, "a service spoke of jobs that it did not have");
	assert_int_equal(scenario_logged(s, &s->daemons[0], "a process of a service ended"), 0);
}

/* The first run leaves a checkpoint and dies, in the middle of a dispatcher's life or with it. */
static void a_run_goes_on_from_the_checkpoint_of_one_that_died(void **state)
{
	struct scenario *s = *state;

	scenario_gate(s, "gate");
	add_noting_service(
		s, "steps", "",
		"case $order in *'\"checkpoint\":{\"at\": 5},\"payload\"'*) "
		"say '\"result\":{\"value\":5}'; continue ;; esac\n"
		"echo '{\"jsonrpc\":\"2.0\",\"method\":\"job.checkpoint\",\"params\":{\"id\":'$id',"
		"\"state\":{\"at\": 5}}}' >&4\n"
		"echo '{\"jsonrpc\":\"2.0\",\"method\":\"job.progress\",\"params\":{\"id\":'$id',"
		"\"percent\":50,\"message\":\"half\"}}' >&4\n"
		"read -r pass < $(dirname \"$0\")/gate; exit 3");
	scenario_start(s, "one", "%s", "");
	submit(s, 1, "steps", "{}");
	scenario_await(s, "select progress::text = '{\"percent\":50,\"message\":\"half\"}' "
			  "and checkpoint::text = '{\"at\": 5}' from locum.job");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "5|2", "select result, attempt from locum.jobs");
}

static void a_sibling_runs_the_jobs_of_a_dead_dispatchers_service(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *first;
	pid_t running;

	scenario_gate(s, "gate");
	add_noting_service(s, "slow", "", "read -r pass < $(dirname \"$0\")/gate");
	first = scenario_start(s, "one", "%s", "");
	submit(s, 3, "slow", "{}");
	scenario_await_noted(s, 1, "run ");
	running = scenario_noted_pid(s, "run ");
	scenario_kill(s, first);
	scenario_await_gone(s, running);
	scenario_let(s, "gate", 3);
	scenario_start(s, "two", "%s", "");
	scenario_await_finished(s, 3, "completed");
}

/* Dispatcher and agent stood still. The order to drop the job would leave the service the kill grace. */
static void a_service_dies_at_once_when_its_agent_wakes_in_a_next_life(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;
	struct acts acts;
	pid_t running;
	pid_t agent;

	scenario_gate(s, "gate");
	add_noting_service(s, "slow", "", "read -r pass < $(dirname \"$0\")/gate");
	victim = scenario_start(s, "victim", "kill_grace = \"%dms\" ping_death_interval = \"4s\"",
				GRACE_MS);
	submit(s, 1, "slow", "{}");
	scenario_await_noted(s, 1, "run ");
	running = scenario_noted_pid(s, "run ");
	agent = scenario_agent(s, victim);
	scenario_start(s, "sibling", "%s", "");
	acts_watch(&acts, s, agent);
	scenario_freeze(s, victim);
	kill(agent, SIGSTOP);
	scenario_await_noted(s, 2, "run ");
	scenario_thaw(s, victim);
	scenario_await(s,
		       "select count(*) = 1 from locum.dispatcher_ping join locum.dispatcher using "
		       "(incarnation) where pid = %d and dispatcher_ping.seq > 2",
		       (int)victim->pid);
	kill(agent, SIGCONT);
	scenario_await_gone(s, running);
	acts_assert_kills_first(&acts, s, 1);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
}

static void a_drain_lets_running_jobs_of_a_service_finish(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	add_noting_service(s, "slow", "", "read -r pass < $(dirname \"$0\")/gate");
	daemon = scenario_start(s, "one", "%s", "");
	submit(s, 1, "slow", "{}");
	scenario_await_noted(s, 1, "run ");
	scenario_signal(s, daemon, SIGTERM);
	scenario_await_logged(s, daemon, 1, "drain");
	scenario_let(s, "gate", 1);
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_sql(s->database, "completed|1", "select state, attempt from locum.jobs");
}

static void a_crash_loop_leaves_the_jobs_to_a_sibling_until_it_ends(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *first;
	char good[SCENARIO_PATH * 2];
	FILE *file;

	snprintf(good, sizeof(good), "%s/good", s->directory);
	snprintf(s->handlers, sizeof(s->handlers),
		 "handler \"loop\" { kind = \"service\" argv = {\"/bin/sh\", \"-c\", "
		 "\"[ -e %s ] || exit 1; exec %s\"} }\n",
		 good, sample_in_c());
	first = scenario_start(s, "one", "%s", "");
	scenario_await(s, "select broken = '{loop}' from locum.agent");
	submit(s, 3, "loop", "{}");
	snprintf(s->handlers, sizeof(s->handlers),
		 "handler \"loop\" { kind = \"service\" argv = {\"%s\"} }\n", sample_in_c());
	scenario_start(s, "two", "%s", "");
	scenario_await_finished(s, 3, "completed");
	file = fopen(good, "we");
	assert_non_null(file);
	fclose(file);
	scenario_await_logged(s, first, 1, "locumd info handler works again");
	scenario_await(s, "select bool_and(broken = '{}') from locum.agent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(the_sample_in_sh_serves),
		SCENARIO_CALM_TEST(the_sample_in_python_serves),
		SCENARIO_CALM_TEST(the_sample_in_node_serves),
		SCENARIO_CALM_TEST(the_sample_in_c_serves),
		SCENARIO_CALM_TEST(a_payload_of_a_megabyte_comes_back_byte_for_byte),
		SCENARIO_CALM_TEST(errors_decide_what_becomes_of_a_job),
		SCENARIO_CALM_TEST(jobs_of_a_killed_process_run_again_and_its_successor_goes_on),
		SCENARIO_CALM_TEST(answers_about_no_job_are_told_of_while_the_service_lives),
		SCENARIO_CALM_TEST(a_run_goes_on_from_the_checkpoint_of_one_that_died),
		SCENARIO_TEST(a_sibling_runs_the_jobs_of_a_dead_dispatchers_service),
		SCENARIO_TEST(a_service_dies_at_once_when_its_agent_wakes_in_a_next_life),
		SCENARIO_CALM_TEST(a_drain_lets_running_jobs_of_a_service_finish),
		SCENARIO_CALM_TEST(a_crash_loop_leaves_the_jobs_to_a_sibling_until_it_ends),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
