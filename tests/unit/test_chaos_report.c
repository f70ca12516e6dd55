/* Reports are made of a run's folder, also of one that was cut off. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "tools/chaos/history/facts.h"
#include "tools/chaos/judge/verdict.h"
#include "tools/chaos/report/report.h"

enum { PATH_SIZE = 256 };

#define LIFE "00000000-0000-4000-8000-000000000001"
#define SIBLING "00000000-0000-4000-8000-000000000002"
#define CLAIM "00000000-0000-4000-8000-0000000000c1"

struct folder {
	char path[PATH_SIZE];
	char *text;
};

static void put(const struct folder *folder, const char *name, const char *text)
{
	char path[PATH_SIZE * 2];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void put_verdict(const struct folder *folder, const char *name,
			const struct verdict *verdict)
{
	char path[PATH_SIZE * 2];
	struct error err = { ERROR_NONE, "", "" };

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(verdict_write(verdict, path, &err), 0);
}

/* A run of one act: a dispatcher is killed and its sibling takes its jobs. */
static void put_act(const struct folder *folder)
{
	char path[PATH_SIZE * 2];

	snprintf(path, sizeof(path), "%s/01-kills", folder->path);
	assert_int_equal(mkdir(path, 0700), 0);
	put(folder, "run", "suite=quick\nseed=42\n");
	put(folder, "01-kills/act", "name=kills\nstage=plain\ndispatchers=2\n");
	put(folder, "01-kills/nemesis.log",
	    "1000000 begin 42\n1000000 clock 5000000 5000000\n"
	    "2000000 inject 1 dispatcher-killed 0\n2000100 witness 1 process 7 is <gone>\n"
	    "5000000 heal 1\n6000000 settled 1\n7000000 skip disk-full no tmpfs here\n"
	    "9000000 drained 2\n9000000 end\n");
	put(folder, "01-kills/worker-0.log",
	    "1000000 register " LIFE " " LIFE " 7\n1500000 claim " LIFE " " CLAIM " 1:1 2:1\n");
	put(folder, "01-kills/worker-1.log",
	    "1000000 register " SIBLING " " SIBLING " 8\n4500000 claim " SIBLING " " CLAIM
	    " 1:2 2:2\n5000000 answer " CLAIM " 1:accepted 2:mine\n9000000 stop " SIBLING "\n");
	put(folder, "01-kills/database.log",
	    "8300000 dead " LIFE " 2300000 2000000 " SIBLING " 9\n8400000 back 1 90 " CLAIM
	    " 1 " LIFE " pending\n");
}

static struct verdict good_verdict(void)
{
	struct verdict verdict = { .valid = VERDICT_VALID,
				   .attempted = 1234567,
				   .acknowledged = 1234567,
				   .ended = 1234567,
				   .reclaim_max_ms = 2412,
				   .fault_count = 1 };

	snprintf(verdict.faults[0].name, sizeof(verdict.faults[0].name), "dispatcher-killed");
	verdict.faults[0].injected = 1;
	verdict.faults[0].witnessed = 1;
	return verdict;
}

static void put_good_run(const struct folder *folder)
{
	struct verdict verdict = good_verdict();

	put_act(folder);
	put_verdict(folder, "01-kills", &verdict);
	put_verdict(folder, "", &verdict);
}

static int open_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	assert_non_null(folder);
	snprintf(folder->path, sizeof(folder->path), "/tmp/locum-report-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	*state = folder;
	return 0;
}

static int take_away(const char *path, const struct stat *about, int type, struct FTW *walk)
{
	(void)about;
	(void)type;
	(void)walk;
	return remove(path);
}

static int close_folder(void **state)
{
	struct folder *folder = *state;

	nftw(folder->path, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(folder->text);
	free(folder);
	return 0;
}

/* The text is the folder's. */
static const char *as_text(struct folder *folder, int width)
{
	struct error err = { ERROR_NONE, "", "" };
	size_t size;
	FILE *out;

	free(folder->text);
	out = open_memstream(&folder->text, &size);
	assert_non_null(out);
	assert_int_equal(report_text(out, folder->path, NULL, width, &err), 0);
	fclose(out);
	return folder->text;
}

static const char *as_page(struct folder *folder)
{
	struct error err = { ERROR_NONE, "", "" };
	char path[PATH_SIZE * 2];
	size_t size = 0;
	FILE *page;

	assert_int_equal(report_html(folder->path, &err), 0);
	snprintf(path, sizeof(path), "%s/report.html", folder->path);
	page = fopen(path, "re");
	assert_non_null(page);
	free(folder->text);
	folder->text = NULL;
	assert_true(getdelim(&folder->text, &size, '\0', page) > 0);
	fclose(page);
	return folder->text;
}

#define assert_has(text, part) assert_non_null(strstr(text, part))
#define assert_has_not(text, part) assert_null(strstr(text, part))

static void the_text_begins_with_the_verdict(void **state)
{
	struct folder *folder = *state;
	const char *text;

	put_good_run(folder);
	text = as_text(folder, 80);
	assert_int_equal(strncmp(text, "Valid: 1,234,567 acknowledged jobs", 34), 0);
	assert_has(text, "2.4 s at most");
	assert_has(text, "nothing that was seen breaks any of them");
	assert_has(text, "dispatcher-killed");
	assert_has(text, "no tmpfs here");
	assert_has(text, "suite quick, seed 42, 1 act, in ");
}

static void what_a_failover_lost_is_told_with_the_verdict(void **state)
{
	struct folder *folder = *state;
	struct verdict verdict = good_verdict();

	for (int64_t job = 1; job <= 33; job++)
		verdict_lose(&verdict, job * 1000000);
	verdict.completions_lost = 7;
	put_act(folder);
	put_verdict(folder, "01-kills", &verdict);
	put_verdict(folder, "", &verdict);
	assert_has_not(as_text(folder, 200), "none was lost");
	assert_has(as_text(folder, 200), "lost by failovers that may lose: 33 jobs");
	assert_has(as_text(folder, 400), "(the first: 1000000 2000000 ");
	assert_has(as_text(folder, 400), ", and 7 accepted completions.");
}

static void the_text_is_no_wider_than_the_terminal(void **state)
{
	struct folder *folder = *state;
	const char *text;

	put_good_run(folder);
	for (text = as_text(folder, 60); *text != '\0'; text += strspn(text, "\n")) {
		size_t length = strcspn(text, "\n");
		bool is_path = strstr(text, folder->path) != NULL && length > 60;

		/* Some characters of a line are longer than a byte. */
		assert_true(length <= 70 || is_path);
		text += length;
	}
}

static void verdicts_that_are_given_take_the_place_of_those_in_the_folder(void **state)
{
	struct folder *folder = *state;
	struct verdict_run *judged = calloc(1, sizeof(*judged));
	char text[4096] = "";
	struct error err;
	FILE *out;

	put_good_run(folder);
	judged->whole = good_verdict();
	judged->whole.valid = VERDICT_UNKNOWN;
	snprintf(judged->whole.why, sizeof(judged->whole.why), "effect.log has no end");
	out = fmemopen(text, sizeof(text), "w");
	assert_int_equal(report_text(out, folder->path, judged, 200, &err), 0);
	fclose(out);
	verdict_run_free(judged);
	assert_has(text, "Unknown: effect.log has no end.");
	assert_int_equal(strncmp(as_text(folder, 80), "Valid: ", 7), 0);
}

static void the_folder_of_one_act_is_reported_too(void **state)
{
	struct folder *folder = *state;
	char path[PATH_SIZE * 2];
	char text[4096] = "";
	struct error err;
	FILE *out = fmemopen(text, sizeof(text), "w");

	put_good_run(folder);
	snprintf(path, sizeof(path), "%s/01-kills", folder->path);
	assert_int_equal(report_text(out, path, NULL, 200, &err), 0);
	fclose(out);
	assert_has(text, "1 act, in ");
}

static void what_is_broken_is_named_with_examples(void **state)
{
	struct folder *folder = *state;
	struct verdict verdict = good_verdict();
	const char *text;

	verdict.valid = VERDICT_INVALID;
	snprintf(verdict.why, sizeof(verdict.why), "job 7 was accepted twice");
	verdict_violate(&verdict, VERDICT_S1, "job 7 by two claims");
	put_act(folder);
	put_verdict(folder, "01-kills", &verdict);
	put_verdict(folder, "", &verdict);
	text = as_text(folder, 80);
	assert_int_equal(strncmp(text, "Invalid: Job 7 was accepted twice.", 34), 0);
	assert_has(text, "S1 accept-once    BROKEN (1 seen): a job was accepted more than once");
	assert_has(text, "job 7 by two claims");
	assert_has(as_page(folder), "<li>job 7 by two claims</li>");
}

static void a_run_that_was_cut_off_is_unknown(void **state)
{
	struct folder *folder = *state;

	put_act(folder);
	assert_has(as_text(folder, 80), "Unknown: The act \"kills\" was not judged.");
}

static void a_folder_without_a_run_is_refused(void **state)
{
	struct folder *folder = *state;
	struct error err = { ERROR_NONE, "", "" };

	assert_int_equal(report_text(stdout, folder->path, NULL, 80, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_has(err.text, "holds no run of locum chaos");
	assert_int_equal(report_text(stdout, "/nonexistent", NULL, 80, &err), -1);
	assert_has(err.text, "/nonexistent: No such file or directory");
}

static void programs_get_all_of_it_as_json(void **state)
{
	struct folder *folder = *state;
	struct error err = { ERROR_NONE, "", "" };
	size_t size;
	FILE *out;
	json_t *root;
	const json_t *act;

	put_good_run(folder);
	out = open_memstream(&folder->text, &size);
	assert_int_equal(report_json(out, folder->path, NULL, &err), 0);
	fclose(out);
	root = json_loads(folder->text, 0, NULL);
	assert_non_null(root);
	assert_true(json_is_true(json_object_get(root, "valid")));
	act = json_array_get(json_object_get(root, "acts"), 0);
	assert_string_equal(json_string_value(json_object_get(act, "name")), "kills");
	act = json_array_get(json_object_get(act, "bouts"), 0);
	assert_string_equal(json_string_value(json_object_get(act, "witness")),
			    "process 7 is <gone>");
	assert_int_equal(json_integer_value(json_object_get(act, "healed_ms")), 4000);
	json_decref(root);
}

static void the_page_shows_the_time_line_and_needs_nothing_else(void **state)
{
	struct folder *folder = *state;
	const char *page;

	put_good_run(folder);
	page = as_page(folder);
	assert_has(page, "<h1>Valid</h1>");
	assert_has(page, "<title>1: dispatcher-killed, from 1.0 s to 4.0 s</title>");
	assert_has(page, "<title>declared dead at 3.3 s</title>");
	assert_has(page, "<title>1 jobs were taken from the dead</title>");
	assert_has(page, "process 7 is &lt;gone&gt;");
	assert_has_not(page, "<gone>");
	assert_has_not(page, "<script");
	assert_has_not(page, "http");
	assert_has_not(page, "src=");
}

static void lanes_of_the_fleet_stand_before_those_of_who_was_there_besides(void **state)
{
	struct folder *folder = *state;
	const char *page;

	put_good_run(folder);
	put(folder, "01-kills/worker-b1-0.log", "1000000 register " LIFE " " LIFE " 9\n");
	put(folder, "01-kills/worker-d1.log", "1000000 register " LIFE " " LIFE " 9\n");
	page = as_page(folder);
	assert_has(page, ">b1-0</text>");
	assert_has(page, ">d1</text>");
	assert_true(strstr(page, ">d1</text>") < strstr(page, ">b1-0</text>"));
	assert_has(page, "<td class=\"name\">dispatcher-killed</td><td>d1</td>");
}

static void a_history_that_is_cut_is_shown_as_far_as_it_goes(void **state)
{
	struct folder *folder = *state;
	const char *page;

	put_good_run(folder);
	put(folder, "01-kills/worker-0.log",
	    "1000000 register " LIFE " " LIFE " 7\n1500000 claim " LIFE " " CLAIM " 1:1\n1600");
	page = as_page(folder);
	assert_has(page, "<title>life 00000000…, from 0.0 s to 0.5 s, declared dead</title>");
}

static void settings_that_are_none_are_told_by_file_and_line(void **state)
{
	struct folder *folder = *state;
	struct error err = { ERROR_NONE, "", "" };
	char expected[PATH_SIZE * 2];

	put(folder, "run", "suite=quick\nnonsense\n");
	assert_null(facts_read(folder->path, "run", &err));
	snprintf(expected, sizeof(expected), "%s/run:2: the line is not NAME=VALUE", folder->path);
	assert_string_equal(err.text, expected);
}

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(the_text_begins_with_the_verdict),
		FOLDER_TEST(what_a_failover_lost_is_told_with_the_verdict),
		FOLDER_TEST(the_text_is_no_wider_than_the_terminal),
		FOLDER_TEST(verdicts_that_are_given_take_the_place_of_those_in_the_folder),
		FOLDER_TEST(the_folder_of_one_act_is_reported_too),
		FOLDER_TEST(what_is_broken_is_named_with_examples),
		FOLDER_TEST(a_run_that_was_cut_off_is_unknown),
		FOLDER_TEST(a_folder_without_a_run_is_refused),
		FOLDER_TEST(programs_get_all_of_it_as_json),
		FOLDER_TEST(the_page_shows_the_time_line_and_needs_nothing_else),
		FOLDER_TEST(lanes_of_the_fleet_stand_before_those_of_who_was_there_besides),
		FOLDER_TEST(a_history_that_is_cut_is_shown_as_far_as_it_goes),
		FOLDER_TEST(settings_that_are_none_are_told_by_file_and_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
