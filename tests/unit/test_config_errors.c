#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/config_check.h"
#include "tests/support/config_text.h"

#define HANDLER CONFIG_TEXT_HANDLER
#define IN_HANDLER(rest) "handler \"x\" {\nkind = command argv = {/bin/true}\n" rest "\n}\n"
#define NAME_64 "0123456789012345678901234567890123456789012345678901234567890123"

/* What is wrong, the line that the message must name (0: the file alone), and words of it. */
static const struct {
	const char *text;
	int line;
	const char *words[4];
} ROWS[] = {
	/* syntax */
	{ "poll_intervall = 5s\n" HANDLER,
	  1,
	  { "unknown setting \"poll_intervall\"", "in a configuration",
	    "did you mean \"poll_interval\"?" } },
	{ "\n\nwhatever = 5s\n" HANDLER,
	  3,
	  { "unknown setting \"whatever\"", "poll_interval, ", "handler" } },
	{ "agent \"a\" {\n\nsiez = 4 }\n" HANDLER,
	  3,
	  { "\"siez\" in an agent", "did you mean \"size\"" } },
	{ "handler \"a\" {\nconcurence = 4 }\n",
	  2,
	  { "\"concurence\" in a handler", "did you mean \"concurrency\"" } },
	{ "handler \"a\" {\nwhatever = 4 }\n",
	  2,
	  { "\"whatever\" in a handler", "argv, timeout" } },
	{ "log_level = info\n\nlog_level = debug\n" HANDLER,
	  3,
	  { "\"log_level\" is set twice", "already set on line 1" } },
	{ HANDLER "agent \"a\" {\nsize = 4\nqueues = {}\n\"size\" = 4 }\n",
	  5,
	  { "\"size\" is set twice", "line 3" } },
	{ HANDLER "agent \"a\" { queues += {b}\nqueues = {c} }\n",
	  3,
	  { "\"queues\" is set twice", "line 2" } },
	{ "include(\"/etc/passwd\")\n", 1, { "unknown setting \"include\"" } },
	{ "log_level \"info\"\n", 1, { "= is missing", "log_level" } },
	{ "log_level =\n", 2, { "the value of \"log_level\" is missing", "end of the file" } },
	{ "agent \"a\" { user = size = 4 }", 1, { "\"=\" is not expected" } },
	{ "log_level", 1, { "the file ends" } },
	{ "agent \"a\" {\nuser = }", 2, { "the value of \"user\" is missing" } },
	{ "state_dir += \"/a\"\n", 1, { "\"state_dir\" takes one value", "+=" } },
	{ "agent {\n}\n", 1, { "a section needs a name: agent \"NAME\"" } },
	{ "agent \"a\"\nsize = 4\n", 2, { "{ is missing", "agent" } },
	{ "agent \"a\" {}\nagent \"\" {}\n", 2, { "cannot be empty" } },
	{ HANDLER "agent \"\" {}\n", 2, { "agent" } },
	{ "agent \"a\" {\nuser = {\"nobody\"} }\n", 2, { "\"user\" takes one value, not a list" } },
	{ "agent \"a\" { queues = {\n\"b\" \"c\"} }\n",
	  2,
	  { "\"c\" is not expected here", "comma" } },
	{ "log_level = \"\\400\"\n", 1, { "\\377" } },
	{ "log_level = \"\\9\"\n", 1, { "no escape" } },

	{ HANDLER "agent \"a\" {\nsize = 3\n\"\" }\n", 4, { "a key is expected" } },

	/* what libConfuse accepts */
	{ HANDLER "agent \"a\" {\nsize = 4\n", 2, { "section", "not closed", "}" } },
	{ "agent \"a\" {\nqueues = {\"a\"\nsize = 4\n}\n",
	  3,
	  { "= inside the list that begins on line 2" } },
	{ "agent \"a\" {\nqueues = {\"a\"\n", 2, { "list", "not closed" } },
	{ "agent \"a\" { queues = {{\"a\"}} }", 1, { "{ inside a list" } },
	{ HANDLER "}\n", 2, { "} closes nothing" } },
	{ "state_dir = \"/a\nlog_level = \"info\"\n", 1, { "string", "not closed" } },
	{ "state_dir = '/a\n", 1, { "string", "not closed" } },
	{ "\n/* note\nstate_dir = 3\n", 2, { "comment", "not closed" } },
	{ "state_dir = \"/a\\0b\"\n", 1, { "NUL" } },
	{ "state_dir = \"/a\\x00b\"\n", 1, { "NUL" } },
	{ "state_dir = \"${LOCUM_TEST_NOT_SET}\"\n", 1, { "LOCUM_TEST_NOT_SET is not set" } },
	{ "state_dir = ${LOCUM_TEST_NOT_SET\n", 1, { "${ is not closed" } },
	{ HANDLER "/* a\ncomment */ agent \"a\" {}\n# x\nagent \"b\" {}\nagent \"a\" {}\n",
	  6,
	  { "agent \"a\" is already defined on line 3" } },
	{ HANDLER HANDLER, 2, { "handler \"noop\" is already defined on line 1" } },
	{ "agent \"noop\" {}\n" HANDLER "\n" HANDLER,
	  4,
	  { "handler \"noop\" is already defined on line 2" } },

	/* settings */
	{ "\npoll_interval = 5\n" HANDLER, 2, { "poll_interval", "\"5\" is not a duration" } },
	{ "ping_interval = \"soon\"\n" HANDLER, 1, { "ping_interval", "\"soon\"" } },
	{ "poll_interval = 0s\n" HANDLER, 1, { "poll_interval 0s is too short", "10ms" } },
	{ "scan_interval = 9ms\n" HANDLER, 1, { "scan_interval 9ms is too short" } },
	{ "ping_interval = \"-5s\"\n" HANDLER, 1, { "ping_interval", "-5s" } },
	{ "drain_timeout = 2d\n" HANDLER, 1, { "drain_timeout 2d is too long", "1d" } },
	{ "listen = maybe\n" HANDLER, 1, { "listen", "\"maybe\"", "neither true nor false" } },
	{ "log_level = loud\n" HANDLER,
	  1,
	  { "log_level \"loud\"", "debug, info, warning, error" } },
	{ "state_dir = \"var\"\n" HANDLER, 1, { "state_dir \"var\"", "absolute" } },
	{ "agent_program = \"locum-agent\"\n" HANDLER, 1, { "agent_program", "absolute" } },
	{ "\ntrace_file = \"trace\"\n" HANDLER, 2, { "trace_file \"trace\"", "absolute" } },
	{ "\nping_death_interval = 10s\n" HANDLER,
	  2,
	  { "ping_death_interval 10s is too short: it must be at least 3 × ping_interval 5s + kill_grace 5s + fence_margin 3s = 23s" } },
	{ "fence_margin = 20s\n" HANDLER,
	  1,
	  { "ping_death_interval 30s", "fence_margin 20s = 40s" } },

	/* agents */
	{ HANDLER "agent \"a\" {\nsize = eight }\n",
	  3,
	  { "agent \"a\": size", "\"eight\" is not a whole number from 1 to 10000" } },
	{ HANDLER "agent \"a\" { size = 0 }\n", 2, { "size", "1 to 10000" } },
	{ HANDLER "agent \"a\" { size = 10001 }\n", 2, { "size", "1 to 10000" } },
	{ HANDLER "agent \"a\" { size = 99999999999999999999 }\n", 2, { "size", "1 to 10000" } },
	{ HANDLER "agent \"a\" {\n\nqueues = {} }\n", 2, { "queues" } },
	{ HANDLER "agent \"a\" { queues = {\"a\",\n\"b=0\"} }\n",
	  3,
	  { "agent \"a\": weight in \"b=0\"", "\"0\"", "1 to 1000" } },
	{ HANDLER "agent \"a\" { queues = {\"b=1001\"} }\n", 2, { "1 to 1000" } },
	{ HANDLER "agent \"a\" { queues = {\"b=\"} }\n", 2, { "weight in \"b=\"" } },
	{ HANDLER "agent \"a\" { queues = {\"=3\"} }\n", 2, { "queue" } },
	{ HANDLER "agent \"a\" { queues = {\"b\",\n\"b=2\"} }\n",
	  3,
	  { "queue \"b\" is named twice" } },
	{ HANDLER "agent \"a\" { queues = {\"" NAME_64 "\"} }\n", 2, { "queue", "63" } },
	{ HANDLER "agent \"" NAME_64 "\" {}\n", 2, { "agent", "63" } },
	{ HANDLER "agent \"a\\tb\" {}\n", 2, { "agent", "control" } },
	{ HANDLER "agent \"a\xff\" {}\n", 2, { "agent", "UTF-8" } },
	{ HANDLER "agent \"a\" { user = \"no such user\" }\n",
	  2,
	  { "agent \"a\"", "no user \"no such user\"" } },
	{ HANDLER "agent \"a\" { handlers = {\n\"nop\"} }\n",
	  3,
	  { "agent \"a\"", "no handler \"nop\"", "did you mean \"noop\"" } },
	{ HANDLER "agent \"a\" { handlers = {\"else\"} }\n", 2, { "no handler \"else\"" } },
	{ HANDLER "agent \"a\" { handlers = {noop, noop} }\n", 2, { "\"noop\" is named twice" } },
	{ HANDLER "agent \"a\" { handlers = {} }\n", 2, { "handlers is empty" } },

	/* handlers */
	{ "agent \"a\" {}\n", 0, { "no handler is configured" } },
	{ "", 0, { "no handler is configured" } },
	{ "\nhandler \"x\" { argv = {/bin/true} }\n",
	  2,
	  { "handler \"x\" has no kind", "\"command\"" } },
	{ "handler \"x\" {\nkind = \"daemon\" argv = {/bin/true} }\n",
	  2,
	  { "unknown kind \"daemon\"", "\"command\"" } },
	{ "\nhandler \"x\" { kind = command }\n", 2, { "handler \"x\" has no argv" } },
	{ "handler \"x\" { kind = command argv = {} }\n", 1, { "handler \"x\" has no argv" } },
	{ "handler \"x\" { kind = command argv = {\n\"true\"} }\n", 2, { "\"true\"", "absolute" } },
	{ "handler \"x\" { kind = command argv = {\"\"} }\n", 1, { "absolute" } },
	{ "handler \"" NAME_64 "\" { kind = command argv = {/bin/true} }\n",
	  1,
	  { "handler", "63" } },
	{ "handler \"a\\nb\" { kind = command argv = {/bin/true} }\n",
	  1,
	  { "handler", "control" } },
	{ IN_HANDLER("user = nobodyy"), 3, { "handler \"x\"", "no user \"nobodyy\"" } },
	{ IN_HANDLER("timeout = 60"), 3, { "handler \"x\": timeout", "\"60\" is not a duration" } },
	{ IN_HANDLER("timeout = 0s"), 3, { "timeout", "too short" } },
	{ IN_HANDLER("fence = maybe"), 3, { "fence \"maybe\"", "\"kill\"", "\"finish\"" } },
	{ IN_HANDLER("directory = tmp"), 3, { "directory \"tmp\"", "absolute" } },
	{ IN_HANDLER("environment = {\"A=1\",\n\"B\"}"), 4, { "\"B\" is not NAME=VALUE" } },
	{ IN_HANDLER("environment = {\"1A=1\"}"), 3, { "not NAME=VALUE" } },
	{ IN_HANDLER("environment = {\"A=1\", \"A=2\"}"), 3, { "A is set twice" } },
	{ IN_HANDLER("environment = {\"LOCUM_JOB_ID=1\"}"), 3, { "LOCUM_" } },
	{ IN_HANDLER("memory = 512MB"), 3, { "handler \"x\": memory", "\"512MB\" is not a size" } },
	{ IN_HANDLER("memory = 1K"), 3, { "memory", "too small", "1M" } },
	{ IN_HANDLER("memory = 9000000000T"), 3, { "memory", "too large" } },
	{ IN_HANDLER("files = 0"), 3, { "files", "whole number" } },
	{ IN_HANDLER("processes = many"), 3, { "processes", "\"many\"" } },
	{ IN_HANDLER("cpu = 500ms"), 3, { "cpu", "1s" } },
	{ IN_HANDLER("file_size = \"-1\""), 3, { "file_size" } },

	/* what does not fit its kind */
	{ IN_HANDLER("concurrency = 2"), 3, { "concurrency is for handlers of kind \"service\"" } },
	{ IN_HANDLER("instances = 2"), 3, { "instances is for", "\"service\"" } },
	{ IN_HANDLER("max_jobs = 2"), 3, { "\"service\" or \"plugin\", not \"command\"" } },
	{ IN_HANDLER("progress_timeout = 2s"), 3, { "progress_timeout is for" } },
	{ IN_HANDLER("path = /a.so"), 3, { "path is for handlers of kind \"plugin\"" } },
	{ IN_HANDLER("function = a.b"), 3, { "function is for handlers of kind \"sql\"" } },
	{ "\nhandler \"x\" { kind = service }", 2, { "has no argv: write argv = " } },
	{ "\nhandler \"x\" { kind = plugin }", 2, { "has no path: write path = " } },
	{ "\nhandler \"x\" { kind = sql }", 2, { "has no function: write function = " } },
	{ "handler \"x\" { kind = sql\nargv = {/a} }", 2, { "argv is for", "\"command\" or" } },
	{ "handler \"x\" { kind = service argv = {/a}\nconcurrency = 0 }",
	  2,
	  { "handler \"x\": concurrency", "from 1 to 10000" } },
	{ "handler \"x\" { kind = service argv = {/a}\ninstances = 257 }", 2, { "to 256" } },
	{ "handler \"x\" { kind = plugin path = a.so }", 1, { "path \"a.so\"", "absolute" } },
	{ "handler \"a-b\" { kind = plugin path = /a.so }", 1, { "symbol \"a-b\"", "C function" } },
	{ "handler \"x\" { kind = sql function = f }", 1, { "function \"f\"", "SCHEMA.NAME" } },
	{ "handler \"x\" { kind = sql function = \"a.b; drop\" }", 1, { "SCHEMA.NAME" } },
};

static void assert_words(const char *message, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count && words[i] != NULL; i++) {
		if (strstr(message, words[i]) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", message, words[i]);
	}
}

static void assert_place(const char *message, int line)
{
	char place[32];

	if (line > 0)
		snprintf(place, sizeof(place), "FILE:%d: ", line);
	else
		snprintf(place, sizeof(place), "FILE: ");
	if (strncmp(message, place, strlen(place)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", message, place);
}

static void every_bad_file_is_refused_with_its_line_and_what_was_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct config config;
		struct error err;

		if (config_text_load(&config, ROWS[i].text, &err) == 0)
			fail_msg("accepted: %s", ROWS[i].text);
		assert_int_equal(err.kind, ERROR_INPUT);
		assert_place(err.text, ROWS[i].line);
		assert_words(err.text, ROWS[i].words, 4);
		assert_null(strchr(err.text, '\n'));
		config_fini(&config);
	}
}

static void assert_refused(const char *path, const char *words)
{
	struct config config;
	struct error err;

	assert_int_equal(config_load(&config, path, NULL, 0, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_words(err.text, &words, 1);
	assert_words(err.text, &path, 1);
	config_fini(&config);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	(void)state;
	assert_refused("/nonexistent/locumd.conf", "No such file");
	assert_refused("/tmp", "directory");
	assert_refused("/dev/zero", "bytes");
}

static void a_file_with_a_nul_byte_is_refused(void **state)
{
	const char text[] = "log_level = info\n\0 agent";
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_text_load_bytes(&config, text, sizeof(text) - 1, NULL, 0, &err),
			 -1);
	assert_string_equal(err.text, "FILE:2: a NUL byte: this is no configuration file");
}

/* Repeats a line `count` times with a number in the place of %d. */
static char *repeated(const char *before, const char *after, int count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s%d%s\n", before, i, after);
	fclose(out);
	return text;
}

static void assert_too_many(const char *before, const char *after, int most)
{
	char *text = repeated(before, after, most + 1);
	struct config config;
	struct error err;

	assert_int_equal(config_text_load(&config, text, &err), -1);
	assert_place(err.text, most + 1);
	assert_non_null(strstr(err.text, "more than"));
	free(text);
}

static void sections_are_limited(void **state)
{
	(void)state;
	assert_too_many("handler \"h", "\" { kind = command argv = {/bin/true} user = nobody }",
			LIMIT_HANDLERS);
	assert_too_many("agent \"a", "\" {}", LIMIT_AGENTS);
}

static void assert_variable_refused(const char *name, const char *value, const char *message)
{
	struct config config;
	struct error err;

	setenv(name, value, 1);
	assert_int_equal(config_text_load(&config, HANDLER, &err), -1);
	assert_string_equal(err.text, message);
	assert_int_equal(err.kind, ERROR_INPUT);
	unsetenv(name);
}

static void a_bad_variable_is_named(void **state)
{
	(void)state;
	assert_variable_refused("LOCUM_LISTEN", "perhaps",
				"LOCUM_LISTEN: listen: \"perhaps\" is neither true nor false");
	assert_variable_refused("LOCUM_STATE_DIR", "here",
				"LOCUM_STATE_DIR: state_dir \"here\" is not an absolute path");
	assert_variable_refused(
		"LOCUM_PING_INTERVAL", "1ms",
		"LOCUM_PING_INTERVAL: ping_interval 1ms is too short: it must be at "
		"least 10ms");
}

static void a_variable_that_is_nearly_a_setting_is_told(void **state)
{
	char *told = NULL;
	size_t size;
	FILE *out = open_memstream(&told, &size);

	(void)state;
	setenv("LOCUM_PING_INTERVALL", "5s", 1);
	setenv("LOCUM_PING_INTERVAL", "5s", 1);
	setenv("LOCUM_SOMETHING_ELSE_ENTIRELY", "1", 1);
	config_check_environment(out);
	fclose(out);
	unsetenv("LOCUM_PING_INTERVALL");
	unsetenv("LOCUM_PING_INTERVAL");
	unsetenv("LOCUM_SOMETHING_ELSE_ENTIRELY");
	assert_string_equal(told, "locumd: warning: the environment has a LOCUM_… for "
				  "\"ping_intervall\", which is no setting: did you mean "
				  "\"ping_interval\"?\n");
	free(told);
}

static void a_bad_flag_is_named(void **state)
{
	const struct config_override flag = { "ping_interval", "12s" };
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_text_load_bytes(&config, HANDLER, strlen(HANDLER), &flag, 1, &err),
			 -1);
	assert_string_equal(err.text,
			    "--ping-interval: ping_death_interval 30s is too short: it must be at "
			    "least 3 × ping_interval 12s + kill_grace 5s + fence_margin 3s = 44s");
}

static const char NO_USER[] = "root_handlers = true\n"
			      "agent \"a\" { user = nobody }\nagent \"b\" {}\n"
			      "handler \"x\" { kind = command argv = {/bin/true} }\n";

static void root_runs_no_handler_unless_told_so(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_text_load(&config, NO_USER, &err), 0);
	assert_int_equal(config_check(&config, 0, &err), 0);
	config.root_handlers = 0;
	assert_int_equal(config_check(&config, 0, &err), -1);
	assert_non_null(strstr(err.text, ":4: handler \"x\" would run as root: set user = … in the "
					 "handler or its agent \"b\", or root_handlers = true"));
	config_fini(&config);
}

static void another_user_than_root_needs_no_user_setting(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_text_load(&config, NO_USER, &err), 0);
	config.root_handlers = 0;
	assert_int_equal(config_check(&config, 1000, &err), 0);
	config_fini(&config);
}

static void a_program_that_is_not_there_is_told(void **state)
{
	static const char TEXT[] =
		"root_handlers = true\n"
		"handler \"here\" { kind = command argv = {/bin/true} }\n"
		"handler \"gone\" { kind = command argv = {/nonexistent/program} }\n"
		"handler \"data\" { kind = service argv = {/etc/passwd} }\n"
		"handler \"plug\" { kind = plugin path = \"/nonexistent/a.so\" symbol = f }\n";
	struct config config;
	struct error err;
	char *told = NULL;
	size_t size;
	FILE *out = open_memstream(&told, &size);

	(void)state;
	assert_int_equal(config_text_load(&config, TEXT, &err), 0);
	config_check_handlers(&config, out);
	fclose(out);
	assert_null(strstr(told, "here"));
	assert_non_null(strstr(told,
			       ":3: handler \"gone\": cannot run \"/nonexistent/program\": No "
			       "such file or directory\n"));
	assert_non_null(
		strstr(told, ":4: handler \"data\": cannot run \"/etc/passwd\": Permission"));
	assert_non_null(strstr(told, ":5: handler \"plug\": cannot read \"/nonexistent/a.so\""));
	free(told);
	config_fini(&config);
}

static void a_good_file_loads_after_a_bad_one(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_text_load(&config, "agent \"a\" { size = '4", &err), -1);
	assert_int_equal(config_text_load(&config, "agent \"a\" { siez = 4 }", &err), -1);
	assert_int_equal(config_text_load(&config, HANDLER, &err), 0);
	config_fini(&config);
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_file_is_refused_with_its_line_and_what_was_expected),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(a_file_with_a_nul_byte_is_refused),
		cmocka_unit_test(sections_are_limited),
		cmocka_unit_test(a_bad_variable_is_named),
		cmocka_unit_test(a_variable_that_is_nearly_a_setting_is_told),
		cmocka_unit_test(a_bad_flag_is_named),
		cmocka_unit_test(root_runs_no_handler_unless_told_so),
		cmocka_unit_test(another_user_than_root_needs_no_user_setting),
		cmocka_unit_test(a_program_that_is_not_there_is_told),
		cmocka_unit_test(a_good_file_loads_after_a_bad_one),
	};

	config_text_clear_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
