#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tools/locum/lines.h"

/* A file with this text, opened as lines; gone when they are closed. */
static void open_text(struct lines *lines, const char *text, size_t length)
{
	char path[] = "/tmp/locum-lines-XXXXXX";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, length), length);
	close(fd);
	assert_int_equal(lines_open(lines, path, -1, NULL), 0);
	unlink(path);
}

static void assert_next(struct lines *lines, const char *expected, int64_t number)
{
	const char *line;
	size_t length;

	assert_int_equal(lines_next(lines, &line, &length, NULL), 1);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(line, expected, length);
	assert_int_equal(lines->number, number);
}

static void assert_end(struct lines *lines)
{
	const char *line;
	size_t length;

	assert_int_equal(lines_next(lines, &line, &length, NULL), 0);
	assert_true(lines->ended);
}

static void lines_come_in_order_with_their_numbers(void **state)
{
	static const char TEXT[] = "one\n\n \t\r\ntwo\r\nthree";
	struct lines lines;

	(void)state;
	open_text(&lines, TEXT, strlen(TEXT));
	assert_next(&lines, "one", 1);
	assert_next(&lines, "two\r", 4);
	assert_next(&lines, "three", 5);
	assert_end(&lines);
	lines_close(&lines);
}

static void an_empty_file_has_no_line(void **state)
{
	struct lines lines;

	(void)state;
	open_text(&lines, "", 0);
	assert_end(&lines);
	lines_close(&lines);
}

static void a_line_of_the_limit_is_read_and_one_byte_more_is_refused(void **state)
{
	char *text = malloc(LIMIT_LINE_BYTES + 2);
	struct lines lines;
	const char *line;
	size_t length;
	struct error err;

	(void)state;
	memset(text, 'x', LIMIT_LINE_BYTES + 2);
	text[LIMIT_LINE_BYTES] = '\n';
	open_text(&lines, text, LIMIT_LINE_BYTES + 1);
	assert_int_equal(lines_next(&lines, &line, &length, NULL), 1);
	assert_int_equal(length, LIMIT_LINE_BYTES);
	lines_close(&lines);
	text[LIMIT_LINE_BYTES] = 'x';
	open_text(&lines, text, LIMIT_LINE_BYTES + 1);
	assert_int_equal(lines_next(&lines, &line, &length, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_non_null(strstr(err.text, "line 1"));
	lines_close(&lines);
	free(text);
}

static void bytes_that_are_no_text_are_refused_with_their_place(void **state)
{
	struct lines lines;
	const char *line;
	size_t length;
	struct error err;

	(void)state;
	open_text(&lines, "ok\nab\0c\n", 8);
	assert_next(&lines, "ok", 1);
	assert_int_equal(lines_next(&lines, &line, &length, &err), -1);
	assert_non_null(strstr(err.text, "line 2"));
	assert_non_null(strstr(err.text, "byte 3 is 0x00"));
	lines_close(&lines);
}

static void a_file_can_be_read_again_from_a_line(void **state)
{
	static const char TEXT[] = "one\ntwo\nthree\n";
	struct lines lines;
	int64_t number;
	int64_t offset;

	(void)state;
	open_text(&lines, TEXT, strlen(TEXT));
	assert_next(&lines, "one", 1);
	number = lines.number;
	offset = lines.offset;
	assert_next(&lines, "two", 2);
	assert_next(&lines, "three", 3);
	assert_end(&lines);
	assert_int_equal(lines_seek(&lines, number, offset, NULL), 0);
	assert_next(&lines, "two", 2);
	assert_next(&lines, "three", 3);
	assert_end(&lines);
	lines_close(&lines);
}

static void a_stop_ends_the_lines_between_two_of_them(void **state)
{
	struct lines lines;
	int stop[2];
	int input[2];

	(void)state;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(pipe(input), 0);
	assert_int_equal(lines_open(&lines, "-", stop[0], NULL), 0);
	lines.fd = input[0];
	assert_int_equal(write(input[1], "one\nha", 6), 6);
	assert_next(&lines, "one", 1);
	assert_int_equal(write(stop[1], "!", 1), 1);
	assert_end(&lines);
	assert_true(lines.stopped);
	lines_close(&lines);
	close(input[1]);
	close(stop[0]);
	close(stop[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_order_with_their_numbers),
		cmocka_unit_test(an_empty_file_has_no_line),
		cmocka_unit_test(a_line_of_the_limit_is_read_and_one_byte_more_is_refused),
		cmocka_unit_test(bytes_that_are_no_text_are_refused_with_their_place),
		cmocka_unit_test(a_file_can_be_read_again_from_a_line),
		cmocka_unit_test(a_stop_ends_the_lines_between_two_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
