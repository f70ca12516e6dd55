/* What roles that own nothing may do, with the grants of the handbook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <locum.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* As in doc/handbook.md. */
#define OBSERVES                                                                                   \
	"grant usage on schema locum to locum_test_role; grant select on all tables in schema locum to locum_test_role;"
#define SUBMITS                                                                                    \
	"grant usage on schema locum to locum_test_role;"                                          \
	"grant select on locum.agent, locum.migration to locum_test_role;"                         \
	"grant select, insert on locum.queue, locum.job to locum_test_role;"                       \
	"grant select, insert, update on locum.request to locum_test_role;"                        \
	"grant usage on sequence locum.job_id_seq to locum_test_role;"
#define INTERVENES                                                                                                                 \
	OBSERVES SUBMITS                                                                                                           \
		"grant update, delete on locum.job to locum_test_role; grant insert, update on locum.finished to locum_test_role;" \
		"grant insert on locum.signal to locum_test_role;"

static PGconn *role(struct database *d, const char *grants)
{
	PGconn *conn = database_connection(d);

	database_do(d, "do $$ begin drop owned by locum_test_role; "
		       "exception when undefined_object then end $$; "
		       "drop role if exists locum_test_role; create role locum_test_role login");
	database_do(d, "%s", grants);
	/* What watches over states in tests. */
	database_do(d, "grant all on all tables in schema public to locum_test_role");
	PQclear(PQexec(conn, "set session authorization locum_test_role"));
	return conn;
}

static void assert_runs(PGconn *conn, const char *query)
{
	PGresult *rows = PQexec(conn, query);

	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", query, PQerrorMessage(conn));
	PQclear(rows);
}

static void assert_denied(PGconn *conn, const char *query)
{
	PGresult *rows = PQexec(conn, query);

	assert_int_equal(PQresultStatus(rows), PGRES_FATAL_ERROR);
	assert_string_equal(PQresultErrorField(rows, PG_DIAG_SQLSTATE), "42501");
	PQclear(rows);
}

static void a_role_that_may_only_submit_submits_in_every_way(void **state)
{
	static const char *const WAYS[] = {
		("select locum.submit('h', queue => 'new', key => 'k', labels => '{\"a\": 1}', "
		 "request_id => gen_random_uuid(), "
		 "\"then\" => '{\"always\": {\"handler\": \"h\", \"queue\": \"late\"}}')"),
		("select locum.submit_many(array['{\"handler\": \"h\", \"key\": \"l\", "
		 "\"then\": {\"always\": \"h\"}}', '{\"handler\": \"h\"}']::json[])"),
		"select locum.submit_arrays(gen_random_uuid(), '{h,i}', queues => '{q,r}')",
	};
	struct database *d = *state;
	PGconn *conn = role(d, SUBMITS);
	struct locum_error error;
	struct locum *locum = locum_on(conn, &error);
	struct locum_batch *batch = locum_batch_new(&error);

	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++)
		assert_runs(conn, WAYS[i]);
	assert_true(locum_submit(locum, "h", "[]", NULL, &error) > 0);
	assert_int_equal(locum_batch_add(batch, "h", "[]", NULL, &error), 0);
	assert_int_equal(locum_batch_submit(locum, batch, NULL, NULL, &error), 0);
	assert_sql(d, "7|7",
		   "select count(*), count(*) filter (where submitted_by = 'locum_test_role') "
		   "from locum.job");
	assert_denied(conn, "select locum.cancel(1)");
	assert_denied(conn, "select locum.queue_pause('default')");
	locum_batch_free(batch);
	locum_close(locum);
	PQfinish(conn);
}

static void a_role_that_may_only_look_changes_nothing(void **state)
{
	struct database *d = *state;
	PGconn *conn = role(d, OBSERVES);

	fleet_submit(d, "'h'");
	assert_runs(conn, "select * from locum.jobs, locum.queues");
	assert_runs(conn, "select * from locum.dispatchers, locum.deaths");
	assert_denied(conn, "select locum.submit('h')");
	assert_denied(conn, "select locum.cancel(1)");
	assert_denied(conn, "select locum.queue_create('q')");
	PQfinish(conn);
}

static void a_role_that_may_intervene_cancels_and_retries(void **state)
{
	struct database *d = *state;
	PGconn *conn = role(d, INTERVENES);
	struct uuid claim_id;

	fleet_submit(d, "'h', \"then\" => '{\"always\": \"h\"}'");
	fleet_submit(d, "'h'");
	fleet_claim_one(d, fleet_dispatcher(d), &claim_id);
	assert_runs(conn, "select locum.cancel(1), locum.cancel(2)");
	assert_runs(conn, "select locum.retry(2)");
	assert_sql(d, "1", "select count(*) from locum.job where retry_of = 2");
	assert_sql(d, "1", "select count(*) from locum.signal where job_id = 1");
	PQfinish(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_role_that_may_only_submit_submits_in_every_way),
		DATABASE_TEST(a_role_that_may_only_look_changes_nothing),
		DATABASE_TEST(a_role_that_may_intervene_cancels_and_retries),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
