/* doc/chaos.md tells of scenario files, stages and invariants what the program has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/verdict.h"
#include "tools/chaos/plan/plan.h"
#include "tools/chaos/plan/scenario.h"
#include "tools/chaos/report/words.h"

enum { CELLS = 4, TEXT = 8192 };

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

static char *read_page(void)
{
	return read_file("doc/chaos.md");
}

/* Cells of "| a | b | c | d |", without backquotes; false when there are fewer. */
static bool split_row(char *line, char *cells[CELLS])
{
	char *to = line;
	int count = 0;

	for (const char *from = line; *from != '\0'; from++)
		if (*from != '`')
			*to++ = *from;
	*to = '\0';
	while (count < CELLS && (line = strstr(line, "| ")) != NULL) {
		char *end;

		line += 2;
		end = strstr(line, " |");
		if (end == NULL)
			break;
		*end = '\0';
		cells[count++] = line;
		line = end + 1;
	}
	return count == CELLS;
}

/* "a=1, b=2" as the list of a scenario. */
static void put_list(FILE *out, const char *words)
{
	fputs("{\"", out);
	for (; *words != '\0'; words++) {
		if (strncmp(words, ", ", 2) == 0) {
			fputs("\", \"", out);
			words++;
		} else {
			putc(*words, out);
		}
	}
	fputs("\"}", out);
}

/* "section.key" and its default as a line of a scenario. */
static void put_default(FILE *out, const char *key, const char *value)
{
	const char *dot = strchr(key, '.');

	if (dot != NULL)
		fprintf(out, "%.*s { %s = ", (int)(dot - key), key, dot + 1);
	else
		fprintf(out, "%s = ", key);
	if (strcmp(key, "load.handlers") == 0)
		put_list(out, value);
	else
		fputs(value, out);
	fputs(dot != NULL ? " }\n" : "\n", out);
}

/* Adds the rows of the table of keys that are for such a place; returns how many. */
static int put_defaults(FILE *out, const char *place)
{
	char *page = read_page();
	char *table = strstr(page, "| key | default | where | meaning |");
	char *rest = NULL;
	int count = 0;

	assert_non_null(table);
	for (char *line = strtok_r(table, "\n", &rest); line != NULL && line[0] == '|';
	     line = strtok_r(NULL, "\n", &rest)) {
		char *cells[CELLS];

		if (strchr(line, '`') == NULL || !split_row(line, cells) ||
		    strstr(cells[2], place) == NULL)
			continue;
		put_default(out, cells[0], cells[1]);
		count++;
		if (rest[0] == '\n')
			break;
	}
	free(page);
	return count;
}

static void assert_is_default(const struct plan_act *act)
{
	const struct plan_act *expected = &plan_default;

	assert_int_equal(act->jobs, expected->jobs);
	assert_int_equal(act->dispatchers, expected->dispatchers);
	assert_int_equal(act->for_ms, expected->for_ms);
	assert_int_equal(act->random_pairs, expected->random_pairs);
	assert_memory_equal(&act->intervals, &expected->intervals, sizeof(act->intervals));
	assert_memory_equal(act->load.weights, expected->load.weights, sizeof(act->load.weights));
	assert_int_equal(act->load.clients, expected->load.clients);
	assert_int_equal(act->load.rate, expected->load.rate);
	assert_int_equal(act->load.backlog, expected->load.backlog);
	assert_int_equal(act->load.batch, expected->load.batch);
	assert_int_equal(act->load.cancel_percent, expected->load.cancel_percent);
	assert_int_equal(act->load.work_ms, expected->load.work_ms);
}

static void every_default_on_the_page_is_the_default(void **state)
{
	struct error err = { ERROR_NONE, "", "" };
	struct plan plan = { 0 };
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	assert_true(put_defaults(out, "top") > 15);
	fputs("act \"one\" { faults = {\"dispatcher-killed\"} }\n", out);
	fclose(out);
	if (scenario_parse(&plan, "docs", "docs", text, &err) != 0)
		fail_msg("%s in\n%s", err.text, text);
	assert_int_equal(plan.act_count, 1);
	assert_is_default(&plan.acts[0]);
	assert_int_equal(plan.acts[0].stage, plan_default.stage);
	assert_int_equal(plan.seed, 0);
	assert_false(plan.endless);
	plan_fini(&plan);
	free(text);
}

/* What the parser takes is what stands in its source between these. */
static void every_key_is_on_the_page_and_in_the_manual(void **state)
{
	static const char *const MACROS[] = { "SCENARIO_VALUE(\"", "SCENARIO_LIST(\"" };
	char *source = read_file("tools/chaos/plan/scenario.c");
	char *manual = read_file("doc/man/locum-chaos.1.scd");
	char *page = read_page();
	int count = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (const char *at = source; (at = strstr(at, MACROS[i])) != NULL; count++) {
			char alone[64];
			char part[64];
			char term[64];
			int length;

			at += strlen(MACROS[i]);
			length = (int)strcspn(at, "\"");
			snprintf(alone, sizeof(alone), "| `%.*s` |", length, at);
			snprintf(part, sizeof(part), ".%.*s` |", length, at);
			snprintf(term, sizeof(term), "*%.*s*", length, at);
			if (strstr(page, alone) == NULL && strstr(page, part) == NULL)
				fail_msg("doc/chaos.md does not tell of %.*s", length, at);
			if (strstr(manual, term) == NULL)
				fail_msg("the manual does not tell of %.*s", length, at);
		}
	assert_true(count > 15);
	free(source);
	free(manual);
	free(page);
}

static void the_scenario_on_the_page_is_one(void **state)
{
	struct error err = { ERROR_NONE, "", "" };
	struct plan plan = { 0 };
	char *page = read_page();
	char *text = strstr(page, "```\n# A night");

	(void)state;
	assert_non_null(text);
	text += strlen("```\n");
	*strstr(text, "```") = '\0';
	if (scenario_parse(&plan, "night", "night.conf", text, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(plan.act_count, 2);
	plan_fini(&plan);
	free(page);
}

static void every_stage_and_every_invariant_is_on_the_page(void **state)
{
	char *page = read_page();
	char row[TEXT];

	(void)state;
	for (int kind = 0; kind < STAGE_KINDS; kind++) {
		snprintf(row, sizeof(row), "| `%s` | ", fault_stage_name((enum stage_kind)kind));
		assert_non_null(strstr(page, row));
	}
	for (enum verdict_invariant i = 0; i < VERDICT_INVARIANT_COUNT; i++) {
		snprintf(row, sizeof(row), "| %s %s | %s |\n", verdict_name(i), verdict_word(i),
			 words_invariant(i));
		if (strstr(page, row) == NULL)
			fail_msg("doc/chaos.md has no row %s", row);
	}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_on_the_page_is_the_default),
		cmocka_unit_test(every_key_is_on_the_page_and_in_the_manual),
		cmocka_unit_test(the_scenario_on_the_page_is_one),
		cmocka_unit_test(every_stage_and_every_invariant_is_on_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
