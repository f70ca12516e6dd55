#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/config_text.h"

#define HANDLER CONFIG_TEXT_HANDLER

static const char SAMPLE[] = "doc/locumd.conf.sample";

static const char FULL[] =
	"/* every key,\n with two lines of comment */\n"
	"database = \"host=/run user='a b' password='it\\\\'s secret'\" # don't \"stop\n"
	"state_dir = /tmp/state // nor here: }\n"
	"ping_interval = 2s listen = off\n"
	"agent \"fast\" {\n"
	"  size = 2 queues = {\"default\", # first\n"
	"    \"mail=3\", \"a=b=1\"}\n"
	"  user = \"nobody\"\n"
	"  handlers = {\"b\"}\n"
	"}\n"
	"agent all { user = root }\n"
	"handler \"a\" { kind = command argv = {/bin/a, \"$x \\\"y\\\"\", \"tab\\t\", ''}\n"
	"  timeout = 90s user = nobody fence = finish directory = /tmp\n"
	"  environment = {\"LANG=C.UTF-8\", \"EMPTY=\"}\n"
	"  memory = 512M files = 64 processes = 10 cpu = 10m file_size = 1G }\n"
	"handler \"b\" { kind = \"command\" argv = {\"${LOCUM_TEST_PATH}\"} }\n";

static struct config load(const char *text)
{
	struct config config;
	struct error err;

	if (config_text_load(&config, text, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static struct config load_with_flag(const char *text, const char *key, const char *value)
{
	const struct config_override flag = { key, value };
	struct config config;
	struct error err;

	if (config_text_load_bytes(&config, text, strlen(text), &flag, 1, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static struct config load_full(void)
{
	setenv("LOCUM_TEST_PATH", "/bin/b", 1);
	return load(FULL);
}

static void what_is_not_given_has_its_default(void **state)
{
	struct config config = load(HANDLER);

	(void)state;
	assert_int_equal(config.poll_interval_ms, 1000);
	assert_int_equal(config.ping_death_interval_ms, 30000);
	assert_int_equal(config.drain_timeout_ms, 25000);
	assert_string_equal(config.database, "");
	assert_string_equal(config.log_level, "info");
	assert_int_equal(config.listen, 1);
	assert_int_equal(config.root_handlers, 0);
	assert_int_equal(config.poll_interval_ms_origin.source, CONFIG_DEFAULT);
	config_fini(&config);
}

static void without_agents_there_is_one_of_defaults(void **state)
{
	struct config config = load(HANDLER);
	const struct config_agent *agent = config.agents;

	(void)state;
	assert_int_equal(config.agent_count, 1);
	assert_string_equal(agent->name, "main");
	assert_int_equal(agent->size, 4);
	assert_null(agent->user);
	assert_int_equal(agent->queue_count, 1);
	assert_string_equal(agent->queues[0].name, "default");
	assert_int_equal(agent->queues[0].weight, 1);
	assert_int_equal(agent->handler_count, 1);
	assert_int_equal(agent->handlers[0], 0);
	config_fini(&config);
}

static void an_agent_is_read_whole(void **state)
{
	struct config config = load_full();
	const struct config_agent *agent = &config.agents[0];

	(void)state;
	assert_int_equal(config.agent_count, 2);
	assert_string_equal(agent->name, "fast");
	assert_int_equal(agent->line, 6);
	assert_int_equal(agent->size, 2);
	assert_string_equal(agent->user, "nobody");
	assert_int_equal(agent->queue_count, 3);
	assert_string_equal(agent->queues[1].name, "mail");
	assert_int_equal(agent->queues[1].weight, 3);
	assert_string_equal(agent->queues[2].name, "a=b");
	assert_int_equal(agent->handler_count, 1);
	assert_int_equal(agent->handlers[0], 1);
	assert_int_equal(config.agents[1].handler_count, 2);
	config_fini(&config);
}

static void a_handler_is_read_whole(void **state)
{
	struct config config = load_full();
	const struct handler *handler = &config.handlers[0];

	(void)state;
	assert_string_equal(handler->name, "a");
	assert_int_equal(handler->kind, HANDLER_COMMAND);
	assert_string_equal(handler->argv[1], "$x \"y\"");
	assert_string_equal(handler->argv[3], "");
	assert_null(handler->argv[4]);
	assert_int_equal(handler->timeout_ms, 90000);
	assert_string_equal(handler->user, "nobody");
	assert_int_equal(handler->fence, HANDLER_FENCE_FINISH);
	assert_string_equal(handler->directory, "/tmp");
	assert_string_equal(handler->environment[1], "EMPTY=");
	assert_null(handler->environment[2]);
	assert_int_equal(handler->limits.memory_bytes, 512 * 1024 * 1024);
	assert_int_equal(handler->limits.files, 64);
	assert_int_equal(handler->limits.processes, 10);
	assert_int_equal(handler->limits.cpu_s, 600);
	assert_int_equal(handler->limits.file_bytes, 1024 * 1024 * 1024);
	assert_int_equal(config.handler_lines[0], 13);
	config_fini(&config);
}

static void each_kind_has_its_own_fields(void **state)
{
	struct config config = load(
		"agent a { user = nobody }\n"
		"handler s { kind = service argv = {/s} concurrency = 16 instances = 2\n"
		"  max_jobs = 1000 progress_timeout = 5m }\n"
		"handler p { kind = plugin path = /p.so }\n"
		"handler q { kind = plugin path = /p.so symbol = other }\n"
		"handler f { kind = sql function = app.settle }\n");
	const struct handler *handlers = config.handlers;

	(void)state;
	assert_int_equal(handlers[0].kind, HANDLER_SERVICE);
	assert_int_equal(handlers[0].concurrency, 16);
	assert_int_equal(handlers[0].instances, 2);
	assert_int_equal(handlers[0].max_jobs, 1000);
	assert_int_equal(handlers[0].progress_timeout_ms, 300000);
	assert_int_equal(handlers[1].kind, HANDLER_PLUGIN);
	assert_int_equal(handlers[1].concurrency, 1);
	assert_int_equal(handlers[1].instances, 1);
	assert_string_equal(handlers[1].path, "/p.so");
	assert_string_equal(handlers[1].symbol, "p");
	assert_string_equal(handlers[2].symbol, "other");
	assert_int_equal(handlers[3].kind, HANDLER_SQL);
	assert_string_equal(handlers[3].function, "app.settle");
	config_fini(&config);
}

static void a_handler_without_options_has_no_limits(void **state)
{
	struct config config = load_full();
	const struct handler *handler = &config.handlers[1];

	(void)state;
	assert_string_equal(handler->argv[0], "/bin/b"); /* ${LOCUM_TEST_PATH} */
	assert_int_equal(handler->timeout_ms, 0);
	assert_int_equal(handler->fence, HANDLER_FENCE_KILL);
	assert_null(handler->user);
	assert_null(handler->directory);
	assert_null(handler->environment[0]);
	assert_int_equal(handler->limits.memory_bytes, -1);
	assert_int_equal(handler->limits.cpu_s, -1);
	assert_int_equal(handler->limits.file_bytes, -1);
	config_fini(&config);
}

static void the_file_beats_the_default(void **state)
{
	struct config config = load("\nping_interval = 2s\n" HANDLER);

	(void)state;
	assert_int_equal(config.ping_interval_ms, 2000);
	assert_int_equal(config.ping_interval_ms_origin.source, CONFIG_FILE);
	assert_int_equal(config.ping_interval_ms_origin.line, 2);
	config_fini(&config);
}

static void the_environment_beats_the_file(void **state)
{
	struct config config;

	(void)state;
	setenv("LOCUM_PING_INTERVAL", "3s", 1);
	setenv("LOCUM_LISTEN", "no", 1);
	config = load("ping_interval = 2s\n" HANDLER);
	assert_int_equal(config.ping_interval_ms, 3000);
	assert_int_equal(config.ping_interval_ms_origin.source, CONFIG_ENVIRONMENT);
	assert_string_equal(config.ping_interval_ms_origin.name, "LOCUM_PING_INTERVAL");
	assert_int_equal(config.listen, 0);
	config_fini(&config);
	config_text_clear_environment();
}

static void a_flag_beats_the_environment(void **state)
{
	struct config config;

	(void)state;
	setenv("LOCUM_PING_INTERVAL", "3s", 1);
	config = load_with_flag("ping_interval = 2s\n" HANDLER, "ping_interval", "4s");
	assert_int_equal(config.ping_interval_ms, 4000);
	assert_int_equal(config.ping_interval_ms_origin.source, CONFIG_FLAG);
	assert_string_equal(config.ping_interval_ms_origin.name, "--ping-interval");
	config_fini(&config);
	config_text_clear_environment();
}

static void assert_database(const char *expected, const char *variable)
{
	struct config config = load("database = \"dbname=file\"\n" HANDLER);

	assert_string_equal(config.database, expected);
	assert_string_equal(config.database_origin.name, variable);
	config_fini(&config);
}

static void the_database_has_three_variables_the_most_specific_first(void **state)
{
	(void)state;
	assert_database("dbname=file", "");
	setenv("DATABASE_URL", "postgresql:///general", 1);
	assert_database("postgresql:///general", "DATABASE_URL");
	setenv("LOCUM_DATABASE_URL", "postgresql:///locum", 1);
	assert_database("postgresql:///locum", "LOCUM_DATABASE_URL");
	setenv("LOCUM_DATABASE", "dbname=twin", 1);
	assert_database("dbname=twin", "LOCUM_DATABASE");
	config_text_clear_environment();
}

static void an_empty_variable_counts_as_not_set(void **state)
{
	struct config config;

	(void)state;
	setenv("LOCUM_PING_INTERVAL", "", 1);
	config = load(HANDLER);
	assert_int_equal(config.ping_interval_ms_origin.source, CONFIG_DEFAULT);
	config_fini(&config);
	config_text_clear_environment();
}

/* Cuts what follows "  # " from each line. */
static char *without_comments(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0';) {
		if (strncmp(in, "  # ", 4) == 0)
			in += strcspn(in, "\n");
		else
			*out++ = *in++;
	}
	*out = '\0';
	return text;
}

static void what_is_printed_loads_as_the_same(void **state)
{
	struct config first = load_full();
	char *first_text = config_text_print(&first);
	struct config second = load(first_text);
	char *second_text = config_text_print(&second);

	(void)state;
	assert_string_equal(without_comments(first_text), without_comments(second_text));
	assert_string_equal(first.handlers[0].argv[2], second.handlers[0].argv[2]);
	free(first_text);
	free(second_text);
	config_fini(&first);
	config_fini(&second);
}

static void assert_printed(const struct config *config, const char *line)
{
	char *text = config_text_print(config);

	if (strstr(text, line) == NULL)
		fail_msg("not printed: %s in\n%s", line, text);
	free(text);
}

static void every_printed_value_names_its_origin(void **state)
{
	struct config config;

	(void)state;
	setenv("LOCUM_POLL_INTERVAL", "250ms", 1);
	config = load_with_flag("\nkill_grace = 90s ping_death_interval = 5m\n"
				"agent \"a\" { size = 3\nqueues = {b,\nc} }\n" HANDLER,
				"listen", "false");
	assert_printed(&config, "poll_interval = \"250ms\"  # environment LOCUM_POLL_INTERVAL\n");
	assert_printed(&config, "kill_grace = \"1m30s\"  # file ");
	assert_printed(&config, ":2\n");
	assert_printed(&config, "listen = false  # flag --listen\n");
	assert_printed(&config, "log_level = \"info\"  # default\n");
	assert_printed(&config, ":3\n\tsize = 3  # file ");
	assert_printed(&config, ":4\n\thandlers = {\"noop\"}  # default\n");
	assert_printed(&config, "\tfence = \"kill\"  # default\n");
	config_fini(&config);
	config_text_clear_environment();
}

static void no_password_is_printed(void **state)
{
	struct config config = load_full();
	char *text = config_text_print(&config);

	(void)state;
	assert_null(strstr(text, "secret"));
	assert_non_null(strstr(text, "password=****"));
	free(text);
	config_fini(&config);
}

static void the_sample_is_a_good_file(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	if (config_load(&config, SAMPLE, NULL, 0, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(config.handler_count > 0);
	assert_string_equal(config.file, SAMPLE);
	config_fini(&config);
}

/* In the sample a setting stands behind "#", with its default. */
static void the_sample_shows_every_setting_with_its_default(void **state)
{
	struct config config = load(HANDLER);
	char *text = without_comments(config_text_print(&config));
	char *sample = NULL;
	char *rest = NULL;
	size_t size = 0;
	FILE *file = fopen(SAMPLE, "r");

	(void)state;
	assert_non_null(file);
	assert_true(getdelim(&sample, &size, '\0', file) > 0);
	fclose(file);
	for (char *line = strtok_r(text, "\n", &rest); strncmp(line, "agent \"", 7) != 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "database", 8) != 0 && strstr(sample, line) == NULL)
			fail_msg("the sample does not show: %s", line);
	}
	free(text);
	free(sample);
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(without_agents_there_is_one_of_defaults),
		cmocka_unit_test(an_agent_is_read_whole),
		cmocka_unit_test(a_handler_is_read_whole),
		cmocka_unit_test(each_kind_has_its_own_fields),
		cmocka_unit_test(a_handler_without_options_has_no_limits),
		cmocka_unit_test(the_file_beats_the_default),
		cmocka_unit_test(the_environment_beats_the_file),
		cmocka_unit_test(a_flag_beats_the_environment),
		cmocka_unit_test(the_database_has_three_variables_the_most_specific_first),
		cmocka_unit_test(an_empty_variable_counts_as_not_set),
		cmocka_unit_test(what_is_printed_loads_as_the_same),
		cmocka_unit_test(every_printed_value_names_its_origin),
		cmocka_unit_test(no_password_is_printed),
		cmocka_unit_test(the_sample_is_a_good_file),
		cmocka_unit_test(the_sample_shows_every_setting_with_its_default),
	};

	config_text_clear_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
