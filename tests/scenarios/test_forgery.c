/* Handlers of each kind that write escape sequences and line ends: nothing that they say passes for another's word. */
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
#include "tests/support/scenario.h"

/* A line that looks like one of a dispatcher's, behind a line end, a return and an erasure. */
#define FORGED "\\r\\n\\033[2K2026-01-01T00:00:00.000Z locumd error forged=1\\n"
#define FORGED_JSON "\\\\r\\\\n\\\\u001b[2K2026-01-01T00:00:00.000Z locumd error forged=1\\\\n"

static void write_file(struct scenario *s, const char *name, const char *text)
{
	char path[SCENARIO_PATH * 2];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Says it on its output, in its job's log, as its error, and at last as a line that breaks the protocol. */
static const char SERVICE[] =
	"printf '" FORGED "'\n"
	"while IFS= read -r order <&3; do\n"
	"id=${order#*'\"id\":'}; id=${id%%,*}\n"
	"case $order in\n"
	"*'\"method\":\"initialize\"'*) echo '{\"jsonrpc\":\"2.0\",\"id\":\"initialize\",\"result\":{}}' >&4;;\n"
	"*'\"payload\":2'*) printf '" FORGED "' >&4 ;;\n"
	"*'\"method\":\"job.run\"'*)\n"
	"printf '{\"jsonrpc\":\"2.0\",\"method\":\"job.log\",\"params\":{\"id\":%s,\"message\":\"" FORGED_JSON
	"\"}}\\n' $id >&4\n"
	"printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":1,\"message\":\"" FORGED_JSON
	"\"}}\\n' $id >&4;;\n"
	"esac; done\n";

static void set_up(struct scenario *s)
{
	size_t used;

	write_file(s, "service.sh", SERVICE);
	scenario_handler(s, "command", "", "printf '" FORGED "'; exit 64");
	used = strlen(s->handlers);
	snprintf(
		s->handlers + used, sizeof(s->handlers) - used,
		"handler \"service\" { kind = \"service\" argv = {\"/bin/sh\", \"%s/service.sh\"} }\n"
		"handler \"plugin\" { kind = \"plugin\" path = \"%s\" "
		"symbol = \"forge\" }\n"
		"handler \"sql\" { kind = \"sql\" function = \"app.forge\" }\n",
		s->directory, cli_program("../plugins/deeds.so"));
	database_do(s->database,
		    "drop schema if exists app cascade; create schema app; "
		    "create function app.forge(job bigint, payload json) returns json "
		    "language plpgsql as $$ begin raise '%%', E'forged=1" FORGED "'; end $$");
}

/* Whether anything in it would move a terminal's cursor. */
static bool is_clean(const char *text)
{
	return strchr(text, '\r') == NULL && strchr(text, '\033') == NULL;
}

static void assert_log_is_clean(const struct scenario_daemon *daemon)
{
	char line[8192];
	FILE *log = fopen(daemon->log, "re");

	assert_non_null(log);
	while (fgets(line, sizeof(line), log) != NULL) {
		assert_true(is_clean(line));
		assert_true(strncmp(line, "2026-01-01T00:00:00.000Z", 24) != 0);
	}
	fclose(log);
}

static void no_handler_forges_a_line_of_a_log_or_of_what_is_shown(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct command command;
	char id[24];

	set_up(s);
	daemon = scenario_start(s, "one", "%s", "log_level = \"debug\"\n");
	database_do(s->database,
		    "select locum.submit(handler, payload, max_attempts => 1) from (values "
		    "('command', '1'::json), ('service', '1'), ('plugin', '1'), ('sql', '1'), "
		    "('service', '2')) as job (handler, payload)");
	scenario_await_finished(s, 5, "failed");
	assert_int_equal(database_int(s->database, "select count(*) from locum.finished where "
						   "concat(error, log) like '%%forged=1%%'"),
			 5);
	for (int i = 1; i <= 5; i++) {
		snprintf(id, sizeof(id), "%d", i);
		cli_run(&command, s->database, "show", id, NULL);
		assert_int_equal(command.code, 0);
		assert_true(is_clean(command.printed));
		assert_null(strstr(command.printed, "\n2026-01-01"));
		command_fini(&command);
	}
	scenario_drain(s, daemon);
	assert_log_is_clean(daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(no_handler_forges_a_line_of_a_log_or_of_what_is_shown),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
