#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"

static void assert_reads(const char *text, int64_t ms)
{
	int64_t read = -1;

	assert_int_equal(duration_read(text, &read, NULL), 0);
	assert_true(read == ms);
}

static void assert_refused(const char *text)
{
	struct error err = { .kind = ERROR_NONE };
	int64_t ms = 4711;

	assert_int_equal(duration_read(text, &ms, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_true(ms == 4711);
}

static void every_unit_is_read(void **state)
{
	(void)state;
	assert_reads("250ms", 250);
	assert_reads("5s", 5000);
	assert_reads("10m", 600000);
	assert_reads("2h", 7200000);
	assert_reads("7d", 604800000);
	assert_reads("0s", 0);
}

static void pairs_are_added_from_large_to_small(void **state)
{
	(void)state;
	assert_reads("1h30m", 5400000);
	assert_reads("1d2h3m4s5ms", 93784005);
	assert_refused("30m1h");
	assert_refused("1s1s");
}

static void a_number_without_a_unit_is_refused(void **state)
{
	(void)state;
	assert_refused("5");
	assert_refused("5s5");
}

static void what_is_not_a_duration_is_refused_and_leaves_the_output(void **state)
{
	(void)state;
	assert_refused("");
	assert_refused("s");
	assert_refused("-1s");
	assert_refused("1.5s");
	assert_refused("1 s");
	assert_refused("1S");
	assert_refused("5sec");
}

static void more_than_the_limit_is_refused_without_overflow(void **state)
{
	(void)state;
	assert_reads("3650d", DURATION_MAX_MS);
	assert_refused("3651d");
	assert_refused("3650d1ms");
	assert_refused("999999999999999d");
	assert_refused("9999999999999999999999ms");
}

static void the_error_quotes_the_text_and_shows_what_to_write(void **state)
{
	struct error err;
	int64_t ms;

	(void)state;
	assert_int_equal(duration_read("soon", &ms, &err), -1);
	assert_non_null(strstr(err.text, "\"soon\""));
	assert_non_null(strstr(err.text, "1h30m"));
}

static void text_is_the_shortest_exact_form(void **state)
{
	char text[DURATION_TEXT_SIZE];

	(void)state;
	assert_string_equal(duration_text(0, text), "0s");
	assert_string_equal(duration_text(250, text), "250ms");
	assert_string_equal(duration_text(5400000, text), "1h30m");
	assert_string_equal(duration_text(604800000, text), "7d");
}

static void what_is_written_reads_back(void **state)
{
	const int64_t values[] = { 0, 1, 999, 1000, 59999, 93784005, DURATION_MAX_MS };
	char text[DURATION_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_reads(duration_text(values[i], text), values[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_unit_is_read),
		cmocka_unit_test(pairs_are_added_from_large_to_small),
		cmocka_unit_test(a_number_without_a_unit_is_refused),
		cmocka_unit_test(what_is_not_a_duration_is_refused_and_leaves_the_output),
		cmocka_unit_test(more_than_the_limit_is_refused_without_overflow),
		cmocka_unit_test(the_error_quotes_the_text_and_shows_what_to_write),
		cmocka_unit_test(text_is_the_shortest_exact_form),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
