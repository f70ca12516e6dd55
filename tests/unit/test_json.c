#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/json_write.h"

enum { MUTATIONS = 200000, TEXT_MAX = 256, BUFFER_MAX = 1024 * 1024 };

static struct json_span span(const char *text)
{
	return (struct json_span){ text, strlen(text) };
}

static bool is_json(const char *text)
{
	struct json_span value;

	return json_scan_value(span(text), &value, NULL) == 0;
}

static void assert_span(struct json_span found, const char *wanted)
{
	assert_non_null(found.bytes);
	assert_int_equal(found.length, strlen(wanted));
	assert_memory_equal(found.bytes, wanted, found.length);
}

/* --- what is JSON ------------------------------------------------------------------------------ */

static const char *const GOOD[] = {
	"null",
	"true",
	" false ",
	"0",
	"-0",
	"-12.5e+3",
	"1E-9",
	"\"\"",
	"\"a\\u00e4\\n\\\\\\/\\\"\"",
	"\"\xc3\xa4\xf0\x9f\x98\x80\x7f\"",
	"[]",
	"{}",
	" [ ] ",
	"{ }",
	"[1,[2,{\"a\":[]}],{}]",
	"{\"a\":1,\"b\":{\"c\":null},\"\":[0]}",
	"\t\r\n{\"a\"\n:\r1\t}\n",
	"{\"a\":1,\"a\":2}",
	"\"\\ud800\"",
	"\"\\u0000\"",
};

static const char *const BAD[] = {
	"",
	" ",
	"nul",
	"nulll",
	"True",
	"01",
	"1.",
	".5",
	"+1",
	"-",
	"1e",
	"1e+",
	"0x1",
	"NaN",
	"\"",
	"\"a",
	"\"\\",
	"\"\\x\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\n\"",
	"\"\t\"",
	"'a'",
	"[",
	"[1",
	"[1,",
	"[1,]",
	"[,1]",
	"[1 2]",
	"]",
	"{",
	"{\"a\"",
	"{\"a\":",
	"{\"a\":1",
	"{\"a\":1,}",
	"{\"a\" 1}",
	"{a:1}",
	"{1:1}",
	"{,}",
	"}",
	"[}",
	"{]",
	"[1}",
	"{\"a\":1]",
	"1 2",
	"{} {}",
	"//",
	"\xff",
	"\"\xff\"",
	"\"\xc3\"",
	"\"\xed\xa0\x80\"",
	"\"\xc0\x80\"",
	"\xef\xbb\xbf{}",
	"{\"a\":}",
};

static void good_texts_are_accepted_and_bad_ones_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
		if (!is_json(GOOD[i]))
			fail_msg("refused: %s", GOOD[i]);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		if (is_json(BAD[i]))
			fail_msg("accepted: %s", BAD[i]);
}

static void a_fault_is_named_with_its_place(void **state)
{
	struct json_span value = { "kept", 4 };
	struct error err;

	(void)state;
	assert_int_equal(json_scan_value(span("{\"a\": 1 2}"), &value, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_string_equal(err.text, "no JSON: no comma and no end behind a value at byte 9");
	assert_span(value, "kept");
}

static char *nested(int levels)
{
	char *text = malloc(2 * (size_t)levels + 1);

	memset(text, '[', (size_t)levels);
	memset(text + levels, ']', (size_t)levels);
	text[2 * levels] = '\0';
	return text;
}

static void levels_are_limited(void **state)
{
	char *most = nested(JSON_SCAN_DEPTH);
	char *more = nested(JSON_SCAN_DEPTH + 1);
	char *many = nested(10 * 1000 * 1000);

	(void)state;
	assert_true(is_json(most));
	assert_false(is_json(more));
	assert_false(is_json(many));
	free(most);
	free(more);
	free(many);
}

static void a_member_may_have_more_levels_where_that_is_allowed(void **state)
{
	struct json_member members[] = { { .name = "a", .may_be_deep = true }, { .name = "b" } };
	char *more = nested(JSON_SCAN_DEPTH + 1);
	char *text;
	int length = asprintf(&text, "{\"a\":[1],\"x\":%s,\"b\":2}", more);

	(void)state;
	assert_int_equal(
		json_scan_object((struct json_span){ text, (size_t)length }, members, 2, NULL), 0);
	assert_false(members[0].is_deep);
	free(text);
	length = asprintf(&text, "{\"b\":2,\"a\":%s}", more);
	assert_int_equal(
		json_scan_object((struct json_span){ text, (size_t)length }, members, 2, NULL), 0);
	assert_true(members[0].is_deep);
	assert_int_equal(members[0].value.length, strlen(more));
	/* No end is found where brackets are missing. */
	assert_int_equal(
		json_scan_object((struct json_span){ text, (size_t)length - 2 }, members, 2, NULL),
		-1);
	free(text);
	length = asprintf(&text, "{\"b\":%s}", more);
	assert_int_equal(
		json_scan_object((struct json_span){ text, (size_t)length }, members, 2, NULL), -1);
	free(text);
	free(more);
}

static void nul_bytes_are_refused(void **state)
{
	struct json_span value;

	(void)state;
	assert_int_equal(json_scan_value((struct json_span){ "1\0", 2 }, &value, NULL), -1);
	assert_int_equal(json_scan_value((struct json_span){ "\"\0\"", 3 }, &value, NULL), -1);
	assert_int_equal(json_scan_value((struct json_span){ "\"\\\0\"", 4 }, &value, NULL), -1);
}

/* --- its parts --------------------------------------------------------------------------------- */

static void members_are_found_byte_for_byte(void **state)
{
	struct json_member members[] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };

	(void)state;
	assert_int_equal(json_scan_object(span(" { \"x\" : {\"a\":0} , \"b\" :\t[1, 2 ] ,"
					       "\"\\u0061\":\"}\\\"\"} "),
					  members, 3, NULL),
			 0);
	assert_span(members[0].value, "\"}\\\"\"");
	assert_span(members[1].value, "[1, 2 ]");
	assert_null(members[2].value.bytes);
}

static void an_object_is_asked_for_and_each_member_once(void **state)
{
	struct json_member member = { .name = "a" };

	(void)state;
	assert_int_equal(json_scan_object(span("[]"), &member, 1, NULL), -1);
	assert_int_equal(json_scan_object(span("{\"a\":1,\"a\":1}"), &member, 1, NULL), -1);
	assert_int_equal(json_scan_object(span("{\"b\":1,\"b\":1}"), &member, 1, NULL), 0);
	assert_int_equal(json_scan_object(span("{\"a\":1} x"), &member, 1, NULL), -1);
	assert_int_equal(json_scan_object(span("{\"a\":1,}"), &member, 1, NULL), -1);
}

static void values_are_read_only_as_what_they_are(void **state)
{
	int64_t whole = 7;
	double number = 7;
	bool truth = false;

	(void)state;
	assert_true(json_scan_int(span("-9223372036854775808"), &whole));
	assert_true(whole == INT64_MIN);
	assert_false(json_scan_int(span("9223372036854775808"), &whole));
	assert_false(json_scan_int(span("1.0"), &whole));
	assert_false(json_scan_int(span("\"1\""), &whole));
	assert_false(json_scan_int((struct json_span){ NULL, 0 }, &whole));
	assert_true(json_scan_number(span("1.5e1"), &number));
	assert_true(number > 14.9 && number < 15.1);
	assert_false(json_scan_number(span("true"), &number));
	assert_true(json_scan_bool(span("true"), &truth) && truth);
	assert_false(json_scan_bool(span("null"), &truth));
	assert_true(json_scan_is_null(span("null")));
	assert_true(json_text_is(span("\"a\\u0062\""), "ab"));
	assert_false(json_text_is(span("\"ab\""), "abc"));
	assert_false(json_text_is(span("\"a\\u0000\""), "a"));
}

static void assert_text(const char *json, const char *wanted, size_t length)
{
	size_t found;
	char *text = json_text_decode(span(json), &found);

	assert_non_null(text);
	assert_int_equal(found, length);
	assert_memory_equal(text, wanted, length + 1);
	free(text);
}

static void texts_are_decoded(void **state)
{
	size_t length;

	(void)state;
	assert_text("\"\"", "", 0);
	assert_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	assert_text("\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"",
		    "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10);
	assert_text("\"\\ud83dx\\ude00\\ud83d\"", "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd", 10);
	assert_text("\"a\\u0000b\"", "a\0b", 3);
	assert_null(json_text_decode(span("1"), &length));
}

/* --- writing ----------------------------------------------------------------------------------- */

static void assert_line(const char *json, const char *wanted)
{
	struct buffer out;

	buffer_init(&out, BUFFER_MAX);
	assert_int_equal(json_write_line(&out, json, strlen(json), NULL), 0);
	assert_span((struct json_span){ buffer_bytes(&out), buffer_length(&out) }, wanted);
	buffer_free(&out);
}

static void line_breaks_between_tokens_become_spaces_and_nothing_else_changes(void **state)
{
	(void)state;
	assert_line("{\"a\":1}", "{\"a\":1}");
	assert_line("\r\n{\n\"a\"\r:\n[1,\n2]}\n", "  { \"a\" : [1, 2]} ");
	assert_line("{\"a\\\"\\\\\\n\":\n\"b \\\\\"}", "{\"a\\\"\\\\\\n\": \"b \\\\\"}");
	assert_line("\"\\\\\"\n", "\"\\\\\" ");
}

static void a_line_break_in_a_string_is_no_json(void **state)
{
	static const char *const LINES[] = { "\"a\nb\"", "{\n\"a\rb\":1}", "\"\\\n\"", "\"a\n" };
	struct buffer out;

	(void)state;
	buffer_init(&out, BUFFER_MAX);
	assert_int_equal(buffer_append(&out, "kept", 4, NULL), 0);
	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
		assert_int_equal(json_write_line(&out, LINES[i], strlen(LINES[i]), NULL), -1);
	assert_int_equal(buffer_length(&out), 4);
	buffer_free(&out);
}

static void a_written_text_is_read_back(void **state)
{
	static const char TEXT[] = "a\"\\\n\r\t\x01\x7f\xc3\xa4/";
	struct buffer out;
	struct json_span value;
	size_t length;
	char *text;

	(void)state;
	buffer_init(&out, BUFFER_MAX);
	assert_int_equal(json_write_text(&out, TEXT, sizeof(TEXT) - 1, NULL), 0);
	value = (struct json_span){ buffer_bytes(&out), buffer_length(&out) };
	assert_int_equal(json_scan_value(value, &value, NULL), 0);
	text = json_text_decode(value, &length);
	assert_int_equal(length, sizeof(TEXT) - 1);
	assert_memory_equal(text, TEXT, length);
	free(text);
	buffer_free(&out);
}

/* --- mutations, against another reader ---------------------------------------------------------- */

static uint32_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static size_t mutate(char text[static TEXT_MAX], uint64_t *seed)
{
	static const char PIECES[] = "{}[]\",:\\u0eE+-.01 \n\ttrufalsn\xc3\xa4\xff";
	const char *start = GOOD[draw(seed) % (sizeof(GOOD) / sizeof(GOOD[0]))];
	size_t length = strlen(start);

	memcpy(text, start, length);
	for (uint32_t i = draw(seed) % 4; i > 0 && length > 0; i--)
		text[draw(seed) % length] = PIECES[draw(seed) % (sizeof(PIECES) - 1)];
	for (uint32_t i = draw(seed) % 3; i > 0 && length + 1 < TEXT_MAX; i--) {
		size_t at = draw(seed) % (length + 1);

		memmove(text + at + 1, text + at, length - at);
		text[at] = PIECES[draw(seed) % (sizeof(PIECES) - 1)];
		length++;
	}
	return length;
}

/* What jansson minds and JSON does not: halves of pairs, NUL, numbers that fit no type. */
static bool is_scruple(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || strstr(error->text, "Unicode") != NULL ||
	       strstr(error->text, "\\u0000") != NULL;
}

static void mutations_are_judged_as_another_reader_judges_them(void **state)
{
	uint64_t seed = 20240229;
	char text[TEXT_MAX];
	int accepted = 0;

	(void)state;
	for (int i = 0; i < MUTATIONS; i++) {
		size_t length = mutate(text, &seed);
		char *exact = malloc(length + 1); /* so that a sanitizer sees a step too far */
		struct json_span value = { NULL, 0 };
		json_error_t error;
		json_t *tree;
		bool good;

		memcpy(exact, text, length);
		tree = json_loadb(exact, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		good = json_scan_value((struct json_span){ exact, length }, &value, NULL) == 0;
		accepted += good;
		if (good && (value.bytes < exact || value.bytes + value.length > exact + length))
			fail_msg("outside: %.*s", (int)length, text);
		if (good != (tree != NULL) && !(good && is_scruple(&error)))
			fail_msg("%s: %.*s (%s)", good ? "accepted" : "refused", (int)length, text,
				 tree == NULL ? error.text : "");
		json_decref(tree);
		free(exact);
	}
	assert_in_range(accepted, MUTATIONS / 20, MUTATIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts_are_accepted_and_bad_ones_refused),
		cmocka_unit_test(a_fault_is_named_with_its_place),
		cmocka_unit_test(levels_are_limited),
		cmocka_unit_test(a_member_may_have_more_levels_where_that_is_allowed),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(members_are_found_byte_for_byte),
		cmocka_unit_test(an_object_is_asked_for_and_each_member_once),
		cmocka_unit_test(values_are_read_only_as_what_they_are),
		cmocka_unit_test(texts_are_decoded),
		cmocka_unit_test(line_breaks_between_tokens_become_spaces_and_nothing_else_changes),
		cmocka_unit_test(a_line_break_in_a_string_is_no_json),
		cmocka_unit_test(a_written_text_is_read_back),
		cmocka_unit_test(mutations_are_judged_as_another_reader_judges_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
