/* Jobs that somebody else's transaction holds locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"

static const struct uuid NONE;

struct pair {
	struct uuid dispatcher;
	struct fleet_outcome ends[2];
};

/* Two jobs, of which the first one is locked by somebody else's transaction. */
static struct pair half_locked(struct database *d)
{
	struct pair pair = { .dispatcher = fleet_dispatcher(d) };

	for (int i = 0; i < 2; i++) {
		fleet_submit(d, "'h'");
		pair.ends[i].id = fleet_claim_one(d, pair.dispatcher, &pair.ends[i].claim_id);
		pair.ends[i].outcome = i == 0 ? "retry" : "completed";
		pair.ends[i].delay_ms = -1;
	}
	database_do(d, "begin");
	database_do(d, "select from locum.job where id = %d for update", (int)pair.ends[0].id);
	return pair;
}

/* By the look of the row; one that is locked no more is taken, though it still looks so. */
static void a_completion_leaves_out_at_once_what_somebody_holds_locked(void **state)
{
	struct database *d = *state;
	struct pair pair = half_locked(d);

	assert_int_equal(fleet_complete_batch(d, pair.dispatcher, uuid_make(), NONE, pair.ends, 2),
			 1);
	assert_string_equal(fleet_lookup(d, uuid_make(), pair.ends[0].id, pair.ends[0].claim_id),
			    "held");
	database_do(d, "rollback");
	assert_int_equal(fleet_complete_batch(d, pair.dispatcher, uuid_make(), NONE, pair.ends, 1),
			 1);
}

/* A savepoint's lock cannot be seen: it is waited for, but not for long. */
static void a_completion_waits_for_a_lock_it_did_not_see_no_longer_than_the_limit(void **state)
{
	struct database *d = *state;
	struct pair pair = half_locked(d);

	database_do(d, "rollback; begin; savepoint s");
	database_do(d, "select from locum.job where id = %d for update", (int)pair.ends[0].id);
	assert_int_equal(fleet_complete_batch(d, pair.dispatcher, uuid_make(), NONE, pair.ends, 2),
			 -1);
	assert_string_equal(d->err.sqlstate, "55P03");
	pair.ends[0].skip = true;
	assert_int_equal(fleet_complete_batch(d, pair.dispatcher, uuid_make(), NONE, pair.ends, 2),
			 1);
	database_do(d, "rollback");
}

static void a_completion_that_skips_leaves_a_locked_job_to_be_held(void **state)
{
	struct database *d = *state;
	struct pair pair = half_locked(d);
	struct uuid completion_id = uuid_make();

	pair.ends[0].skip = true;
	assert_int_equal(
		fleet_complete_batch(d, pair.dispatcher, completion_id, NONE, pair.ends, 2), 1);
	assert_string_equal(fleet_lookup(d, completion_id, pair.ends[0].id, pair.ends[0].claim_id),
			    "held");
	assert_string_equal(fleet_lookup(d, completion_id, pair.ends[1].id, pair.ends[1].claim_id),
			    "mine");
	database_do(d, "rollback");
	assert_int_equal(
		fleet_complete_batch(d, pair.dispatcher, completion_id, NONE, pair.ends, 1), 1);
	assert_sql(d, "1|2|1|scheduled|completed",
		   "select j.id, f.id, attempt, j.state, f.state from locum.job j, "
		   "(select id, state from locum.finished) f");
}

static void starts_are_written_but_for_locked_jobs(void **state)
{
	struct database *d = *state;
	struct pair pair = half_locked(d);

	assert_false(fleet_start(d, pair.ends[0].id, pair.ends[0].claim_id));
	assert_true(fleet_start(d, pair.ends[1].id, pair.ends[1].claim_id));
	database_do(d, "rollback");
	assert_true(fleet_start(d, pair.ends[0].id, pair.ends[0].claim_id));
}

/* Whoever holds a claimed job locked is about to end it, or runs it: its worker is told. */
static void a_locked_job_is_cancelled_by_way_of_its_worker(void **state)
{
	struct database *d = *state;
	struct pair pair = half_locked(d);
	PGconn *other = database_connection(d);
	PGresult *rows = PQexec(other, "select locum.cancel(1)");
	char claim[UUID_TEXT_SIZE];

	assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
	assert_string_equal(PQgetvalue(rows, 0, 0), "t");
	PQclear(rows);
	PQfinish(other);
	database_do(d, "rollback");
	uuid_text(pair.ends[0].claim_id, claim);
	assert_sql(d, "1|cancel|t", "select job_id, kind, claim_id = '%s' from locum.signal",
		   claim);
}

static void a_locked_job_without_a_claim_is_not_cancelled_and_that_is_said(void **state)
{
	struct database *d = *state;
	PGconn *other = database_connection(d);
	PGresult *rows;

	fleet_submit(d, "'h'");
	database_do(d, "begin");
	database_do(d, "select from locum.job for update");
	rows = PQexec(other, "select locum.cancel(1)");
	assert_string_equal(PQresultErrorField(rows, PG_DIAG_SQLSTATE), "55P03");
	PQclear(rows);
	PQfinish(other);
	database_do(d, "rollback");
}

/* How many connections gate_end ends for job 1 and this claim. */
static int64_t end_gate(struct database *d, struct uuid dispatcher, struct uuid claim_id)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, dispatcher);
	args_int8_array(&args, (const int64_t[]){ 1 }, 1);
	args_uuid_array(&args, &claim_id, 1);
	return database_count(d, "gate_end", &args);
}

/* Whoever asks for it may have been given up, and the job claimed anew. */
static void a_gate_is_ended_only_for_the_claim_that_stands(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	PGconn *holder = database_connection(d);
	char text[UUID_TEXT_SIZE];
	char rename[128];
	struct uuid former;
	struct uuid present;

	fleet_submit(d, "'h'");
	fleet_claim(d, dispatcher, 1, &former);
	fleet_release(d, 1, former);
	fleet_claim(d, dispatcher, 1, &present);
	snprintf(rename, sizeof(rename), "set application_name = 'locum/job/1/%s'",
		 uuid_text(dispatcher, text));
	PQclear(PQexec(holder, rename));
	assert_int_equal(end_gate(d, dispatcher, former), 0);
	assert_int_equal(end_gate(d, fleet_dispatcher(d), present), 0);
	assert_int_equal(end_gate(d, dispatcher, present), 1);
	PQfinish(holder);
}

/* Somebody is about to submit a job with the key of its follow-up. */
static void a_cancelled_claim_that_goes_back_waits_for_no_key(void **state)
{
	struct database *d = *state;
	PGconn *other = database_connection(d);
	struct uuid claim_id;
	struct args args;

	fleet_submit(d, "'h', \"then\" => '{\"always\": {\"handler\": \"n\", \"key\": \"k\"}}'");
	fleet_claim(d, fleet_dispatcher(d), 1, &claim_id);
	database_do(d, "select locum.cancel(1)");
	PQclear(PQexec(other, "begin; select locum.submit('h', key => 'k')"));
	args_init(&args);
	args_int8_array(&args, (const int64_t[]){ 1 }, 1);
	args_uuid_array(&args, &claim_id, 1);
	assert_null(database_try(d, "claim_release", &args));
	assert_string_equal(d->err.sqlstate, "55P03");
	assert_sql(d, "assigned", "select state from locum.job");
	PQfinish(other);
	assert_int_equal(fleet_release(d, 1, claim_id), 1);
	assert_sql(d, "n|k", "select handler, key from locum.job");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_completion_leaves_out_at_once_what_somebody_holds_locked),
		DATABASE_TEST(
			a_completion_waits_for_a_lock_it_did_not_see_no_longer_than_the_limit),
		DATABASE_TEST(a_completion_that_skips_leaves_a_locked_job_to_be_held),
		DATABASE_TEST(starts_are_written_but_for_locked_jobs),
		DATABASE_TEST(a_cancelled_claim_that_goes_back_waits_for_no_key),
		DATABASE_TEST(a_locked_job_is_cancelled_by_way_of_its_worker),
		DATABASE_TEST(a_locked_job_without_a_claim_is_not_cancelled_and_that_is_said),
		DATABASE_TEST(a_gate_is_ended_only_for_the_claim_that_stands),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
