/* What people do to jobs that others act upon at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

/* Sends a query that waits for what d->sql has locked. */
static PGconn *send_and_block(struct database *d, const char *query)
{
	PGconn *other = database_connection(d);

	assert_int_equal(PQsendQuery(other, query), 1);
	while (database_int(d, "select count(*) from pg_locks where not granted and pid = %d",
			    PQbackendPID(other)) == 0) {
	}
	return other;
}

static void assert_answer(PGconn *other, const char *expected)
{
	PGresult *rows = PQgetResult(other);

	assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
	assert_string_equal(PQgetisnull(rows, 0, 0) ? "-" : PQgetvalue(rows, 0, 0), expected);
	PQclear(rows);
	PQfinish(other);
}

static void a_job_that_left_the_states_is_left_alone(void **state)
{
	struct database *d = *state;
	PGconn *other;

	/* How long it waits is not what this is about. */
	database_do(d, "alter function locum.cancel_in(bigint, text[]) set lock_timeout = 0");
	fleet_submit(d, "'h', delay => '1 h'");
	database_do(d, "begin; select from locum.job where id = 1 for update");
	other = send_and_block(d, "select locum.cancel_in(1, '{scheduled}')");
	database_do(d, "update locum.job set state = 'pending', lane = 0; commit");
	assert_answer(other, "left");
	assert_sql(d, "pending", "select state from locum.job");
	assert_sql(d, "cancelled|-",
		   "select locum.cancel_in(1, '{scheduled,pending}'), locum.cancel_in(2, null)");
}

static void a_claimed_job_is_asked_only_in_the_states(void **state)
{
	struct database *d = *state;
	struct uuid claim_id;

	fleet_submit(d, "'h'");
	fleet_claim_one(d, fleet_dispatcher(d), &claim_id);
	assert_sql(d, "left|0",
		   "select locum.cancel_in(1, '{active}'), (select count(*) from locum.signal)");
	assert_sql(d, "asked", "select locum.cancel_in(1, '{assigned}')");
	assert_sql(d, "1|t",
		   "select (select count(*) from locum.signal), cancel_requested from locum.job");
}

static void of_two_who_retry_a_job_once_one_does(void **state)
{
	struct database *d = *state;
	PGconn *other;

	database_do(d, "select locum.cancel(%d)", (int)fleet_submit(d, "'h'"));
	database_do(d, "begin; select locum.retry_once(1)");
	other = send_and_block(d, "select locum.retry_once(1)");
	database_do(d, "commit");
	assert_answer(other, "-");
	database_do(d, "select locum.cancel(2)");
	assert_sql(d, "-|3", "select locum.retry_once(1), locum.retry_once(2)");
	assert_sql(d, "t", "select locum.retry(1) is not null");
}

static void a_retried_job_keeps_its_submitter(void **state)
{
	struct database *d = *state;

	fleet_submit(d, "'h', submitted_by => 'ann'");
	database_do(d, "select locum.cancel(1), locum.retry(1)");
	assert_sql(d, "ann", "select submitted_by from locum.job");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_job_that_left_the_states_is_left_alone),
		DATABASE_TEST(a_claimed_job_is_asked_only_in_the_states),
		DATABASE_TEST(of_two_who_retry_a_job_once_one_does),
		DATABASE_TEST(a_retried_job_keeps_its_submitter),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
