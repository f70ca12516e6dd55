#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/text.h"

static void characters_are_told_from_bytes(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		size_t wanted;
	} ROWS[] = {
		{ "a", 1, 1 },
		{ "", 0, 0 },
		{ "\0", 1, 0 },
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc3\xa4", 2, 2 },
		{ "\xc3", 1, 0 },
		{ "\xc3\x28", 2, 0 },
		{ "\xc0\x80", 2, 0 },     /* overlong NUL */
		{ "\xc1\xbf", 2, 0 },     /* overlong */
		{ "\xe0\x9f\xbf", 3, 0 }, /* overlong */
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 }, /* surrogate */
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xe2\x82", 2, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 }, /* overlong */
		{ "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 }, /* past U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xff", 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		assert_int_equal(text_character(ROWS[i].bytes, ROWS[i].length), ROWS[i].wanted);
}

static void validity_ends_at_the_first_bad_byte(void **state)
{
	(void)state;
	assert_int_equal(text_valid("", 0), 0);
	assert_int_equal(text_valid("a\xc3\xa4z", 4), 4);
	assert_int_equal(text_valid("a\xc3\xa4\xff", 4), 3);
	assert_int_equal(text_valid("a\0b", 3), 1);
}

static void assert_cleaned(const char *bytes, size_t length, const char *wanted)
{
	size_t cleaned;
	char *text = text_clean(bytes, length, &cleaned);

	assert_non_null(text);
	assert_string_equal(text, wanted);
	assert_int_equal(cleaned, strlen(wanted));
	free(text);
}

static void cleaning_keeps_text_and_writes_other_bytes_out(void **state)
{
	(void)state;
	assert_cleaned("", 0, "");
	assert_cleaned("a\n\t\x1b[0m\xf0\x9f\x90\x98", 11, "a\n\t\x1b[0m\xf0\x9f\x90\x98");
	assert_cleaned("\0", 1, "\\x00");
	assert_cleaned("a\xffz", 3, "a\\xffz");
	assert_cleaned("\xe2\x82", 2, "\\xe2\\x82");
	assert_cleaned("\xe2\x82\xe2\x82\xac", 5, "\\xe2\\x82\xe2\x82\xac");
}

static void any_bytes_become_valid_text(void **state)
{
	unsigned char bytes[3];

	(void)state;
	for (unsigned value = 0; value < 1U << 24; value += 251) {
		size_t cleaned;
		char *text;

		bytes[0] = (unsigned char)value;
		bytes[1] = (unsigned char)(value >> 8);
		bytes[2] = (unsigned char)(value >> 16);
		text = text_clean((const char *)bytes, sizeof(bytes), &cleaned);
		assert_non_null(text);
		assert_int_equal(strlen(text), cleaned);
		assert_int_equal(text_valid(text, cleaned), cleaned);
		free(text);
	}
}

static void names_are_short_printable_text(void **state)
{
	char name[LIMIT_NAME_BYTES + 2];
	struct error err;

	(void)state;
	assert_int_equal(text_check_name("queue", "mail", &err), 0);
	assert_int_equal(text_check_name("queue",
					 "B\xc3\xbc"
					 "cher und \"mehr\"",
					 &err),
			 0);
	assert_int_equal(text_check_name("queue", "", &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_string_equal(err.text, "the queue's name is empty");
	assert_int_equal(text_check_name("queue", "a\xff", &err), -1);
	assert_string_equal(err.text, "the queue's name is not valid UTF-8");
	assert_int_equal(text_check_name("queue", "a\nb", &err), -1);
	assert_string_equal(err.text, "the queue's name holds a control character");
	assert_int_equal(text_check_name("queue",
					 "a\xc2\x9b"
					 "b",
					 &err),
			 -1);
	memset(name, 'x', sizeof(name));
	name[LIMIT_NAME_BYTES] = '\0';
	assert_int_equal(text_check_name("handler", name, &err), 0);
	name[LIMIT_NAME_BYTES] = 'x';
	name[LIMIT_NAME_BYTES + 1] = '\0';
	assert_int_equal(text_check_name("handler", name, &err), -1);
	assert_string_equal(err.text, "the handler's name is longer than 63 bytes");
}

static void quoted_text_is_one_line(void **state)
{
	char out[128];

	(void)state;
	assert_string_equal(text_quote("plain", out, sizeof(out)), "plain");
	assert_string_equal(text_quote("a\"b\\c\nd\te\rf", out, sizeof(out)),
			    "a\\\"b\\\\c\\nd\\te\\rf");
	assert_string_equal(text_quote("\x1b[2J\x7f", out, sizeof(out)), "\\x1b[2J\\x7f");
	assert_string_equal(text_quote("\xc2\x9b\xff", out, sizeof(out)), "\\xc2\\x9b\\xff");
	assert_string_equal(text_quote("\xf0\x9f\x90\x98", out, sizeof(out)), "\xf0\x9f\x90\x98");
}

static void quoted_text_is_cut_at_a_character_with_an_ellipsis(void **state)
{
	static const char *const TEXTS[] = { "0123456789abcdef", "\n\n\n\n\n\n\n\n",
					     "\xf0\x9f\x90\x98\xf0\x9f\x90\x98\xf0\x9f\x90\x98",
					     "\xff\xff\xff\xff" };
	char out[32];

	(void)state;
	assert_string_equal(text_quote("0123456789", out, 11), "0123456789");
	assert_string_equal(text_quote("0123456789", out, 10), "012345\xe2\x80\xa6");
	assert_string_equal(text_quote("0123456789", out, 3), "");
	assert_string_equal(text_quote("0123456789", out, 1), "");
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
		for (size_t size = 1; size < sizeof(out); size++) {
			memset(out, 'X', sizeof(out));
			text_quote(TEXTS[i], out, size);
			assert_true(strlen(out) < size);
			assert_int_equal(text_valid(out, strlen(out)), strlen(out));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_are_told_from_bytes),
		cmocka_unit_test(validity_ends_at_the_first_bad_byte),
		cmocka_unit_test(cleaning_keeps_text_and_writes_other_bytes_out),
		cmocka_unit_test(any_bytes_become_valid_text),
		cmocka_unit_test(names_are_short_printable_text),
		cmocka_unit_test(quoted_text_is_one_line),
		cmocka_unit_test(quoted_text_is_cut_at_a_character_with_an_ellipsis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
