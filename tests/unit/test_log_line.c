#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log_line.h"

static const char FORGED[] = "x\r\n<0>forged error\x1b[2J\x7f\xc2\x9b \"q\" \\ back\xff\xc3\xa4";

static const struct log_line_style LOGFMT = { LOG_FORMAT_LOGFMT, "test", false };
static const struct log_line_style JSON = { LOG_FORMAT_JSON, "test", false };

/* The line, with a NUL in the place of its line break. */
static char *write_with(const struct log_line_style *style, const struct log_field *fields,
			unsigned count)
{
	static char line[LOG_LINE_BYTES];
	size_t length = log_line_write(line, style, LOG_LEVEL_WARNING, "a fact", count, fields);

	assert_true(length > 1 && length <= LOG_LINE_BYTES);
	assert_int_equal(line[length - 1], '\n');
	line[length - 1] = '\0';
	assert_int_equal(strlen(line), length - 1);
	for (const char *at = line; *at != '\0'; at++)
		assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
	return line;
}

static json_t *parse(const char *line)
{
	json_error_t error;
	json_t *root = json_loads(line, 0, &error);

	if (root == NULL)
		fail_msg("%s in %s", error.text, line);
	return root;
}

static const char *member(const json_t *root, const char *key)
{
	return json_string_value(json_object_get(root, key));
}

static void logfmt_is_time_program_level_message_and_pairs(void **state)
{
	const struct log_field fields[] = { log_number("n", -3), log_text("t", "a b"),
					    log_uuid("u", (struct uuid){ { 0 } }),
					    log_text("none", NULL) };
	const char *line = write_with(&LOGFMT, fields, 4);

	(void)state;
	assert_int_equal(line[4], '-');
	assert_string_equal(strchr(line, ' '), " test warning a fact n=-3 t=\"a b\" "
					       "u=00000000-0000-0000-0000-000000000000 none=\"\"");
}

static void json_is_an_object_with_the_same(void **state)
{
	const struct log_field fields[] = { log_number("n", INT64_MIN), log_text("t", "ä\t\"") };
	json_t *root = parse(write_with(&JSON, fields, 2));

	(void)state;
	assert_string_equal(member(root, "level"), "warning");
	assert_string_equal(member(root, "program"), "test");
	assert_string_equal(member(root, "message"), "a fact");
	assert_int_equal(strlen(member(root, "time")), strlen("2026-01-31T10:00:00.123Z"));
	assert_int_equal(json_integer_value(json_object_get(root, "n")), INT64_MIN);
	assert_string_equal(member(root, "t"), "ä\t\"");
	json_decref(root);
}

static void user_text_forges_no_line_and_moves_no_cursor(void **state)
{
	const struct log_field field = log_text("t", FORGED);
	const char *line = write_with(&LOGFMT, &field, 1);
	json_t *root;

	(void)state;
	assert_non_null(strstr(line, "t=\"x\\r\\n<0>forged error\\x1b[2J\\x7f\\xc2\\x9b \\\"q\\\" "
				     "\\\\ back\\xff\xc3\xa4\""));
	root = parse(write_with(&JSON, &field, 1));
	assert_string_equal(member(root, "t"),
			    "x\r\n<0>forged error\x1b[2J\x7f\\xc2\\x9b \"q\" \\ back\\xff\xc3\xa4");
	json_decref(root);
}

static void what_is_too_long_is_cut_and_the_line_stays_whole(void **state)
{
	enum { FIELDS = 40, LONG = 9000 };

	static const char PIECES[] = { 'a', '\x01', '"', '\xff', '\\' };
	struct log_field fields[FIELDS];
	char *text = malloc(LONG + 1);

	(void)state;
	assert_non_null(text);
	text[LONG] = '\0';
	for (size_t piece = 0; piece < sizeof(PIECES); piece++) {
		memset(text, PIECES[piece], LONG);
		for (unsigned count = 1; count <= FIELDS; count++) {
			fields[count - 1] = log_text("key", text + LONG - 41 * count);
			json_decref(parse(write_with(&JSON, fields, count)));
			assert_int_equal(write_with(&LOGFMT, fields, count)[0], '2');
		}
		fields[0] = log_text("key", text);
		json_decref(parse(write_with(&JSON, fields, 1)));
	}
	free(text);
}

static void journald_gets_the_priority_in_front_and_no_time(void **state)
{
	const struct log_line_style logfmt = { LOG_FORMAT_LOGFMT, "test", true };
	const struct log_line_style json = { LOG_FORMAT_JSON, "test", true };

	(void)state;
	assert_string_equal(write_with(&logfmt, NULL, 0), "<4>test warning a fact");
	assert_string_equal(
		write_with(&json, NULL, 0),
		"<4>{\"level\":\"warning\",\"program\":\"test\",\"message\":\"a fact\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_is_time_program_level_message_and_pairs),
		cmocka_unit_test(json_is_an_object_with_the_same),
		cmocka_unit_test(user_text_forges_no_line_and_moves_no_cursor),
		cmocka_unit_test(what_is_too_long_is_cut_and_the_line_stays_whole),
		cmocka_unit_test(journald_gets_the_priority_in_front_and_no_time),
	};

	return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}
