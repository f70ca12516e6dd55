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

/* A service that keeps every rule; what stands before the loop may replace its functions. */
#define BEFORE                                                                                     \
	"say() { printf '%s\\n' \"$1\" >&4; }; "                                                   \
	"result() { say '{\"jsonrpc\":\"2.0\",\"id\":'\"$id\"',\"result\":'\"$1\"'}'; }; "         \
	"ready() { result '{\"name\":\"t\",\"version\":\"1\",\"pings\":true}'; }; "                \
	"run() { result '{}'; }; ping() { result '{}'; }; cancel() { :; }; other() { :; }; "       \
	"stop() { :; }; finish() { :; }; read_one() { IFS= read -r order <&3; }; "
#define AFTER                                                                                      \
	" while read_one; do method=${order#*'\"method\":\"'}; method=${method%%'\"'*}; "          \
	"id=${order#*'\"id\":'}; id=${id%%,*}; case $method in initialize) ready;; "               \
	"job.run) run;; ping) ping;; job.cancel) cancel;; shutdown) stop;; *) other;; esac; "      \
	"done; finish"

static void judge(struct command *command, const char *rule, const char *functions)
{
	char script[4096];

	snprintf(script, sizeof(script), "%s%s;%s", BEFORE, functions, AFTER);
	cli_run(command, NULL, "handler-test", "--timeout", "2s", "--rule", rule, "--", "/bin/sh",
		"-c", script, NULL);
}

/* The rule that a service breaks, what it does, and words of the verdict. */
static const struct {
	const char *rule;
	const char *functions;
	const char *words;
} BROKEN[] = {
	{ "1.1", "ready() { :; }", "initialize did not come in 2000 ms" },
	{ "1.1", "ready() { exit 1; }", "ended before the answer to initialize" },
	{ "1.1", "ready() { result '{\"concurrency\":0}'; }", "concurrency is no number from 1" },
	{ "1.2", "say hello", "no object at byte 1" },
	{ "1.2", "exec 4>&-", "descriptor 4 ended" },
	{ "2.1", "run() { say 'job 1'; result '{}'; }", "\"job 1\": no JSON" },
	{ "2.1", "run() { say '{\"id\":1,\"result\":{}}'; }", "\"jsonrpc\":\"2.0\"" },
	{ "2.1", "run() { result '[1]'; }", "the result of a job" },
	{ "2.1", "run() { printf '\\377\\n' >&4; }", "no object" },
	{ "2.1", "run() { head -c 5000000 /dev/zero | tr '\\0' ' ' >&4; }", "a line of more than" },
	{ "2.1",
	  "nest() { head -c 600 /dev/zero | tr '\\0' \"$1\"; }; "
	  "run() { result '{\"value\":'\"$(nest '[')$(nest ']')\"'}'; }",
	  "a value of more than 512 levels" },
	{ "2.1", "ready() { result '{}'; result '{}'; }", "initialize is answered twice" },
	{ "3.1", "run() { result '{}'; result '{}'; }", "is answered twice" },
	{ "3.1", "run() { id=99999; result '{}'; }", "an answer to nothing that was asked" },
	{ "3.1", "run() { :; }", "0 of 10 jobs were answered" },
	{ "3.3", "run() { case $order in *null*) exit 1;; esac; result '{}'; }", "payload null" },
	{ "3.4", "run() { case $order in *later*) exit 1;; esac; result '{}'; }", "ended before" },
	{ "3.5", "cancel() { result '{}'; }", "is answered twice" },
	{ "3.6", "other() { exit 1; }", "" },
	{ "3.6", "other() { id=7; result '{}'; }", "an answer to nothing" },
	{ "4.1", "ping() { :; }", "the answer to ping did not come" },
	{ "4.2", "run() { result '{}'; exec sleep 1000; }", "" },
	{ "5.1", "finish() { exec sleep 1000; }", "after shutdown: it runs on" },
	{ "5.1", "stop() { exit 3; }", "it ended with code 3" },
	{ "5.1", "stop() { kill -KILL $$; }", "it ended with signal 9" },
	{ "5.2", "finish() { exec sleep 1000; }", "it runs on" },
	{ "5.3", "finish() { exec sleep 1000; }", "it runs on" },
	{ "5.4", "finish() { exec sleep 1000; }", "it runs on" },
	{ "5.5", "trap '' PIPE; run() { result '{}'; exec sleep 1000; }", "it runs on" },
	{ "5.6", "trap '' TERM; ready() { result '{}'; exec sleep 1000; }", "it runs on" },
};

static void each_broken_rule_is_found_and_named(void **state)
{
	char verdict[32];

	(void)state;
	for (size_t i = 0; i < sizeof(BROKEN) / sizeof(BROKEN[0]); i++) {
		struct command command;

		judge(&command, BROKEN[i].rule, BROKEN[i].functions);
		snprintf(verdict, sizeof(verdict), "FAIL  %s  ", BROKEN[i].rule);
		if (strstr(command.printed, verdict) == NULL ||
		    strstr(command.printed, BROKEN[i].words) == NULL)
			fail_msg("rule %s, %s: %s", BROKEN[i].rule, BROKEN[i].functions,
				 command.printed);
		cli_assert(&command, 1, "");
		command_fini(&command);
	}
}

static void a_good_service_keeps_all_rules(void **state)
{
	struct command command;

	(void)state;
	cli_run(&command, NULL, "handler-test", "--", "/bin/sh", "-c", BEFORE ":;" AFTER, NULL);
	if (strstr(command.printed, "\n21 kept, 0 broken, 0 skipped\n") == NULL)
		fail_msg("%s", command.printed);
	cli_assert(&command, 0, "");
	command_fini(&command);
}

static void what_is_no_test_is_a_usage_error(void **state)
{
	struct command command;

	(void)state;
	cli_run(&command, NULL, "handler-test", NULL);
	cli_assert(&command, 64, "which program?");
	command_fini(&command);
	cli_run(&command, NULL, "handler-test", "--rule", "9.9", "--", "/bin/true", NULL);
	cli_assert(&command, 64, "there is no rule 9.9");
	command_fini(&command);
	cli_run(&command, NULL, "handler-test", "--payload", "{", "--", "/bin/true", NULL);
	cli_assert(&command, 65, "--payload");
	command_fini(&command);
	cli_run(&command, NULL, "handler-test", "--", "/nonexistent", NULL);
	cli_assert(&command, 78, "cannot execute /nonexistent");
	command_fini(&command);
}

/* --- samples ----------------------------------------------------------------------------------- */

static void assert_sample(const char *interpreter, const char *path)
{
	struct command command;

	if (interpreter != NULL && access(interpreter, X_OK) != 0)
		skip();
	if (interpreter == NULL)
		cli_run(&command, NULL, "handler-test", "--", path, NULL);
	else
		cli_run(&command, NULL, "handler-test", "--", interpreter, path, NULL);
	if (strstr(command.printed, " 0 broken, ") == NULL)
		fail_msg("%s: %s%s", path, command.printed, command.said);
	cli_assert(&command, 0, "");
	command_fini(&command);
}

static void the_sample_in_sh_keeps_all_rules(void **state)
{
	(void)state;
	assert_sample(NULL, "examples/handlers/service.sh");
}

static void the_sample_in_python_keeps_all_rules(void **state)
{
	(void)state;
	assert_sample("/usr/bin/python3", "examples/handlers/service.py");
}

static void the_sample_in_node_keeps_all_rules(void **state)
{
	(void)state;
	assert_sample("/usr/bin/node", "examples/handlers/service.js");
}

static void the_sample_in_c_keeps_all_rules(void **state)
{
	char path[512];
	const char *programs = cli_program("locum");
	const char *end = strstr(programs, "/bin/");

	(void)state;
	snprintf(path, sizeof(path), "%.*s/handlers/service", (int)(end - programs), programs);
	assert_sample(NULL, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_broken_rule_is_found_and_named),
		cmocka_unit_test(a_good_service_keeps_all_rules),
		cmocka_unit_test(what_is_no_test_is_a_usage_error),
		cmocka_unit_test(the_sample_in_sh_keeps_all_rules),
		cmocka_unit_test(the_sample_in_python_keeps_all_rules),
		cmocka_unit_test(the_sample_in_node_keeps_all_rules),
		cmocka_unit_test(the_sample_in_c_keeps_all_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
