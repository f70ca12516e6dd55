#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/schema.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* --- states ------------------------------------------------------------------------------------ */

#define STATE(constant, name, class) STATE_##constant,
#define EDGE(from, event, to)
enum state_index {
#include "db/states.def"
	STATE_COUNT
};
#undef STATE
#undef EDGE

struct state_row {
	const char *name;
	bool terminal;
};

enum { UNFINISHED, TERMINAL };

#define STATE(constant, name, class) { name, class == TERMINAL },
#define EDGE(from, event, to)
static const struct state_row STATES[] = {
#include "db/states.def"
};
#undef STATE
#undef EDGE

static bool edge_is_legal(int from, int to)
{
#define STATE(constant, name, class)
#define EDGE(from_state, event, to_state)                                                          \
	if (from == STATE_##from_state && to == STATE_##to_state)                                  \
		return true;
#include "db/states.def"
#undef STATE
#undef EDGE
	return false;
}

static void the_sql_type_has_the_states_in_order(void **state)
{
	struct database *d = *state;

	assert_int_equal(database_int(d, "select cardinality(enum_range(null::locum.job_state))"),
			 STATE_COUNT);
	for (int i = 0; i < STATE_COUNT; i++)
		assert_sql(d, STATES[i].name, "select (enum_range(null::locum.job_state))[%d]",
			   i + 1);
}

static void every_edge_of_the_table_is_legal_and_no_other(void **state)
{
	struct database *d = *state;

	for (int from = 0; from < STATE_COUNT; from++)
		for (int to = 0; to < STATE_COUNT; to++)
			assert_sql(d, edge_is_legal(from, to) ? "t" : "f",
				   "select locum.state_edge_is_legal('%s', '%s')",
				   STATES[from].name, STATES[to].name);
}

static void terminal_states_are_known_and_kept_apart(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h'");
	for (int i = 0; i < STATE_COUNT; i++) {
		assert_sql(d, STATES[i].terminal ? "t" : "f",
			   "select locum.state_is_terminal('%s')", STATES[i].name);
		if (STATES[i].terminal)
			assert_memory_equal(
				database_refusal(d,
						 "insert into locum.job (queue_id, state, "
						 "handler) values (1, '%s', 'h')",
						 STATES[i].name),
				"09000", 5);
	}
	database_do(d, "alter table locum.job disable trigger edges");
	assert_memory_equal(
		database_refusal(d, "update locum.job set state = 'failed', lane = null"), "23514",
		5);
	database_do(d, "alter table locum.job enable trigger edges");
}

/* --- checks ------------------------------------------------------------------------------------ */

static void inconsistent_rows_are_refused(void **state)
{
	static const char *const CHANGES[] = {
		"lane = null",
		"lane = -1",
		"state = 'assigned'",
		"state = 'assigned', lane = -2",
		"state = 'assigned', lane = -2, claim_id = gen_random_uuid()",
		"state = 'assigned', lane = -2, incarnation = gen_random_uuid()",
		"state = 'assigned', claim_id = gen_random_uuid(), incarnation = gen_random_uuid()",
		"state = 'active', lane = -2, claim_id = gen_random_uuid(), incarnation = gen_random_uuid()",
		"state = 'scheduled'",
		"state = 'held'",
		"claim_id = gen_random_uuid(), incarnation = gen_random_uuid()",
		"incarnation = gen_random_uuid()",
		"state = 'held', lane = -2, claim_id = gen_random_uuid(), incarnation = gen_random_uuid()",
		"priority = 10",
		"priority = -1",
		"max_attempts = 0",
		"handler = ''",
		"handler = repeat('h', 64)",
		"handler = E'a\\tb'",
		"payload = to_json(repeat('x', 1048575))",
	};
	struct database *d = *state;

	fleet_submit(d, "'h'");
	database_do(d, "alter table locum.job disable trigger edges");
	for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++)
		if (strncmp(database_refusal(d, "update locum.job set %s", CHANGES[i]), "23514",
			    5) != 0)
			fail_msg("%s: %s", CHANGES[i], d->text);
	database_do(d, "alter table locum.job enable trigger edges");
}

static void a_result_over_the_limit_is_refused(void **state)
{
	static char result[1048578];
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .outcome = "completed", .result = result };
	const struct uuid none = { { 0 } };

	fleet_submit(d, "'h'");
	end.id = fleet_claim_one(d, dispatcher, &end.claim_id);
	memset(result, 'x', sizeof(result) - 1);
	result[0] = result[sizeof(result) - 2] = '"';
	assert_int_equal(fleet_complete_batch(d, dispatcher, uuid_make(), none, &end, 1), -1);
	assert_string_equal(d->err.sqlstate, "23514");
	result[sizeof(result) - 3] = '"';
	result[sizeof(result) - 2] = '\0';
	assert_int_equal(fleet_complete_batch(d, dispatcher, uuid_make(), none, &end, 1), 1);
}

/* --- schema_init ------------------------------------------------------------------------------- */

static void initialising_twice_changes_nothing(void **state)
{
	static const char SHAPE[] =
		"select md5(string_agg(c.oid::text || relname || relkind::text, ',' order by c.oid)) "
		"from pg_class c where relnamespace = 'locum'::regnamespace and relkind <> 'v'";
	struct database *d = *state;
	struct schema_change change;
	char before[64];

	snprintf(before, sizeof(before), "%s", database_text(d, "%s", SHAPE));
	assert_int_equal(schema_init(d->db, &change, &d->err), 0);
	assert_int_equal(change.before, schema_newest());
	assert_int_equal(change.after, schema_newest());
	assert_sql(d, before, "%s", SHAPE);
	assert_int_equal(schema_check(d->db, &d->err), 0);
	assert_sql(d, "1", "select count(*) from locum.migration");
}

static void a_newer_schema_is_refused(void **state)
{
	struct database *d = *state;
	struct schema_change change;
	char expected[128];

	database_do(d, "insert into locum.migration (version, name) values (9999, 'later')");
	snprintf(expected, sizeof(expected),
		 "the database has schema version 9999, and this program knows only up to %d: "
		 "install a newer locum",
		 schema_newest());
	assert_int_equal(schema_init(d->db, &change, &d->err), -1);
	assert_string_equal(d->err.text, expected);
	assert_int_equal(schema_check(d->db, &d->err), -1);
	assert_string_equal(d->err.text, expected);
	assert_int_equal(d->err.kind, ERROR_FATAL);
	database_do(d, "delete from locum.migration where version = 9999");
}

/* Runs one command on the server and a check of another database than the test's. */
static int check_other(struct database *d, const char *options)
{
	struct database other = { .db = NULL };
	struct schema_change change;
	int status;

	database_do(d, "drop database if exists %s_other", d->name);
	database_do(d, "create database %s_other %s", d->name, options);
	snprintf(other.conninfo, sizeof(other.conninfo), "%.400s_other", d->conninfo);
	other.db = database_db(&other, "test");
	status = schema_check(other.db, &d->err);
	if (status != 0 && strstr(options, "encoding") != NULL)
		assert_int_equal(schema_init(other.db, &change, &d->err), -1);
	db_close(other.db);
	database_do(d, "drop database %s_other", d->name);
	return status;
}

static void a_database_without_the_schema_is_refused(void **state)
{
	struct database *d = *state;

	assert_int_equal(check_other(d, ""), -1);
	assert_int_equal(d->err.kind, ERROR_FATAL);
}

static void a_database_that_is_not_utf8_is_refused(void **state)
{
	struct database *d = *state;

	assert_int_equal(check_other(d, "encoding 'LATIN1' locale 'C' template template0"), -1);
	assert_string_equal(d->err.text,
			    "the database has the encoding LATIN1; locum needs one with UTF8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(the_sql_type_has_the_states_in_order),
		DATABASE_TEST(every_edge_of_the_table_is_legal_and_no_other),
		DATABASE_TEST(terminal_states_are_known_and_kept_apart),
		DATABASE_TEST(inconsistent_rows_are_refused),
		DATABASE_TEST(a_result_over_the_limit_is_refused),
		DATABASE_TEST(initialising_twice_changes_nothing),
		DATABASE_TEST(a_newer_schema_is_refused),
		DATABASE_TEST(a_database_without_the_schema_is_refused),
		DATABASE_TEST(a_database_that_is_not_utf8_is_refused),
	};

	return cmocka_run_group_tests_name("schema", tests, database_open, database_close);
}
