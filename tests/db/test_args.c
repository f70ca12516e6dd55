#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/rows.h"
#include "tests/support/database.h"

/* Sends the arguments to a query and returns its answer, binary as everywhere. */
static PGresult *ask(struct database *d, const char *query, struct args *args)
{
	static const int BINARY[ARGS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	PGresult *rows;

	assert_false(args->failed);
	rows = PQexecParams(d->sql, query, args->count, args->types, args->values, args->lengths,
			    BINARY, 1);
	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(d->sql));
	args_fini(args);
	return rows;
}

/* What the server makes of one argument, as text. */
static void assert_reads(struct database *d, struct args *args, const char *type, const char *text)
{
	PGresult *rows = ask(d, "select pg_typeof($1)::text, coalesce($1::text, 'null')", args);

	assert_string_equal(rows_text(rows, 0, 0), type);
	assert_string_equal(rows_text(rows, 0, 1), text);
	PQclear(rows);
	args_init(args);
}

static void numbers_keep_their_values_to_the_last_bit(void **state)
{
	struct database *d = *state;
	struct args args;

	args_init(&args);
	args_int4(&args, INT32_MIN);
	assert_reads(d, &args, "integer", "-2147483648");
	args_int4(&args, INT32_MAX);
	assert_reads(d, &args, "integer", "2147483647");
	args_int8(&args, INT64_MIN);
	assert_reads(d, &args, "bigint", "-9223372036854775808");
	args_int8(&args, INT64_MAX);
	assert_reads(d, &args, "bigint", "9223372036854775807");
	args_int8(&args, -1);
	assert_reads(d, &args, "bigint", "-1");
}

static void truth_is_true_and_falsehood_false(void **state)
{
	struct args args;

	args_init(&args);
	args_bool(&args, true);
	assert_reads(*state, &args, "boolean", "true");
	args_bool(&args, false);
	assert_reads(*state, &args, "boolean", "false");
}

static void a_uuid_keeps_its_bytes_and_the_zero_uuid_may_be_null(void **state)
{
	struct uuid none = { { 0 } };
	struct uuid uuid = uuid_make();
	char text[UUID_TEXT_SIZE];
	struct args args;

	args_init(&args);
	args_uuid(&args, uuid);
	assert_reads(*state, &args, "uuid", uuid_text(uuid, text));
	args_uuid_or_null(&args, uuid);
	assert_reads(*state, &args, "uuid", text);
	args_uuid_or_null(&args, none);
	assert_reads(*state, &args, "uuid", "null");
	args_uuid(&args, none);
	assert_reads(*state, &args, "uuid", "00000000-0000-0000-0000-000000000000");
}

static void texts_keep_their_characters(void **state)
{
	struct args args;

	args_init(&args);
	args_text(&args, "it's \"ä€😀\"\n\\");
	assert_reads(*state, &args, "text", "it's \"ä€😀\"\n\\");
	args_text(&args, "");
	assert_reads(*state, &args, "text", "");
	args_text(&args, NULL);
	assert_reads(*state, &args, "text", "null");
}

static void arrays_keep_their_elements_in_order(void **state)
{
	static const int32_t SMALL[] = { 1, -2, INT32_MAX };
	static const int64_t LARGE[] = { INT64_MIN, 0, INT64_MAX };
	static const char *const STRINGS[] = { "a", NULL, "", "b c", "{,}" };
	static const struct args_text TEXTS[] = { { "cut here", 3 }, { NULL, 0 }, { "", 0 } };
	struct args args;

	args_init(&args);
	args_int4_array(&args, SMALL, 3);
	assert_reads(*state, &args, "integer[]", "{1,-2,2147483647}");
	args_int8_array(&args, LARGE, 3);
	assert_reads(*state, &args, "bigint[]", "{-9223372036854775808,0,9223372036854775807}");
	args_string_array(&args, STRINGS, 5);
	assert_reads(*state, &args, "text[]", "{a,NULL,\"\",\"b c\",\"{,}\"}");
	args_text_array(&args, TEXTS, 3);
	assert_reads(*state, &args, "text[]", "{cut,NULL,\"\"}");
}

static void an_array_of_uuids_keeps_their_bytes(void **state)
{
	struct uuid uuids[2] = { uuid_make(), uuid_make() };
	char one[UUID_TEXT_SIZE];
	char two[UUID_TEXT_SIZE];
	char text[128];
	struct args args;

	args_init(&args);
	args_uuid_array(&args, uuids, 2);
	snprintf(text, sizeof(text), "{%s,%s}", uuid_text(uuids[0], one), uuid_text(uuids[1], two));
	assert_reads(*state, &args, "uuid[]", text);
}

static void an_empty_array_is_an_array(void **state)
{
	struct args args;

	args_init(&args);
	args_int4_array(&args, NULL, 0);
	assert_reads(*state, &args, "integer[]", "{}");
	args_int8_array(&args, NULL, 0);
	assert_reads(*state, &args, "bigint[]", "{}");
	args_uuid_array(&args, NULL, 0);
	assert_reads(*state, &args, "uuid[]", "{}");
	args_text_array(&args, NULL, 0);
	assert_reads(*state, &args, "text[]", "{}");
	args_string_array(&args, NULL, 0);
	assert_reads(*state, &args, "text[]", "{}");
}

static void arguments_keep_their_places(void **state)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	for (int i = 0; i < ARGS_MAX; i++)
		args_int4(&args, i);
	rows = ask(*state,
		   "select array_to_string(array[$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
		   "$12, $13, $14, $15, $16], ' ')",
		   &args);
	assert_string_equal(rows_text(rows, 0, 0), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
	PQclear(rows);
}

static void an_argument_too_many_is_told_and_leaks_nothing(void **state)
{
	static const int64_t ONE = 1;
	struct args args;

	(void)state;
	args_init(&args);
	for (int i = 0; i < ARGS_MAX; i++)
		args_int8_array(&args, &ONE, 1);
	assert_false(args.failed);
	args_int8_array(&args, &ONE, 1);
	assert_true(args.failed);
	args_fini(&args);
	for (int i = 0; i <= ARGS_MAX; i++)
		args_uuid(&args, uuid_make());
	assert_true(args.failed);
	args_fini(&args);
	assert_false(args.failed);
}

static void values_come_back_as_they_are(void **state)
{
	struct database *d = *state;
	struct args args;
	PGresult *rows;

	args_init(&args);
	rows = ask(d,
		   "select 7::int as four, -7::bigint as eight, true as yes, 'ä'::text as text, "
		   "null::bigint as none, null::text as no_text, "
		   "'00000000-0000-4000-8000-00000000000a'::uuid as uuid",
		   &args);
	assert_int_equal(rows_int(rows, 0, 0), 7);
	assert_int_equal(rows_int(rows, 0, 1), -7);
	assert_true(rows_bool(rows, 0, 2));
	assert_string_equal(rows_text(rows, 0, 3), "ä");
	assert_int_equal(rows_length(rows, 0, 3), 2);
	assert_true(rows_is_null(rows, 0, 4));
	assert_int_equal(rows_int(rows, 0, 4), 0);
	assert_null(rows_text(rows, 0, 5));
	assert_int_equal(rows_uuid(rows, 0, 6).bytes[15], 10);
	PQclear(rows);
}

static void columns_are_found_by_name_and_a_missing_one_is_named(void **state)
{
	static const char *const NAMES[] = { "b", "a" };
	static const char *const WRONG[] = { "a", "c" };
	struct error err;
	struct args args;
	PGresult *rows;
	int at[2];

	args_init(&args);
	rows = ask(*state, "select 1 as a, 2 as b", &args);
	assert_int_equal(rows_columns(rows, NAMES, 2, at, &err), 0);
	assert_int_equal(at[0], 1);
	assert_int_equal(at[1], 0);
	assert_int_equal(rows_columns(rows, WRONG, 2, at, &err), -1);
	assert_int_equal(err.kind, ERROR_FATAL);
	assert_non_null(strstr(err.text, "\"c\""));
	PQclear(rows);
}

/* --- db_execute --------------------------------------------------------------------------------- */

static void the_last_answer_of_several_commands_counts(void **state)
{
	struct database *d = *state;
	struct error err;

	assert_int_equal(db_execute(d->db, "select 1; select 2; select 3", &err), 0);
	assert_int_equal(db_execute(d->db, "select 1; select 1/0; select 3", &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_string_equal(err.sqlstate, "22012");
	assert_false(db_is_lost(d->db));
	assert_int_equal(db_execute(d->db, "select 1", &err), 0);
}

static void a_command_that_does_not_answer_in_time_loses_the_connection(void **state)
{
	struct database *d = *state;
	struct db_options options = { .conninfo = d->conninfo, .role = "test", .answer_ms = 100 };
	struct error err;
	struct db *db;

	assert_int_equal(db_open(&db, &options, &err), 0);
	assert_int_equal(db_execute(db, "select pg_sleep(3)", &err), -1);
	assert_int_equal(err.kind, ERROR_RETRY);
	assert_true(db_is_lost(db));
	assert_int_equal(db_execute(db, "select 1", &err), -1);
	assert_int_equal(err.kind, ERROR_RETRY);
	db_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(numbers_keep_their_values_to_the_last_bit),
		DATABASE_TEST(truth_is_true_and_falsehood_false),
		DATABASE_TEST(a_uuid_keeps_its_bytes_and_the_zero_uuid_may_be_null),
		DATABASE_TEST(texts_keep_their_characters),
		DATABASE_TEST(arrays_keep_their_elements_in_order),
		DATABASE_TEST(an_array_of_uuids_keeps_their_bytes),
		DATABASE_TEST(an_empty_array_is_an_array),
		DATABASE_TEST(arguments_keep_their_places),
		DATABASE_TEST(an_argument_too_many_is_told_and_leaks_nothing),
		DATABASE_TEST(values_come_back_as_they_are),
		DATABASE_TEST(columns_are_found_by_name_and_a_missing_one_is_named),
		DATABASE_TEST(the_last_answer_of_several_commands_counts),
		DATABASE_TEST(a_command_that_does_not_answer_in_time_loses_the_connection),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
