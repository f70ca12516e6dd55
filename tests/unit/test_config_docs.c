/* The man page, the sample and the tables of the parser name the same settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"
#include "dispatcher/config_key.h"
#include "dispatcher/config_setting.h"
#include "tests/support/config_text.h"

static const char PAGE[] = "doc/man/locumd.conf.5.scd";
static const char SAMPLE[] = "doc/locumd.conf.sample";

enum { NAMES_MAX = 64, NAME_SIZE = 64 };

/* What one section of the man page describes. */
struct described {
	char names[NAMES_MAX][NAME_SIZE];
	char defaults[NAMES_MAX][NAME_SIZE]; /* "" when none is given */
	size_t count;
};

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

/* "*a*, *b* (default: _X_)" */
static void take_heading(struct described *described, char *line)
{
	char *value = strstr(line, " (default: ");
	char *rest = NULL;
	size_t first = described->count;

	if (value != NULL)
		*value = '\0';
	for (char *name = strtok_r(line, "*, ", &rest); name != NULL;
	     name = strtok_r(NULL, "*, ", &rest)) {
		assert_true(described->count < NAMES_MAX);
		snprintf(described->names[described->count++], NAME_SIZE, "%s", name);
	}
	if (value == NULL)
		return;
	value = strtok_r(value + strlen(" (default: "), "_)", &rest);
	for (size_t i = first; i < described->count; i++)
		snprintf(described->defaults[i], NAME_SIZE, "%s", value);
}

/* The items of a section: a line that begins with *name*, and an indented one behind it. */
static struct described describe(const char *heading)
{
	struct described described = { .count = 0 };
	char *page = read_file(PAGE);
	char *at = strstr(page, heading);
	char *end;
	char *rest = NULL;

	assert_non_null(at);
	at += strlen(heading);
	end = strstr(at, "\n# ");
	assert_non_null(end);
	*end = '\0';
	for (char *line = strtok_r(at, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '*' && rest[0] == '\t')
			take_heading(&described, line);
	}
	free(page);
	return described;
}

static int find(const struct described *described, const char *name)
{
	for (size_t i = 0; i < described->count; i++) {
		if (strcmp(described->names[i], name) == 0)
			return (int)i;
	}
	fail_msg("%s does not describe %s", PAGE, name);
	return -1;
}

static const char *default_text(const struct config_setting *setting, char *text)
{
	switch (setting->type) {
	case CONFIG_DURATION:
		return duration_text(setting->number, text);
	case CONFIG_TEXT:
		return setting->text[0] == '\0' ? "empty" : setting->text;
	case CONFIG_BOOLEAN:
		return setting->number ? "true" : "false";
	}
	return NULL;
}

static void the_man_page_has_every_setting_with_its_default(void **state)
{
	struct described described = describe("\n# SETTINGS\n");
	char text[DURATION_TEXT_SIZE];

	(void)state;
	assert_int_equal(described.count, CONFIG_SETTING_COUNT);
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *setting = &config_setting_all[i];
		int found = find(&described, setting->key);

		assert_string_equal(described.defaults[found], default_text(setting, text));
	}
}

static void assert_described(const char *heading, const struct config_key *keys)
{
	struct described described = describe(heading);
	size_t count = 0;

	for (; keys[count].name != NULL; count++)
		find(&described, keys[count].name);
	assert_int_equal(described.count, count);
}

static void the_man_page_has_every_key_of_a_section_and_no_other(void **state)
{
	(void)state;
	assert_described("\n# AGENTS\n", config_key_agent);
	assert_described("\n# HANDLERS\n", config_key_handler);
}

/* In the sample "#" without a blank behind it hides a setting, "# " is prose. */
static struct config load_whole_sample(void)
{
	char *text = read_file(SAMPLE);
	struct config config;
	struct error err;

	for (char *at = strchr(text, '#'); at != NULL; at = strchr(at + 1, '#')) {
		bool begins = at == text || at[-1] == '\n' || at[-1] == '\t';

		if (begins && at[1] != ' ' && at[1] != '\n')
			at[0] = ' ';
	}
	if (config_text_load(&config, text, &err) < 0)
		fail_msg("%s", err.text);
	free(text);
	return config;
}

static void assert_shown(const struct config_key *keys, const struct config_key_lines *lines,
			 int line_count)
{
	for (int key = 0; keys[key].name != NULL; key++) {
		bool shown = false;

		for (int i = 0; i < line_count; i++)
			shown = shown || lines[i].of[key] > 0;
		if (!shown)
			fail_msg("%s does not show %s", SAMPLE, keys[key].name);
	}
}

static void the_sample_shows_every_setting_and_all_that_it_shows_is_right(void **state)
{
	struct config config = load_whole_sample();

	(void)state;
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_origin *origin = config_setting_origin(&config,
									   &config_setting_all[i]);

		if (origin->source != CONFIG_FILE)
			fail_msg("%s does not show %s", SAMPLE, config_setting_all[i].key);
	}
	assert_int_equal(config.agent_count, 1);
	assert_shown(config_key_agent, &config.agents[0].lines, 1);
	assert_shown(config_key_handler, config.handler_key_lines, config.handler_count);
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_man_page_has_every_setting_with_its_default),
		cmocka_unit_test(the_man_page_has_every_key_of_a_section_and_no_other),
		cmocka_unit_test(the_sample_shows_every_setting_and_all_that_it_shows_is_right),
	};

	config_text_clear_environment();
	return cmocka_run_group_tests_name("config_docs", tests, NULL, NULL);
}
