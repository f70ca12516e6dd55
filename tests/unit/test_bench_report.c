/* The benchmark's report says what was reached, what was missed, and what was not measured and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/command.h"

enum { PATH_SIZE = 256 };

struct scene {
	char folder[PATH_SIZE];
	struct command command;
};

static const char *const FILES[] = { "machine.tsv", "peers.tsv", "skipped.tsv", "goals.tsv",
				     "results.tsv" };
enum { FILE_COUNT = sizeof(FILES) / sizeof(FILES[0]) };

static const char *path_of(const struct scene *scene, const char *name, char path[static PATH_SIZE])
{
	assert_true(snprintf(path, PATH_SIZE, "%s/%s", scene->folder, name) < PATH_SIZE);
	return path;
}

static void write_file(const struct scene *scene, const char *name, const char *text)
{
	char path[PATH_SIZE];
	FILE *file = fopen(path_of(scene, name, path), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	snprintf(scene->folder, sizeof(scene->folder), "/tmp/locum-bench-test.XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	for (size_t i = 0; i < FILE_COUNT; i++)
		write_file(scene, FILES[i], "");
	write_file(scene, "machine.tsv", "processors\t2\n");
	command_init(&scene->command, "/usr/bin/awk");
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const MADE[] = { "report.json", "README.md" };
	struct scene *scene = *state;
	char path[PATH_SIZE];

	for (size_t i = 0; i < FILE_COUNT; i++)
		unlink(path_of(scene, FILES[i], path));
	for (size_t i = 0; i < sizeof(MADE) / sizeof(MADE[0]); i++)
		unlink(path_of(scene, MADE[i], path));
	rmdir(scene->folder);
	command_fini(&scene->command);
	free(scene);
	return 0;
}

/* Three rounds: the ratios are 1, 3 and 4, that of the medians is 2. */
static const char RACE[] = "race\tours\tjobs/s\t1\t10\nrace\ttheirs\tjobs/s\t1\t10\n"
			   "race\tours\tjobs/s\t2\t90\nrace\ttheirs\tjobs/s\t2\t30\n"
			   "race\tours\tjobs/s\t3\t20\nrace\ttheirs\tjobs/s\t3\t5\n";

/* Runs the report of a section "race"; its form is markdown or json. */
static void report(struct scene *scene, const char *form)
{
	static char paths[FILE_COUNT][PATH_SIZE];
	static char form_is[PATH_SIZE];

	snprintf(form_is, sizeof(form_is), "form=%s", form);
	command_add(&scene->command, "-f", "tools/bench/report.awk", "-v", form_is, "-v",
		    "ran=race", NULL);
	for (size_t i = 0; i < FILE_COUNT; i++)
		command_add(&scene->command, path_of(scene, FILES[i], paths[i]), NULL);
	command_run(&scene->command, NULL, 0);
	assert_string_equal(scene->command.said, "");
}

static void ratio_is_the_median_of_the_rounds_and_meets_its_goal(void **state)
{
	struct scene *scene = *state;

	write_file(scene, "results.tsv", RACE);
	write_file(scene, "goals.tsv", "race\tours\tratio\ttheirs\t>=\t2.5\tours to theirs\n");
	report(scene, "markdown");
	assert_non_null(strstr(scene->command.printed,
			       "| ours to theirs | >= 2.5 | 3 | 1 to 4 | 3 | met |"));
	assert_int_equal(scene->command.code, 0);
}

static void missed_goal_is_told_and_ends_the_report_with_1(void **state)
{
	struct scene *scene = *state;

	write_file(scene, "results.tsv", RACE);
	write_file(scene, "goals.tsv",
		   "race\tours\tratio\ttheirs\t>=\t3.5\tours to theirs\n"
		   "race\tours\tmost\t-\t<=\t90\tthe most of ours\n");
	report(scene, "markdown");
	assert_non_null(strstr(scene->command.printed,
			       "| ours to theirs | >= 3.5 | 3 | 1 to 4 | 3 | **missed** |"));
	assert_non_null(strstr(scene->command.printed,
			       "| the most of ours | <= 90 | 90 | 10 to 90 | 3 | met |"));
	assert_int_equal(scene->command.code, 1);
}

static void what_was_not_measured_is_told_with_its_reason(void **state)
{
	struct scene *scene = *state;

	write_file(scene, "results.tsv", "race\tours\tjobs/s\t1\t10\n");
	write_file(scene, "skipped.tsv", "race\ttheirs\tnpm is missing\n");
	write_file(scene, "goals.tsv", "race\tours\tratio\ttheirs\t>=\t1\tours to theirs\n");
	report(scene, "markdown");
	assert_non_null(
		strstr(scene->command.printed,
		       "| ours to theirs | >= 1 | | | | not measured: theirs: npm is missing |"));
	assert_non_null(strstr(scene->command.printed, "- race, theirs: npm is missing"));
	assert_int_equal(scene->command.code, 0);
}

static void goals_of_sections_that_did_not_run_are_left_out(void **state)
{
	struct scene *scene = *state;

	write_file(scene, "results.tsv", RACE);
	write_file(scene, "goals.tsv", "rest\tours\tratio\ttheirs\t>=\t1\tof another section\n");
	report(scene, "markdown");
	assert_null(strstr(scene->command.printed, "of another section"));
}

static void report_as_json_has_figures_goals_and_reasons(void **state)
{
	struct scene *scene = *state;
	const char *goal_state;
	const char *name;
	double value;
	int runs;
	json_t *root;

	write_file(scene, "peers.tsv", "theirs\tversion 1, {\"a\": \"\\\\\"}\n");
	write_file(scene, "results.tsv", RACE);
	write_file(scene, "goals.tsv", "race\tours\tratio\ttheirs\t>=\t2.5\tours to theirs\n");
	report(scene, "json");
	root = json_loads(scene->command.printed, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_unpack(root, "{s:[{s:s,s:F,s:i}],s:[{s:s}],s:[]}", "goals", "state",
				     &goal_state, "value", &value, "runs", &runs, "compared_with",
				     "name", &name, "not_measured"),
			 0);
	assert_string_equal(goal_state, "met");
	assert_string_equal(name, "theirs");
	assert_true(value > 2.9 && value < 3.1);
	assert_int_equal(runs, 3);
	json_decref(root);
}

static void readme_gets_the_table_between_its_markers_and_nothing_else(void **state)
{
	struct scene *scene = *state;
	char json[PATH_SIZE];
	char readme[PATH_SIZE];
	struct command made;

	write_file(scene, "results.tsv", RACE);
	write_file(scene, "goals.tsv", "race\tours\tratio\ttheirs\t>=\t3.5\tours to theirs\n");
	report(scene, "json");
	write_file(scene, "report.json", scene->command.printed);
	write_file(scene, "README.md",
		   "before\n<!-- benchmark: x -->\nold\n<!-- end of the benchmark -->\nafter\n");
	command_init(&made, "/usr/bin/awk");
	command_add(&made, "-f", "tools/bench/readme.awk", path_of(scene, "report.json", json),
		    path_of(scene, "README.md", readme), NULL);
	command_run(&made, NULL, 0);
	assert_int_equal(made.code, 0);
	assert_ptr_equal(strstr(made.printed, "before\n<!-- benchmark: x -->\n"), made.printed);
	assert_non_null(strstr(made.printed, "| ours to theirs | >= 3.5 | 3, **missed** | 3 |\n"));
	assert_non_null(strstr(made.printed, "\n<!-- end of the benchmark -->\nafter\n"));
	assert_null(strstr(made.printed, "old"));
	command_fini(&made);
}

/* Whether "NAME<tab>" begins a line of the file of sections. */
static int is_section(const char *sections, const char *name, size_t length)
{
	for (const char *line = sections; *line != '\0'; line = strchr(line, '\n') + 1)
		if (strncmp(line, name, length) == 0 && line[length] == '\t')
			return 1;
	return 0;
}

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

static void every_section_has_its_file_and_every_goal_its_section(void **state)
{
	char *sections = read_file("tools/bench/sections.tsv");
	char *goals = read_file("tools/bench/goals.tsv");
	char path[PATH_SIZE];

	(void)state;
	for (char *line = sections; *line != '\0'; line = strchr(line, '\n') + 1) {
		snprintf(path, sizeof(path), "tools/bench/sections/%.*s.sh",
			 (int)strcspn(line, "\t"), line);
		assert_int_equal(access(path, R_OK), 0);
	}
	for (char *line = goals; *line != '\0'; line = strchr(line, '\n') + 1)
		if (*line != '#')
			assert_true(is_section(sections, line, strcspn(line, "\t")));
	free(sections);
	free(goals);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ratio_is_the_median_of_the_rounds_and_meets_its_goal),
		TEST(missed_goal_is_told_and_ends_the_report_with_1),
		TEST(what_was_not_measured_is_told_with_its_reason),
		TEST(goals_of_sections_that_did_not_run_are_left_out),
		TEST(report_as_json_has_figures_goals_and_reasons),
		TEST(readme_gets_the_table_between_its_markers_and_nothing_else),
		cmocka_unit_test(every_section_has_its_file_and_every_goal_its_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
