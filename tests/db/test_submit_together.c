#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

enum { CLIENTS = 16 };

#define REQUEST "'11111111-1111-4111-8111-111111111111'"

/* Sends one query from all clients before anybody reads an answer; ids[] is what each got. */
static void submit_together(struct database *d, const char *query, int64_t ids[CLIENTS])
{
	PGconn *clients[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = database_connection(d);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(PQsendQuery(clients[i], query), 1);
	for (int i = 0; i < CLIENTS; i++) {
		PGresult *result = PQgetResult(clients[i]);

		assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
		assert_int_equal(PQntuples(result), 1);
		ids[i] = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		PQclear(result);
		PQfinish(clients[i]);
	}
}

static void assert_one_job(struct database *d, const int64_t ids[CLIENTS])
{
	assert_sql(d, "1", "select count(*) from locum.job");
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(ids[i], database_int(d, "select id from locum.job"));
}

static void one_key_from_many_clients_is_one_job(void **state)
{
	static const char *const QUERIES[] = {
		"select locum.submit('h', key => 'k')",
		"select locum.submit_many(array['{\"handler\": \"h\", \"key\": \"k\"}']::json[])",
	};

	for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
		struct database *d = *state;
		int64_t ids[CLIENTS];

		submit_together(d, QUERIES[i], ids);
		assert_one_job(d, ids);
		database_clear(state);
	}
}

static void one_request_from_many_clients_is_one_job(void **state)
{
	static const char *const QUERIES[] = {
		"select locum.submit('h', request_id => " REQUEST ")",
		"select locum.submit_many(array['{\"handler\": \"h\"}']::json[], " REQUEST ")",
	};

	for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
		struct database *d = *state;
		int64_t ids[CLIENTS];

		submit_together(d, QUERIES[i], ids);
		assert_one_job(d, ids);
		database_clear(state);
	}
}

static void a_key_is_free_again_when_its_job_has_finished(void **state)
{
	struct database *d = *state;
	struct fleet_outcome end = { .outcome = "completed" };
	struct uuid dispatcher = fleet_dispatcher(d);

	assert_int_equal(fleet_submit(d, "'h', key => 'k'"), 1);
	end.id = fleet_claim_one(d, dispatcher, &end.claim_id);
	assert_int_equal(fleet_submit(d, "'h', key => 'k'"), 1);
	fleet_complete(d, dispatcher, &end);
	assert_true(fleet_submit(d, "'h', key => 'k'") > 1);
}

/* Whoever has the first of the keys is waited for before the second is taken. */
static void batches_with_the_same_keys_in_other_orders_do_not_deadlock(void **state)
{
	static const char BATCH[] = "select locum.submit_arrays(null, '{h,h}', keys => '{b,a}')";
	struct database *d = *state;
	PGconn *other = database_connection(d);
	PGresult *rows;

	database_do(d, "begin");
	fleet_submit(d, "'h', key => 'a'");
	assert_int_equal(PQsendQuery(other, BATCH), 1);
	while (database_int(d, "select count(*) from pg_locks where not granted and pid = %d",
			    PQbackendPID(other)) == 0)
		;
	fleet_submit(d, "'h', key => 'b'");
	database_do(d, "commit");
	rows = PQgetResult(other);
	assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
	assert_string_equal(PQgetvalue(rows, 1, 0), "1");
	PQclear(rows);
	PQfinish(other);
	assert_sql(d, "2", "select count(*) from locum.job");
}

static void a_request_is_remembered_across_completion_and_a_day_of_housekeeping(void **state)
{
	struct database *d = *state;
	struct fleet_outcome end = { .outcome = "completed" };
	struct uuid dispatcher = fleet_dispatcher(d);
	struct args args;

	assert_int_equal(fleet_submit(d, "'h', request_id => " REQUEST), 1);
	end.id = fleet_claim_one(d, dispatcher, &end.claim_id);
	fleet_complete(d, dispatcher, &end);
	assert_int_equal(fleet_submit(d, "'h', request_id => " REQUEST), 1);
	database_do(d, "update locum.request set created_at = now() - interval '24 hours 1 min'");
	args_init(&args);
	args_int4(&args, 100);
	database_count(d, "house_keep", &args);
	assert_int_equal(fleet_submit(d, "'h', request_id => " REQUEST), 1);
	assert_sql(d, "0", "select count(*) from locum.job");
}

static void a_request_that_was_refused_may_come_again(void **state)
{
	struct database *d = *state;

	database_refusal(d, "select locum.submit('h', priority => 10, request_id => " REQUEST ")");
	database_refusal(d, "select locum.submit_many(array['{}']::json[], " REQUEST ")");
	assert_sql(d, "0", "select count(*) from locum.request");
	fleet_submit(d, "'h', request_id => " REQUEST);
	assert_sql(d, "1", "select count(*) from locum.job");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(one_key_from_many_clients_is_one_job),
		DATABASE_TEST(one_request_from_many_clients_is_one_job),
		DATABASE_TEST(a_key_is_free_again_when_its_job_has_finished),
		DATABASE_TEST(batches_with_the_same_keys_in_other_orders_do_not_deadlock),
		DATABASE_TEST(a_request_is_remembered_across_completion_and_a_day_of_housekeeping),
		DATABASE_TEST(a_request_that_was_refused_may_come_again),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
