#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dispatcher/options.h"

enum { ARGUMENTS_MAX = 8, ARGUMENT_SIZE = 64 };

/* A command line and what became of it; the options point into the texts. */
struct command {
	char texts[ARGUMENTS_MAX][ARGUMENT_SIZE];
	struct options options;
	struct error err;
	int rc;
};

/* Splits the line at its spaces. */
static void run(struct command *command, const char *line)
{
	char *argv[ARGUMENTS_MAX + 1];
	int argc = 0;

	memset(command, 0, sizeof(*command));
	while (*line != '\0' && argc < ARGUMENTS_MAX) {
		size_t length = strcspn(line, " ");

		snprintf(command->texts[argc], ARGUMENT_SIZE, "%.*s", (int)length, line);
		argv[argc] = command->texts[argc];
		argc++;
		line += length + strspn(line + length, " ");
	}
	argv[argc] = NULL;
	command->rc = options_read(&command->options, argc, argv, &command->err);
}

static void run_good(struct command *command, const char *line)
{
	run(command, line);
	if (command->rc < 0)
		fail_msg("%s: %s", line, command->err.text);
}

static void assert_override(const struct command *command, size_t index, const char *key,
			    const char *value)
{
	const struct options *options = &command->options;

	assert_true(index < options->override_count);
	assert_string_equal(options->overrides[index].key, key);
	assert_string_equal(options->overrides[index].value, value);
}

static void without_options_locumd_runs_with_the_default_file(void **state)
{
	struct command command;

	(void)state;
	run_good(&command, "locumd");
	assert_int_equal(command.options.action, OPTIONS_RUN);
	assert_null(command.options.file);
	assert_int_equal(command.options.override_count, 0);
}

static void file_and_database_have_letters(void **state)
{
	struct command command;

	(void)state;
	run_good(&command, "locumd -c /etc/a.conf -d dbname=app --check");
	assert_string_equal(command.options.file, "/etc/a.conf");
	assert_int_equal(command.options.action, OPTIONS_CHECK);
	assert_override(&command, 0, "database", "dbname=app");
}

static void each_setting_has_a_flag(void **state)
{
	(void)state;
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *setting = &config_setting_all[i];
		char line[128];
		struct command command;

		snprintf(line, sizeof(line), "locumd --%s%s", setting->key,
			 setting->type == CONFIG_BOOLEAN ? "" : "=7s");
		for (char *letter = line; *letter != '\0'; letter++)
			*letter = *letter == '_' ? '-' : *letter;
		run_good(&command, line);
		assert_override(&command, 0, setting->key,
				setting->type == CONFIG_BOOLEAN ? "true" : "7s");
	}
}

static void booleans_are_switched_off_with_no(void **state)
{
	struct command command;

	(void)state;
	run_good(&command, "locumd --no-listen --no-prepared --no-root-handlers");
	assert_override(&command, 0, "listen", "false");
	assert_override(&command, 1, "prepared", "false");
	assert_override(&command, 2, "root_handlers", "false");
}

static void the_last_of_two_flags_counts(void **state)
{
	struct command command;

	(void)state;
	run_good(&command, "locumd --no-listen -dfirst --listen --database second");
	assert_int_equal(command.options.override_count, 2);
	assert_override(&command, 0, "listen", "true");
	assert_override(&command, 1, "database", "second");
}

static void help_and_version_are_asked_for_and_not_printed(void **state)
{
	struct command command;

	(void)state;
	run_good(&command, "locumd --help");
	assert_int_equal(command.options.action, OPTIONS_HELP);
	run_good(&command, "locumd --version");
	assert_int_equal(command.options.action, OPTIONS_VERSION);
}

static const struct {
	const char *line;
	const char *message;
} WRONG[] = {
	{ "locumd --ping", "option --ping is ambiguous: write it in full" },
	{ "locumd --pong-interval 5s",
	  "unknown option --pong-interval: did you mean --ping-interval?" },
	{ "locumd --nonsense-at-all", "unknown option --nonsense-at-all: see --help" },
	{ "locumd --check --ping-interval",
	  "option --ping-interval needs a value: --ping-interval TIME" },
	{ "locumd --check=yes", "option --check takes no value" },
	{ "locumd -c", "option -c needs a value" },
	{ "locumd -d", "option -d needs a value" },
	{ "locumd -x", "unknown option -x: see --help" },
	{ "locumd --check -xc", "unknown option -xc: see --help" },
	{ "locumd extra", "unexpected argument \"extra\": locumd takes options only" },
	{ "locumd -- extra", "unexpected argument \"extra\": locumd takes options only" },
	{ "locumd --check extra", "unexpected argument \"extra\": locumd takes options only" },
};

static void every_wrong_option_is_named_in_one_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		struct command command;

		run(&command, WRONG[i].line);
		assert_int_equal(command.rc, -1);
		assert_int_equal(command.err.kind, ERROR_INPUT);
		assert_string_equal(command.err.text, WRONG[i].message);
	}
}

static void the_help_names_every_flag(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	options_help(out);
	fclose(out);
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		char flag[64];

		snprintf(flag, sizeof(flag), "--%s", config_setting_all[i].key);
		for (char *letter = flag; *letter != '\0'; letter++)
			*letter = *letter == '_' ? '-' : *letter;
		assert_non_null(strstr(text, flag));
	}
	assert_non_null(strstr(text, "--no-listen"));
	assert_non_null(strstr(text, "-c, --config=FILE"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_locumd_runs_with_the_default_file),
		cmocka_unit_test(file_and_database_have_letters),
		cmocka_unit_test(each_setting_has_a_flag),
		cmocka_unit_test(booleans_are_switched_off_with_no),
		cmocka_unit_test(the_last_of_two_flags_counts),
		cmocka_unit_test(help_and_version_are_asked_for_and_not_printed),
		cmocka_unit_test(every_wrong_option_is_named_in_one_sentence),
		cmocka_unit_test(the_help_names_every_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
