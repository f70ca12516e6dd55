/* SIGHUP: the configuration is read again while jobs run. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { COMMANDS = 400, OTHERS = 1500, RELOADS = 24 };

/* --- sections ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add(struct scenario *s, const char *format, ...)
{
	size_t used = strlen(s->handlers);
	va_list list;

	va_start(list, format);
	vsnprintf(s->handlers + used, sizeof(s->handlers) - used, format, list);
	va_end(list);
}

static void add_command(struct scenario *s, const char *name, const char *settings)
{
	add(s, "handler \"%s\" { kind = \"command\" argv = {\"%s/%s.sh\"} %s }\n", name,
	    s->directory, name, settings);
}

/* The handlers "gated" and "quick"; none is configured yet but "quick". */
static struct scenario_daemon *start(struct scenario *s, const char *settings)
{
	scenario_gated(s);
	return scenario_start(s, "one", "%s", settings);
}

static void forget_handlers(struct scenario *s)
{
	s->handlers[0] = '\0';
}

static void await_done(struct scenario *s, int count)
{
	scenario_await_finished(s, count, "completed");
}

/* --- handlers ---------------------------------------------------------------------------------- */

static void an_added_handler_takes_the_jobs_that_waited_for_it(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "");

	scenario_submit(s, 3, "later");
	scenario_submit(s, 1, "quick");
	await_done(s, 1);
	scenario_handler(s, "later", "", "note later");
	scenario_reload(s, daemon, "%s", "");
	await_done(s, 4);
	assert_int_equal(scenario_noted(s, "later "), 3);
}

static void what_runs_goes_on_under_the_handler_that_it_began_with(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "");

	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	forget_handlers(s);
	add(s,
	    "handler \"gated\" { kind = \"command\" argv = {\"%s/quick.sh\"} timeout = \"10s\" }\n",
	    s->directory);
	scenario_reload(s, daemon, "%s", "");
	scenario_submit(s, 2, "gated");
	await_done(s, 2);
	assert_int_equal(scenario_noted(s, "run "), 2);
	scenario_let(s, "gate", 1);
	await_done(s, 3);
	assert_int_equal(scenario_noted(s, "end "), 1);
	scenario_assert_done_once(s, 3);
}

static void jobs_that_wait_for_a_removed_handler_are_handed_back_uncounted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "agent \"main\" { size = 1 }");

	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	await_done(s, 20);
	scenario_submit(s, 4, "gated");
	scenario_await_active(s, 1);
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'assigned'");
	forget_handlers(s);
	add_command(s, "quick", "");
	scenario_reload(s, daemon, "%s", "agent \"main\" { size = 1 }");
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'pending' and "
			  "interruptions = 0 and recoveries = 0 and attempt = 0");
	scenario_let(s, "gate", 4);
	await_done(s, 21);
	scenario_submit(s, 1, "quick");
	await_done(s, 22);
	assert_int_equal(database_int(s->database, "select count(*) from locum.job"), 3);
	assert_sql(s->database, "{quick}", "select handlers from locum.agent");
}

static void a_broken_handler_is_tried_anew(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	char path[SCENARIO_PATH * 2];
	FILE *file;

	scenario_gated(s);
	add(s, "handler \"missing\" { kind = \"command\" argv = {\"%s/missing\"} }\n",
	    s->directory);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_await_logged(s, daemon, 1, "its jobs are left to others");
	scenario_submit(s, 1, "missing");
	snprintf(path, sizeof(path), "%s/missing", s->directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("#!/bin/sh\n", file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	scenario_reload(s, daemon, "%s", "");
	await_done(s, 1);
}

/* --- sizes ------------------------------------------------------------------------------------- */

static void slots_grow_and_shrink(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "agent \"main\" { size = 2 }");

	scenario_submit(s, 9, "gated");
	scenario_await_active(s, 2);
	scenario_reload(s, daemon, "%s", "agent \"main\" { size = 5 }");
	scenario_await_active(s, 5);
	scenario_reload(s, daemon, "%s", "agent \"main\" { size = 1 }");
	scenario_let(s, "gate", 4);
	await_done(s, 4);
	assert_int_equal(scenario_noted(s, "start "), 5);
	scenario_let(s, "gate", 1);
	scenario_await_noted(s, 6, "start ");
	scenario_let(s, "gate", 4);
	await_done(s, 9);
	scenario_assert_done_once(s, 9);
	assert_sql(s->database, "1", "select size from locum.agent");
}

/* A service in sh that has one job at a time, notes it with its pid, and stops at the gate. */
static void add_service(struct scenario *s, const char *settings)
{
	char path[SCENARIO_PATH * 2];
	FILE *script;

	snprintf(path, sizeof(path), "%s/served.sh", s->directory);
	script = fopen(path, "we");
	assert_non_null(script);
	fprintf(script,
		"say() { printf '{\"jsonrpc\":\"2.0\",\"id\":%%s,%%s}\\n' \"$id\" \"$1\" >&4; }\n"
		"while IFS= read -r order <&3; do\n"
		"id=${order#*'\"id\":'}; id=${id%%%%,*}\n"
		"case $order in\n"
		"*'\"method\":\"initialize\"'*) say '\"result\":{\"concurrency\":1}' ;;\n"
		"*'\"method\":\"job.run\"'*)\n"
		"echo \"start $id 1 $$\" >> %s\n"
		"read -r _ < %s/gate\n"
		"say '\"result\":{}' ;;\nesac\ndone\n",
		s->effects, s->directory);
	fclose(script);
	add(s, "handler \"served\" { kind = \"service\" argv = {\"/bin/sh\", \"%s\"} %s }\n", path,
	    settings);
}

static void a_service_gets_more_processes_and_the_former_ones_finish(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t former;

	scenario_gate(s, "gate");
	add_service(s, "instances = 1");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 3, "served");
	scenario_await_active(s, 1);
	former = scenario_noted_pid(s, "start ");
	forget_handlers(s);
	add_service(s, "instances = 2");
	scenario_reload(s, daemon, "%s", "");
	scenario_await_noted(s, 3, "start ");
	assert_true(scenario_is_alive(former));
	scenario_let(s, "gate", 3);
	await_done(s, 3);
	scenario_await_gone(s, former);
	scenario_assert_done_once(s, 3);
	assert_sql(s->database, "0", "select sum(interruptions + attempt - 1) from locum.finished");
}

static void a_service_that_stays_the_same_keeps_its_processes(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t former;

	scenario_gate(s, "gate");
	add_service(s, "");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "served");
	scenario_let(s, "gate", 1);
	await_done(s, 1);
	former = scenario_noted_pid(s, "start ");
	scenario_handler(s, "other", "", "note run");
	scenario_reload(s, daemon, "agent \"main\" { size = %d }", 9);
	scenario_submit(s, 1, "other");
	scenario_submit(s, 1, "served");
	scenario_let(s, "gate", 1);
	await_done(s, 3);
	assert_int_equal(scenario_noted_pid(s, "start "), former);
}

static void queues_and_filters_change(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "agent \"main\" { queues = {\"default\"} }");

	database_do(s->database, "select locum.submit('quick', queue => 'mail') "
				 "from generate_series(1, 2)");
	scenario_submit(s, 1, "quick");
	await_done(s, 1);
	scenario_reload(s, daemon, "%s", "agent \"main\" { queues = {\"mail=3\"} }");
	await_done(s, 3);
	scenario_submit(s, 1, "quick");
	scenario_await(s, "select queues = '{mail}' from locum.agent");
	scenario_reload(s, daemon, "%s",
			"agent \"main\" { queues = {\"default\"} handlers = {\"gated\"} }");
	scenario_await(s, "select handlers = '{gated}' from locum.agent");
	scenario_submit(s, 1, "gated");
	scenario_let(s, "gate", 1);
	await_done(s, 4);
	assert_sql(s->database, "pending|quick", "select state, handler from locum.job");
}

/* --- agents ------------------------------------------------------------------------------------ */

static void an_added_agent_is_started_and_a_removed_one_ends_with_its_last_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "agent \"main\" { queues = {\"other\"} }");
	pid_t leaving;

	scenario_reload(s, daemon, "%s",
			"agent \"more\" { size = 2 } agent \"main\" { queues = {\"other\"} }");
	scenario_await_logged(s, daemon, 2, "agent ready");
	leaving = scenario_agent(s, daemon);
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_reload(s, daemon, "%s", "agent \"main\" { queues = {\"other\"} }");
	scenario_submit(s, 1, "quick");
	scenario_await(s, "select array_agg(name) = '{main}' from locum.agent");
	assert_true(scenario_is_alive(leaving));
	scenario_let(s, "gate", 2);
	await_done(s, 2);
	scenario_await_gone(s, leaving);
	scenario_await_logged(s, daemon, 1, "agent ended agent=\"more\"");
	scenario_reload(s, daemon, "%s",
			"agent \"main\" { queues = {\"other\"} } agent \"third\" { size = 2 }");
	await_done(s, 3);
	scenario_reload(s, daemon, "%s",
			"agent \"third\" { size = 2 } agent \"more\" { queues = {\"other\"} }");
	scenario_await(s, "select array_agg(name order by name) = '{more,third}' from locum.agent");
	scenario_await_logged(s, daemon, 1, "agent ended agent=\"main\"");
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, " error "), 0);
}

static void an_agent_that_comes_back_while_it_is_leaving_goes_on(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "");

	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_reload(s, daemon, "%s", "agent \"other\" { queues = {\"other\"} }");
	scenario_reload(s, daemon, "%s", "agent \"main\" { size = 2 }");
	scenario_submit(s, 1, "quick");
	await_done(s, 1);
	scenario_let(s, "gate", 1);
	await_done(s, 2);
	scenario_submit(s, 1, "quick");
	await_done(s, 3);
	scenario_assert_done_once(s, 3);
}

/* --- refusals ---------------------------------------------------------------------------------- */

static void a_wrong_file_leaves_everything_as_it_was(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "");
	char words[SCENARIO_PATH * 2];

	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_hang_up(s, daemon, "%s", "agent \"main\" { size = 0 }");
	snprintf(words, sizeof(words),
		 "error the configuration is not taken; the former one stays in force error=\"%s:",
		 daemon->configuration);
	scenario_await_logged(s, daemon, 1, words);
	assert_non_null(strstr(s->text, "agent \\\"main\\\": size"));
	scenario_submit(s, 2, "quick");
	await_done(s, 2);
	scenario_let(s, "gate", 1);
	await_done(s, 3);
	assert_int_equal(scenario_logged(s, daemon, " error "), 1);
	assert_int_equal(scenario_logged(s, daemon, "configuration reloaded"), 0);
	assert_sql(s->database, "4", "select size from locum.agent");
}

static void what_cannot_change_is_named_and_stays(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "");

	scenario_reload(s, daemon, "%s",
			"ping_interval = \"100ms\" listen = false poll_interval = \"50ms\"");
	assert_int_equal(scenario_logged(s, daemon,
					 "warning takes effect at the next start "
					 "settings=\"ping_interval, listen\""),
			 1);
	scenario_submit(s, 1, "quick");
	await_done(s, 1);
}

static void the_log_level_changes(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start(s, "log_level = \"info\"");

	scenario_submit(s, 1, "quick");
	await_done(s, 1);
	assert_int_equal(scenario_logged(s, daemon, " debug "), 0);
	scenario_reload(s, daemon, "%s", "log_level = \"debug\"");
	scenario_submit(s, 1, "quick");
	scenario_await_logged(s, daemon, 1, "debug job completed job=2");
}

/* --- load -------------------------------------------------------------------------------------- */

/* The n-th of many configurations: every size and every handler changes now and then. */
static void configure(struct scenario *s, int n)
{
	forget_handlers(s);
	add_command(s, "quick", n % 2 == 0 ? "" : "timeout = \"1h\"");
	add(s, "handler \"settle\" { kind = \"sql\" function = \"app.settle\" %s }\n",
	    n % 3 == 0 ? "timeout = \"1h\"" : "");
	add(s,
	    "handler \"served\" { kind = \"service\" argv = {\"%s/../handlers/service\"} "
	    "concurrency = %d instances = %d }\n",
	    getenv("LOCUM_TEST_BIN"), 1 + n % 4 * 8, 1 + n / 4 % 2);
	if (n % 4 == 1)
		add_command(s, "gated", "");
}

static void reload_to(struct scenario *s, struct scenario_daemon *daemon, int n)
{
	configure(s, n);
	scenario_reload(s, daemon, "agent \"main\" { size = %d queues = {\"default=%d\"} } %s",
			1 + n * 5 % 8, 1 + n % 3,
			n % 2 == 1 ? "agent \"second\" { size = 3 }" : "");
}

static void submit_all(struct scenario *s)
{
	database_do(s->database,
		    "select locum.submit(case when n %% 2 = 0 then 'settle' else 'served' end, "
		    "to_json(n)) from generate_series(1, %d) n",
		    2 * OTHERS);
	database_do(s->database, "update locum.job set priority = 4 where id %% 8 = 0");
	scenario_submit(s, COMMANDS, "quick");
}

static void a_reload_under_load_loses_nothing_and_runs_nothing_twice(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	const int jobs = COMMANDS + 2 * OTHERS;

	database_do(s->database,
		    "drop schema if exists app cascade; create schema app; "
		    "drop table if exists effect; create table effect (job bigint); "
		    "create function app.settle(job bigint, payload json) returns json "
		    "language sql as $$ insert into public.effect values (job); select payload $$");
	scenario_gated(s);
	configure(s, 0);
	daemon = scenario_start(s, "one", "%s", "agent \"main\" { size = 2 }");
	submit_all(s);
	for (int n = 1; n <= RELOADS; n++) {
		scenario_await_noted(s, n * COMMANDS / (RELOADS + 2), "run ");
		reload_to(s, daemon, n);
	}
	await_done(s, jobs);
	scenario_assert_done_once(s, jobs);
	assert_int_equal(scenario_noted(s, "run "), COMMANDS);
	assert_sql(s->database, "0|1",
		   "select sum(interruptions + recoveries), max(attempt) from locum.finished");
	assert_int_equal(database_int(s->database, "select count(*) from effect"), OTHERS);
	assert_int_equal(database_int(s->database, "select count(distinct job) from effect"),
			 OTHERS);
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, " error "), 0);
	assert_int_equal(scenario_logged(s, daemon, "configuration reloaded"), RELOADS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(an_added_handler_takes_the_jobs_that_waited_for_it),
		SCENARIO_CALM_TEST(what_runs_goes_on_under_the_handler_that_it_began_with),
		SCENARIO_CALM_TEST(jobs_that_wait_for_a_removed_handler_are_handed_back_uncounted),
		SCENARIO_CALM_TEST(a_broken_handler_is_tried_anew),
		SCENARIO_CALM_TEST(slots_grow_and_shrink),
		SCENARIO_CALM_TEST(a_service_gets_more_processes_and_the_former_ones_finish),
		SCENARIO_CALM_TEST(a_service_that_stays_the_same_keeps_its_processes),
		SCENARIO_CALM_TEST(queues_and_filters_change),
		SCENARIO_CALM_TEST(
			an_added_agent_is_started_and_a_removed_one_ends_with_its_last_job),
		SCENARIO_CALM_TEST(an_agent_that_comes_back_while_it_is_leaving_goes_on),
		SCENARIO_CALM_TEST(a_wrong_file_leaves_everything_as_it_was),
		SCENARIO_TEST(what_cannot_change_is_named_and_stays),
		SCENARIO_CALM_TEST(the_log_level_changes),
		SCENARIO_CALM_TEST(a_reload_under_load_loses_nothing_and_runs_nothing_twice),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
