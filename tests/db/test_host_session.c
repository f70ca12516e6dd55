/* What a handler does to its host's session is over when its job is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/host_fixture.h"

static const char FUNCTIONS[] =
	"drop schema if exists app cascade; create schema app; drop table if exists effect;"
	"create table effect (job bigint, at timestamptz default now());"
	"create function app.meddle(job bigint, payload json) returns json language plpgsql as "
	"$$ begin insert into public.effect values (job); execute payload #>> '{}'; "
	"return null; end $$;"
	"create function app.see(job bigint, payload json) returns json language sql as "
	"$$ insert into public.effect values (job); "
	"select to_json(current_setting(payload #>> '{}')) $$;"
	"create function app.raises(job bigint, payload json) returns json language plpgsql as "
	"$$ begin raise 'mine' using errcode = payload #>> '{}'; end $$;";

static void start(struct host_fixture *f, void **state)
{
	host_fixture_open(f, *state);
	host_fixture_deed(f, "meddle");
	host_fixture_deed(f, "effect");
	host_fixture_function(f, "sql meddle", "app.meddle");
	host_fixture_function(f, "see", "app.see");
	host_fixture_function(f, "raises", "app.raises");
	database_do(f->d, "%s", FUNCTIONS);
	host_fixture_start(f);
}

static struct wire_outcome do_job(struct host_fixture *f, const char *handler, const char *payload)
{
	struct wire_job job = host_fixture_claim(f, handler, payload);

	return host_fixture_run(f, &job);
}

/* Both kinds of handlers; each ends well itself. */
static void meddle(struct host_fixture *f, const char *sql)
{
	char payload[300];

	snprintf(payload, sizeof(payload), "\"%s\"", sql);
	host_fixture_assert(do_job(f, "meddle", payload), VERDICT_SETTLED, NULL);
	host_fixture_assert(do_job(f, "sql meddle", payload), VERDICT_SETTLED, NULL);
}

static void assert_others_work(struct host_fixture *f)
{
	host_fixture_assert(do_job(f, "effect", "{}"), VERDICT_SETTLED, NULL);
	host_fixture_assert(do_job(f, "see", "\"search_path\""), VERDICT_SETTLED, NULL);
	assert_sql(f->d, "\"\\\"$user\\\", public\"",
		   "select result from locum.finished where result is not null "
		   "order by id desc limit 1");
}

static void settings_end_with_the_job(void **state)
{
	struct host_fixture f;

	start(&f, state);
	meddle(&f, "set search_path = nowhere");
	assert_others_work(&f);
	meddle(&f, "set default_transaction_read_only = on");
	assert_others_work(&f);
	meddle(&f, "set default_transaction_isolation = 'serializable'");
	host_fixture_assert(do_job(&f, "see", "\"transaction_isolation\""), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "\"read committed\"",
		   "select result from locum.finished where result is not null "
		   "order by id desc limit 1");
	host_fixture_close(&f);
}

static void roles_end_with_the_job(void **state)
{
	struct host_fixture f;

	start(&f, state);
	database_do(f.d, "drop role if exists locum_test_other; create role locum_test_other");
	host_fixture_assert(do_job(&f, "meddle", "\"set session authorization locum_test_other\""),
			    VERDICT_RETRY, "permission denied for schema locum, SQLSTATE 42501");
	assert_others_work(&f);
	host_fixture_close(&f);
}

static void locks_of_the_session_end_with_the_job(void **state)
{
	struct host_fixture f;

	start(&f, state);
	meddle(&f, "select pg_advisory_lock(77)");
	assert_sql(f.d, "0",
		   "select count(*) from pg_locks join pg_database on oid = database "
		   "where datname = current_database() and locktype = 'advisory'");
	/* A transaction that is rolled back keeps them, too. */
	host_fixture_assert(do_job(&f, "sql meddle", "\"select pg_advisory_lock(77); select 1/0\""),
			    VERDICT_RETRY, "division by zero (SQLSTATE 22012)");
	assert_sql(f.d, "0",
		   "select count(*) from pg_locks join pg_database on oid = database "
		   "where datname = current_database() and locktype = 'advisory'");
	host_fixture_close(&f);
}

static void prepared_statements_that_were_taken_away_are_made_again(void **state)
{
	struct host_fixture f;
	struct wire_outcome outcome;

	start(&f, state);
	host_fixture_assert(do_job(&f, "sql meddle", "\"deallocate all\""), VERDICT_SETTLED, NULL);
	assert_others_work(&f);
	/* The host cannot complete it, finds out why, and does without. */
	outcome = do_job(&f, "meddle", "\"deallocate all\"");
	assert_int_equal(outcome.verdict, VERDICT_SNOOZED);
	assert_int_equal(outcome.delay_ms, 0);
	host_fixture_assert(do_job(&f, "meddle", "\"deallocate all\""), VERDICT_SETTLED, NULL);
	assert_others_work(&f);
	host_fixture_close(&f);
}

static void a_prepared_statement_of_the_hosts_name_does_no_harm(void **state)
{
	struct host_fixture f;

	start(&f, state);
	assert_int_equal(do_job(&f, "meddle", "\"prepare job_settle as select 1\"").verdict,
			 VERDICT_SNOOZED);
	host_fixture_assert(do_job(&f, "meddle", "\"prepare job_settle as select 1\""),
			    VERDICT_SETTLED, NULL);
	assert_others_work(&f);
	host_fixture_close(&f);
}

static void a_handler_that_ends_the_transaction_and_begins_another_is_found_out(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(
		do_job(&f, "meddle", "\"commit; begin\""), VERDICT_RETRY,
		"the handler ended the transaction, which is not its to end, SQLSTATE 25000");
	assert_others_work(&f);
	host_fixture_close(&f);
}

/* By locum.complete, in the very transaction that the host is to end. */
static void a_handler_may_complete_its_job_itself(void **state)
{
	static const char COMPLETE[] =
		"\"select locum.complete(id, claim_id, '7') from locum.job\"";
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_job(&f, "meddle", COMPLETE), VERDICT_SETTLED, NULL);
	host_fixture_assert(do_job(&f, "sql meddle", COMPLETE), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "completed|7\ncompleted|7", "select state, result from locum.finished");
	assert_sql(f.d, "2", "select count(*) from effect");
	host_fixture_close(&f);
}

/* The function's own errors, whatever they look like, are counted and keep their text. */
static void an_sqlstate_of_the_functions_own_is_never_the_hosts(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(do_job(&f, "raises", "\"LC001\""), VERDICT_RETRY,
			    "mine (SQLSTATE LC001)");
	host_fixture_assert(do_job(&f, "raises", "\"LC003\""), VERDICT_RETRY,
			    "mine (SQLSTATE LC003)");
	host_fixture_assert(do_job(&f, "raises", "\"25006\""), VERDICT_RETRY,
			    "mine (SQLSTATE 25006)");
	host_fixture_assert(do_job(&f, "raises", "\"26000\""), VERDICT_RETRY,
			    "mine (SQLSTATE 26000)");
	host_fixture_close(&f);
}

/* The gate is refused: the server is there, so that waiting for it would be for ever. */
static void a_refusal_of_the_server_counts(void **state)
{
	struct host_fixture f;

	start(&f, state);
	database_do(f.d, "alter table locum.job rename column claim_id to claim_id_gone");
	{
		struct wire_job job = host_fixture_job(1, "effect", "{}");
		struct wire_outcome outcome = host_fixture_run(&f, &job);

		database_do(f.d, "alter table locum.job rename column claim_id_gone to claim_id");
		host_fixture_assert(outcome, VERDICT_RETRY,
				    "column \"claim_id\" does not exist (SQLSTATE 42703)");
	}
	host_fixture_close(&f);
}

static void a_role_that_may_not_log_in_breaks_the_handler_here(void **state)
{
	static const char *const HANDLERS[] = { "effect", "see" };
	struct host_fixture f;
	struct database refused = { 0 };

	host_fixture_open(&f, NULL);
	snprintf(refused.conninfo, sizeof(refused.conninfo), "%.400s user=nobody_knows",
		 ((struct database *)*state)->conninfo);
	f.d = &refused;
	host_fixture_deed(&f, "effect");
	host_fixture_function(&f, "see", "app.see");
	host_fixture_start(&f);
	for (int i = 0; i < 2; i++) {
		struct wire_job job = host_fixture_job(i + 1, HANDLERS[i], "\"x\"");

		assert_int_equal(host_fixture_run(&f, &job).verdict, VERDICT_RELEASED);
		host_fixture_broken(&f, HANDLERS[i]);
	}
	host_fixture_close(&f);
}

static void a_timeout_of_any_length_can_be_had(void **state)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	job = host_fixture_claim(&f, "effect", "{}");
	job.timeout_ms = INT64_C(30) * 24 * 3600 * 1000;
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_SETTLED, NULL);
	job = host_fixture_claim(&f, "see", "\"statement_timeout\"");
	job.timeout_ms = INT64_C(30) * 24 * 3600 * 1000;
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_SETTLED, NULL);
	host_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(settings_end_with_the_job),
		DATABASE_TEST(roles_end_with_the_job),
		DATABASE_TEST(locks_of_the_session_end_with_the_job),
		DATABASE_TEST(prepared_statements_that_were_taken_away_are_made_again),
		DATABASE_TEST(a_prepared_statement_of_the_hosts_name_does_no_harm),
		DATABASE_TEST(a_handler_that_ends_the_transaction_and_begins_another_is_found_out),
		DATABASE_TEST(a_handler_may_complete_its_job_itself),
		DATABASE_TEST(an_sqlstate_of_the_functions_own_is_never_the_hosts),
		DATABASE_TEST(a_refusal_of_the_server_counts),
		DATABASE_TEST(a_role_that_may_not_log_in_breaks_the_handler_here),
		DATABASE_TEST(a_timeout_of_any_length_can_be_had),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
