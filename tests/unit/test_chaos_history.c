#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/chaos/history/history.h"
#include "tools/chaos/history/seal.h"
#include "tools/chaos/judge/verdict.h"

struct scene {
	char folder[64];
	struct history_reader *reader;
	int64_t at_us;
	char **words;
	size_t count;
	struct error err;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	snprintf(scene->folder, sizeof(scene->folder), "/tmp/locum-history.XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	static const char *const NAMES[] = { "a.log", "verdict.json" };
	char path[128];

	history_reader_close(scene->reader);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", scene->folder, NAMES[i]);
		unlink(path);
	}
	rmdir(scene->folder);
	free(scene);
	return 0;
}

static void store(struct scene *scene, const char *text, size_t length)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/a.log", scene->folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), (ssize_t)length);
	close(fd);
	scene->reader = history_reader_open(scene->folder, "a.log", &scene->err);
	assert_non_null(scene->reader);
}

static int next(struct scene *scene)
{
	return history_reader_next(scene->reader, &scene->at_us, &scene->words, &scene->count,
				   &scene->err);
}

static void what_is_written_is_read(void **state)
{
	struct scene *scene = *state;
	struct history history;

	assert_int_equal(history_open(&history, scene->folder, "a.log", &scene->err), 0);
	history_write(&history, "inject %d %s -", 7, "dispatcher-killed");
	history_write(&history, "witness 7 two  words\nand a line");
	history_close(&history);
	scene->reader = history_reader_open(scene->folder, "a.log", &scene->err);
	assert_int_equal(next(scene), 1);
	assert_true(scene->at_us > 0 && scene->at_us <= history_now_us());
	assert_int_equal(scene->count, 4);
	assert_string_equal(scene->words[2], "dispatcher-killed");
	assert_null(scene->words[4]);
	assert_int_equal(next(scene), 1);
	assert_int_equal(scene->count, 3);
	assert_string_equal(scene->words[2], "two  words and a line");
	assert_int_equal(next(scene), 1);
	assert_string_equal(scene->words[0], "closed");
	assert_string_equal(scene->words[1], "2");
	assert_int_equal(next(scene), 0);
	assert_int_equal(history_reader_line(scene->reader), 3);
}

static void a_record_of_ten_thousand_jobs_is_one_line(void **state)
{
	struct scene *scene = *state;
	struct history history;
	enum { JOBS = 10000, WORD = 16 };
	char *jobs = calloc(JOBS, WORD);

	for (int i = 0; i < JOBS; i++)
		snprintf(jobs + strlen(jobs), WORD, " %d", i);
	assert_int_equal(history_open(&history, scene->folder, "a.log", &scene->err), 0);
	history_write(&history, "ok request%s", jobs);
	history_close(&history);
	free(jobs);
	scene->reader = history_reader_open(scene->folder, "a.log", &scene->err);
	assert_int_equal(next(scene), 1);
	assert_int_equal(scene->count, JOBS + 2);
	assert_string_equal(scene->words[JOBS + 1], "9999");
}

static void put(const struct scene *scene, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_text(const struct scene *scene, const char *name, const char *text)
{
	char found[256] = "";
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	file = fopen(path, "re");
	assert_non_null(file);
	found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
	fclose(file);
	unlink(path);
	assert_string_equal(found, text);
}

static void what_the_killed_wrote_is_ended_unless_it_is_cut(void **state)
{
	struct scene *scene = *state;

	put(scene, "worker-a.log", "1 ping 1\n2 acked 1\n");
	put(scene, "worker-b.log", "1 ping 1\n2 ack");
	put(scene, "worker-c.log", "");
	put(scene, "effect.log", "1 begin 1 c 1 5\n");
	put(scene, "client-1.log", "1 submit R 1\n");
	assert_int_equal(seal_files(scene->folder, &scene->err), 0);
	assert_text(scene, "worker-a.log", "1 ping 1\n2 acked 1\n0 closed 2\n");
	assert_text(scene, "worker-b.log", "1 ping 1\n2 ack");
	assert_text(scene, "worker-c.log", "0 closed 0\n");
	assert_text(scene, "effect.log", "1 begin 1 c 1 5\n0 closed 1\n");
	assert_text(scene, "client-1.log", "1 submit R 1\n");
}

static void a_cut_line_is_no_record(void **state)
{
	struct scene *scene = *state;

	store(scene, "1 acked 5\n2 acked", 17);
	assert_int_equal(next(scene), 1);
	assert_int_equal(next(scene), -1);
	assert_string_equal(scene->err.text, "a.log:2: the line is cut");
}

static void lines_that_are_no_records_are_refused(void **state)
{
	struct scene *scene = *state;
	static const char *const WRONG[] = {
		"acked 5\n",
		"1\n",
		"1 \n",
		"1  acked\n",
		"1 acked  5\n",
		"x acked 5\n",
		"99999999999999999999 acked 5\n",
		"1 acked 5 \n",
		"\n",
	};

	for (size_t i = 0; i < sizeof(WRONG) / sizeof(*WRONG); i++) {
		store(scene, WRONG[i], strlen(WRONG[i]));
		assert_int_equal(next(scene), -1);
		history_reader_close(scene->reader);
	}
	store(scene, "1 acked\0 5\n", 11);
	assert_int_equal(next(scene), -1);
}

static void a_missing_file_is_named(void **state)
{
	struct scene *scene = *state;

	assert_null(history_reader_open(scene->folder, "none.log", &scene->err));
	assert_non_null(strstr(scene->err.text, "none.log"));
}

static void a_verdict_comes_back_as_it_was_written(void **state)
{
	struct scene *scene = *state;
	struct verdict verdict = { .valid = VERDICT_UNKNOWN, .why = "no \"witness\"", .lost = 3 };
	struct verdict again;

	for (int i = 0; i < VERDICT_EXAMPLES + 2; i++)
		verdict_violate(&verdict, VERDICT_S2, "job %d", i);
	verdict.faults[0] = (struct verdict_fault){ .name = "dispatcher-killed", .injected = 2 };
	verdict.fault_count = 1;
	assert_int_equal(verdict_write(&verdict, scene->folder, &scene->err), 0);
	assert_int_equal(verdict_read(&again, scene->folder, &scene->err), 0);
	assert_memory_equal(&verdict, &again, sizeof(verdict));
	assert_int_equal(again.of[VERDICT_S2].count, VERDICT_EXAMPLES + 2);
	assert_string_equal(verdict_name(VERDICT_S2), "S2");
	assert_string_equal(verdict_word(VERDICT_S2), "fence");
}

static void a_run_is_as_good_as_its_worst_act(void **state)
{
	struct verdict whole = { .valid = VERDICT_VALID };
	struct verdict unknown = { .valid = VERDICT_UNKNOWN, .why = "cut", .ended = 4 };
	struct verdict invalid = { .valid = VERDICT_INVALID, .why = "S1", .ended = 2 };

	(void)state;
	unknown.faults[unknown.fault_count++] = (struct verdict_fault){ .name = "a",
									.injected = 1 };
	invalid.faults[invalid.fault_count++] = (struct verdict_fault){ .name = "a",
									.injected = 2 };
	verdict_add(&whole, &unknown);
	assert_int_equal(whole.valid, VERDICT_UNKNOWN);
	verdict_add(&whole, &invalid);
	verdict_add(&whole, &unknown);
	assert_int_equal(whole.valid, VERDICT_INVALID);
	assert_string_equal(whole.why, "S1");
	assert_int_equal(whole.ended, 10);
	assert_int_equal(whole.fault_count, 1);
	assert_int_equal(whole.faults[0].injected, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_record_of_ten_thousand_jobs_is_one_line, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_the_killed_wrote_is_ended_unless_it_is_cut,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cut_line_is_no_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_that_are_no_records_are_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_missing_file_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_verdict_comes_back_as_it_was_written, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_run_is_as_good_as_its_worst_act, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
