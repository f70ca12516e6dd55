#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "tools/locum/cli.h"
#include "tools/locum/ids.h"
#include "tools/locum/output.h"
#include "tools/locum/payload.h"

#define SECONDS(n) ((int64_t)(n)*1000000)

static char *printed;

static void assert_ago(int64_t past_us, const char *expected)
{
	char text[OUTPUT_TIME_SIZE];

	assert_string_equal(output_ago(SECONDS(1000000) - past_us, SECONDS(1000000), text),
			    expected);
}

static void times_are_told_as_people_do(void **state)
{
	(void)state;
	assert_ago(0, "now");
	assert_ago(999999, "now");
	assert_ago(SECONDS(12), "12s ago");
	assert_ago(SECONDS(60), "1m ago");
	assert_ago(SECONDS(2 * 3600 + 300), "2h 5m ago");
	assert_ago(SECONDS(4 * 86400), "4d ago");
	assert_ago(-SECONDS(180), "in 3m");
}

static void what_turns_the_direction_is_escaped(void **state)
{
	FILE *out = open_memstream(&printed, &(size_t){ 0 });

	(void)state;
	output_block(out, "",
		     "a\xe2\x80\xae"
		     "b\xe2\x81\xa6 \xe2\x80\xa6\n");
	fclose(out);
	assert_string_equal(printed, "a<U+202E>b<U+2066> …\n");
	free(printed);
}

static void times_for_programs_are_rfc_3339_in_utc(void **state)
{
	char text[OUTPUT_TIME_SIZE];

	(void)state;
	assert_string_equal(output_time(SECONDS(946684800) + 123456, text),
			    "2000-01-01T00:00:00.123456Z");
}

static FILE *open_print(void)
{
	static size_t size;

	return open_memstream(&printed, &size);
}

static void strings_are_json_and_blocks_cannot_move_the_cursor(void **state)
{
	FILE *out = open_print();

	(void)state;
	output_string(out, "a\"\\\n\x01\xc3\xbc");
	fclose(out);
	assert_string_equal(printed, "\"a\\\"\\\\\\n\\u0001\xc3\xbc\"");
	free(printed);
	out = open_print();
	output_block(out, "> ", "one\n\x1b[1m\ttwo\xc2\x9b\r");
	fclose(out);
	assert_string_equal(printed, "> one\n> \\x1b[1m\ttwo\\xc2\\x9b\\x0d\n");
	free(printed);
}

static void ids_are_printed_in_the_order_in_which_they_came(void **state)
{
	const int64_t some[] = { 5, 6, 7, 3, 4, 4, 9 };
	struct ids ids = { 0 };
	FILE *out = open_print();

	(void)state;
	assert_int_equal(ids_add(&ids, some, 7, NULL), 0);
	assert_int_equal(ids_print(&ids, out, false, NULL), 0);
	fclose(out);
	assert_string_equal(printed, "5\n6\n7\n3\n4\n4\n9\n");
	free(printed);
	ids_fini(&ids);
}

static void consecutive_ids_take_no_memory(void **state)
{
	struct ids ids = { 0 };

	(void)state;
	for (int64_t i = 1; i <= 100000; i++)
		assert_int_equal(ids_add(&ids, &i, 1, NULL), 0);
	assert_int_equal(ids.count, 1);
	ids_fini(&ids);
}

/* As when many submit at the same time: no two ids are neighbours. */
static void many_runs_of_ids_wait_in_a_file(void **state)
{
	enum { COUNT = 3 * IDS_RUNS };
	struct ids ids = { 0 };
	FILE *out = tmpfile();
	long long read;

	(void)state;
	for (int round = 0; round < 2; round++) {
		ids_clear(&ids);
		for (int64_t i = round; i < COUNT; i++) {
			const int64_t id = 2 * i;

			assert_int_equal(ids_add(&ids, &id, 1, NULL), 0);
		}
		assert_true(ids.count <= IDS_RUNS);
	}
	assert_int_equal(ids_print(&ids, out, false, NULL), 0);
	rewind(out);
	for (int64_t i = 1; i < COUNT; i++) {
		assert_int_equal(fscanf(out, "%lld", &read), 1);
		assert_int_equal(read, 2 * i);
	}
	assert_int_equal(fscanf(out, "%lld", &read), EOF);
	fclose(out);
	ids_fini(&ids);
}

static void ids_that_cannot_be_printed_say_why(void **state)
{
	const int64_t id = 1;
	struct ids ids = { 0 };
	FILE *out = fopen("/dev/full", "w");
	struct error err;

	(void)state;
	assert_int_equal(ids_add(&ids, &id, 1, NULL), 0);
	assert_int_equal(ids_print(&ids, out, false, &err), -1);
	assert_non_null(strstr(err.text, "No space left on device"));
	fclose(out);
	ids_fini(&ids);
}

static int code_of(enum error_kind kind, const char *sqlstate, const char *text)
{
	struct error err = { .kind = kind };

	snprintf(err.text, sizeof(err.text), "%s", text);
	snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", sqlstate);
	return cli_exit_code(&err);
}

static void every_error_has_its_exit_code(void **state)
{
	static const struct {
		enum error_kind kind;
		const char *sqlstate;
		const char *text;
		int code;
	} ROWS[] = {
		{ ERROR_INPUT, "22023", "", 65 },
		{ ERROR_INPUT, "23514", "", 65 },
		{ ERROR_INPUT, "", "", 65 },
		{ ERROR_RETRY, "", "the connection was lost", 69 },
		{ ERROR_RETRY, "57P01", "", 69 },
		{ ERROR_RETRY, "40001", "", 75 },
		{ ERROR_RETRY, "57014", "", 75 },
		{ ERROR_RETRY, "53300", "", 75 },
		{ ERROR_FATAL, "42501", "", 77 },
		{ ERROR_FATAL, "28000", "", 77 },
		{ ERROR_FATAL, "42P01", "", 78 },
		{ ERROR_FATAL, "", "", 78 },
		{ ERROR_RETRY, "", "cannot connect to the database: refused", 69 },
		{ ERROR_FATAL, "", "cannot connect to the database: database \"x\" does not exist",
		  69 },
		{ ERROR_FATAL, "", "cannot connect to the database: password authentication failed",
		  77 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		assert_int_equal(code_of(ROWS[i].kind, ROWS[i].sqlstate, ROWS[i].text),
				 ROWS[i].code);
}

static void a_fault_in_json_is_located(void **state)
{
	char place[256];

	(void)state;
	assert_int_equal(payload_find_fault("{\n \"a\" 1}", 9, place, sizeof(place)), 0);
	assert_non_null(strstr(place, "line 2, column 6"));
	assert_int_equal(payload_find_fault("[1]", 3, place, sizeof(place)), -1);
}

static void derived_uuids_are_stable_and_differ(void **state)
{
	struct uuid from = uuid_make();

	(void)state;
	assert_true(uuid_same(uuid_derive(from, 0), from));
	assert_true(uuid_same(uuid_derive(from, 1), uuid_derive(from, 1)));
	assert_false(uuid_same(uuid_derive(from, 1), uuid_derive(from, 2)));
	assert_false(uuid_same(uuid_derive(from, 1), uuid_derive(uuid_make(), 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_told_as_people_do),
		cmocka_unit_test(what_turns_the_direction_is_escaped),
		cmocka_unit_test(times_for_programs_are_rfc_3339_in_utc),
		cmocka_unit_test(strings_are_json_and_blocks_cannot_move_the_cursor),
		cmocka_unit_test(ids_are_printed_in_the_order_in_which_they_came),
		cmocka_unit_test(consecutive_ids_take_no_memory),
		cmocka_unit_test(many_runs_of_ids_wait_in_a_file),
		cmocka_unit_test(ids_that_cannot_be_printed_say_why),
		cmocka_unit_test(every_error_has_its_exit_code),
		cmocka_unit_test(a_fault_in_json_is_located),
		cmocka_unit_test(derived_uuids_are_stable_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
