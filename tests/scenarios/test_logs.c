/* What dispatchers and their agents write to their logs. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* Calls look for each line of the log, without its line break; returns how many there are. */
static int each_line(const struct scenario_daemon *daemon, void (*look)(const char *))
{
	FILE *file = fopen(daemon->log, "re");
	char *line = NULL;
	size_t size = 0;
	int count = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		look(line);
		count++;
	}
	free(line);
	fclose(file);
	return count;
}

/* --- failures ---------------------------------------------------------------------------------- */

static void a_failed_run_is_logged_at_the_level_of_its_handler(void **state)
{
	static const char *const LEVELS[] = { "error", "warning", "info", "debug", "none" };
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	char settings[64];
	char line[128];

	for (int i = 0; i < 5; i++) {
		snprintf(settings, sizeof(settings), "log_failures = \"%s\"", LEVELS[i]);
		scenario_handler(s, LEVELS[i], settings, "exit 65");
	}
	scenario_handler(s, "usual", "", "exit 65");
	daemon = scenario_start(s, "one", "%s", "");
	for (int i = 0; i < 5; i++)
		scenario_submit(s, 1, LEVELS[i]);
	scenario_submit(s, 1, "usual");
	scenario_await_finished(s, 6, "failed");
	scenario_await_logged(s, daemon, 5, "job ended job=");
	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof(line),
			 "%s job ended job=%d handler=\"%s\" outcome=\"failed\" "
			 "state=\"failed\" reason=\"",
			 LEVELS[i], i + 1, LEVELS[i]);
		assert_int_equal(scenario_logged(s, daemon, line), 1);
	}
	assert_int_equal(scenario_logged(s, daemon, "info job ended job=6 handler=\"usual\""), 1);
	assert_int_equal(scenario_logged(s, daemon, "job=5 "), 0);
}

static void many_failures_are_told_as_a_number(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	database_do(s->database, "drop schema if exists app cascade; create schema app; "
				 "create function app.fails(job bigint, payload json) returns json "
				 "language plpgsql as $$ begin raise 'boom'; end $$");
	snprintf(s->handlers, sizeof(s->handlers),
		 "handler \"fails\" { kind = \"sql\" function = \"app.fails\" }\n");
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('fails', max_attempts => 1) "
				 "from generate_series(1, 500)");
	scenario_await_finished(s, 500, "failed");
	scenario_drain(s, daemon);
	assert_true(scenario_logged(s, daemon, "info job ended ") < 500);
	assert_true(scenario_logged(s, daemon, "info repeated of=\"job ended\" times=") >= 1);
}

/* --- forms ------------------------------------------------------------------------------------- */

static bool agent_spoke;

static void look_at_json(const char *line)
{
	json_error_t error;
	json_t *root = json_loads(line, 0, &error);
	const char *program;

	if (root == NULL)
		fail_msg("%s in: %s", error.text, line);
	program = json_string_value(json_object_get(root, "program"));
	assert_non_null(program);
	assert_non_null(json_object_get(root, "time"));
	assert_non_null(json_object_get(root, "level"));
	assert_non_null(json_object_get(root, "message"));
	agent_spoke = agent_spoke || strcmp(program, "locum-agent") == 0;
	json_decref(root);
}

static void with_json_every_line_is_an_object_those_of_agents_too(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "fails", "", "exit 65");
	daemon = scenario_start(s, "one", "%s", "log_format = \"json\"");
	scenario_submit(s, 1, "fails");
	scenario_await_finished(s, 1, "failed");
	scenario_drain(s, daemon);
	assert_true(each_line(daemon, look_at_json) > 5);
	assert_true(agent_spoke);
}

static void the_form_changes_with_a_reload(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "quick", "", "note run");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_reload(s, daemon, "%s", "log_format = \"json\"");
	scenario_submit(s, 1, "quick");
	scenario_await_logged(s, daemon, 1, "\"message\":\"job completed\",\"job\":1}");
}

static void look_at_priority(const char *line)
{
	assert_int_equal(line[0], '<');
	assert_true(line[1] >= '3' && line[1] <= '7');
	assert_int_equal(strncmp(line + 2, ">locum", 6), 0);
}

static void journald_gets_priorities(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct stat status;
	char stream[64];
	int log;

	scenario_handler(s, "quick", "", "note run");
	daemon = scenario_daemon(s, "one", "%s", "");
	log = open(daemon->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	assert_int_equal(fstat(log, &status), 0);
	close(log);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	scenario_run(s, daemon);
	unsetenv("JOURNAL_STREAM");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, daemon);
	assert_true(each_line(daemon, look_at_priority) > 5);
	assert_int_equal(scenario_logged(s, daemon, "<7>locumd debug job completed job=1"), 1);
	assert_true(scenario_logged(s, daemon, "<6>locum-agent info ") > 0);
}

static void look_at_time(const char *line)
{
	assert_int_equal(strncmp(line, "20", 2), 0);
	assert_int_equal(line[10], 'T');
	assert_null(strchr(line, '\r'));
	assert_null(strchr(line, '\x1b'));
}

static void the_error_of_a_job_forges_no_line(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	database_do(s->database,
		    "drop schema if exists app cascade; create schema app; "
		    "create function app.forges(job bigint, payload json) returns json "
		    "language plpgsql as $$ begin "
		    "raise E'x\\rforged locumd error\\x1b[2J'; end $$");
	snprintf(s->handlers, sizeof(s->handlers),
		 "handler \"forges\" { kind = \"sql\" function = \"app.forges\" }\n");
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('forges', max_attempts => 1)");
	scenario_await_finished(s, 1, "failed");
	scenario_await_logged(s, daemon, 1, "reason=\"x\\rforged locumd error\\x1b[2J");
	each_line(daemon, look_at_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_failed_run_is_logged_at_the_level_of_its_handler),
		SCENARIO_CALM_TEST(many_failures_are_told_as_a_number),
		SCENARIO_CALM_TEST(with_json_every_line_is_an_object_those_of_agents_too),
		SCENARIO_CALM_TEST(the_form_changes_with_a_reload),
		SCENARIO_CALM_TEST(journald_gets_priorities),
		SCENARIO_CALM_TEST(the_error_of_a_job_forges_no_line),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
