/* Handlers that are functions of the database, run by a real plugin host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/host_fixture.h"

static const char FUNCTIONS[] =
	"drop schema if exists app cascade; create schema app;"
	"create table app.effect (job bigint);"
	"create function app.settle(job bigint, payload json) returns json language sql as "
	"$$ insert into app.effect values (job); select payload $$;"
	"create function app.none(job bigint, payload json) returns json language sql as "
	"$$ select null::json $$;"
	"create function app.raises(job bigint, payload json) returns json language plpgsql as "
	"$$ begin insert into app.effect values (job); raise 'too \"bad\"' "
	"using detail = 'a detail'; end $$;"
	"create function app.fails(job bigint, payload json) returns json language plpgsql as "
	"$$ begin raise 'for good' using errcode = 'LC002'; end $$;"
	"create function app.pretends(job bigint, payload json) returns json language plpgsql as "
	"$$ begin raise 'mine' using errcode = 'LC001'; end $$;"
	"create function app.slow(job bigint, payload json) returns json language sql as "
	"$$ insert into app.effect values (job); select pg_sleep(60); select '1'::json $$;"
	"create function app.waits(job bigint, payload json) returns json language sql as "
	"$$ insert into app.effect values (job); select pg_advisory_lock_shared(1); "
	"select pg_advisory_unlock_shared(1); select payload $$;"
	"create function app.\"Odd Name\"(job bigint, payload json) returns json language sql as "
	"$$ select '\"odd\"'::json $$;"
	"create sequence app.tries;"
	"create function app.conflicts(job bigint, payload json) returns json language plpgsql as "
	"$$ begin insert into app.effect values (job); "
	"if nextval('app.tries') < payload::text::int then "
	"raise 'a conflict' using errcode = '40001'; end if; return payload; end $$;"
	"create function app.odd(job int, payload json) returns json language sql as "
	"$$ select '\"wrong one\"'::json $$;"
	"create function app.odd(job bigint, payload json) returns json language sql as "
	"$$ select '\"right one\"'::json $$;";

static void start(struct host_fixture *f, void **state)
{
	static const char *const HANDLERS[][2] = {
		{ "settle", "app.settle" },     { "none", "app.none" },
		{ "raises", "app.raises" },     { "fails", "app.fails" },
		{ "pretends", "app.pretends" }, { "slow", "app.slow" },
		{ "waits", "app.waits" },       { "odd name", "app.\"Odd Name\"" },
		{ "odd", "app.odd" },           { "conflicts", "app.conflicts" },
		{ "gone", "app.gone" },         { "sly", "app.none(1); drop table app.effect; --" },
	};

	host_fixture_open(f, *state);
	for (size_t i = 0; i < sizeof(HANDLERS) / sizeof(HANDLERS[0]); i++)
		host_fixture_function(f, HANDLERS[i][0], HANDLERS[i][1]);
	database_do(f->d, "%s", FUNCTIONS);
	host_fixture_start(f);
}

static struct wire_outcome call(struct host_fixture *f, const char *handler, const char *payload)
{
	struct wire_job job = host_fixture_claim(f, handler, payload);

	return host_fixture_run(f, &job);
}

static void a_function_gets_its_job_and_its_result_is_stored_in_one_transaction(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(call(&f, "settle", "{\"b\" : 1e400}"), VERDICT_SETTLED, NULL);
	host_fixture_assert(call(&f, "none", "1"), VERDICT_SETTLED, NULL);
	host_fixture_assert(call(&f, "odd name", "1"), VERDICT_SETTLED, NULL);
	host_fixture_assert(call(&f, "odd", "1"), VERDICT_SETTLED, NULL);
	assert_sql(
		f.d, "1|{\"b\" : 1e400}|1\n2|-|1\n3|\"odd\"|1\n4|\"right one\"|1",
		"select id, result, attempt from locum.finished where state = 'completed' order by id");
	assert_sql(f.d, "1", "select count(*) from app.effect");
	host_fixture_close(&f);
}

static void a_payload_of_a_mebibyte_passes_whole(void **state)
{
	struct host_fixture f;
	char *payload = malloc(LIMIT_PAYLOAD_BYTES + 1);

	start(&f, state);
	memset(payload, 'x', LIMIT_PAYLOAD_BYTES);
	payload[0] = '"';
	payload[LIMIT_PAYLOAD_BYTES - 1] = '"';
	payload[LIMIT_PAYLOAD_BYTES] = '\0';
	host_fixture_assert(call(&f, "settle", payload), VERDICT_SETTLED, NULL);
	assert_int_equal(database_int(f.d, "select length(result::text) from locum.finished"),
			 LIMIT_PAYLOAD_BYTES);
	free(payload);
	host_fixture_close(&f);
}

static void an_error_keeps_its_text_sqlstate_and_detail_and_leaves_nothing(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(call(&f, "raises", "1"), VERDICT_RETRY,
			    "too \"bad\" (SQLSTATE P0001) DETAIL: a detail");
	host_fixture_assert(call(&f, "fails", "1"), VERDICT_FAIL, "for good (SQLSTATE LC002)");
	assert_sql(f.d, "0|2",
		   "select (select count(*) from app.effect), (select count(*) from locum.job)");
	host_fixture_close(&f);
}

/* The sequence counts the calls, whatever becomes of their transactions. */
static void a_conflict_is_tried_five_times_and_then_left_to_the_policy(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(call(&f, "conflicts", "5"), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "5|1|1",
		   "select last_value, (select count(*) from app.effect), "
		   "(select attempt from locum.finished) from app.tries");
	database_do(f.d, "alter sequence app.tries restart");
	host_fixture_assert(call(&f, "conflicts", "6"), VERDICT_RETRY,
			    "a conflict (SQLSTATE 40001)");
	assert_sql(f.d, "5|1",
		   "select last_value, (select count(*) from app.effect) "
		   "from app.tries");
	host_fixture_close(&f);
}

static void a_stolen_job_is_lost_and_one_that_only_says_so_is_not(void **state)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	host_fixture_assert(call(&f, "pretends", "1"), VERDICT_RETRY, "mine (SQLSTATE LC001)");
	job = host_fixture_claim(&f, "settle", "1");
	database_do(f.d, "update locum.job set claim_id = gen_random_uuid()");
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_LOST, NULL);
	assert_sql(f.d, "0", "select count(*) from app.effect");
	host_fixture_close(&f);
}

static void a_job_behind_the_gate_of_a_function_cannot_be_stolen(void **state)
{
	struct host_fixture f;
	struct wire_job job;
	struct uuid victim;

	start(&f, state);
	victim = f.dispatcher;
	job = host_fixture_claim(&f, "waits", "1");
	database_do(f.d, "select pg_advisory_lock(1)");
	host_fixture_send(&f, &job, 1);
	while (database_int(f.d, "select count(*) from pg_locks join pg_database on oid = database "
				 "where datname = current_database() and locktype = 'advisory' "
				 "and not granted") == 0) {
	}
	fleet_kill(f.d, victim);
	assert_int_equal(fleet_reclaim(f.d, victim, 10), 0);
	database_do(f.d, "select pg_advisory_unlock(1)");
	host_fixture_assert(host_fixture_outcome(&f, &job), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "1|completed",
		   "select (select count(*) from app.effect), (select state from locum.finished)");
	host_fixture_close(&f);
}

static void a_function_past_the_jobs_timeout_is_ended_and_tried_again(void **state)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	job = host_fixture_claim(&f, "slow", "1");
	job.timeout_ms = 100;
	host_fixture_assert(host_fixture_run(&f, &job), VERDICT_RETRY, "timed out after 100ms");
	host_fixture_assert(call(&f, "settle", "1"), VERDICT_SETTLED, NULL);
	assert_sql(f.d, "1", "select count(*) from app.effect");
	host_fixture_close(&f);
}

static void a_cancelled_function_ends(void **state)
{
	struct host_fixture f;
	struct wire_job job;

	start(&f, state);
	job = host_fixture_claim(&f, "slow", "1");
	host_fixture_send(&f, &job, 1);
	host_fixture_await_started(&f, &job);
	host_fixture_cancel(&f, &job);
	host_fixture_assert(host_fixture_outcome(&f, &job), VERDICT_CANCELLED,
			    "cancelled on request");
	host_fixture_close(&f);
}

static void a_function_that_is_not_there_is_a_broken_handler(void **state)
{
	struct host_fixture f;

	start(&f, state);
	host_fixture_assert(call(&f, "gone", "1"), VERDICT_RELEASED,
			    "released: there is no function app.gone(bigint, json)");
	host_fixture_broken(&f, "gone");
	assert_int_equal(call(&f, "gone", "1").verdict, VERDICT_RELEASED);
	host_fixture_close(&f);
}

static void a_name_that_is_more_than_a_name_runs_nothing(void **state)
{
	struct host_fixture f;

	start(&f, state);
	assert_int_not_equal(call(&f, "sly", "1").verdict, VERDICT_SETTLED);
	assert_sql(f.d, "0", "select count(*) from app.effect");
	host_fixture_close(&f);
}

static void a_database_that_cannot_be_had_costs_no_attempt(void **state)
{
	char nowhere[] = "host=/nonexistent dbname=none";
	struct host_fixture f;
	struct wire_job job = host_fixture_job(1, "settle", "1");
	struct wire_outcome outcome;
	struct database d = { 0 };

	(void)state;
	host_fixture_open(&f, NULL);
	snprintf(d.conninfo, sizeof(d.conninfo), "%s", nowhere);
	f.d = &d;
	host_fixture_function(&f, "settle", "app.settle");
	host_fixture_start(&f);
	outcome = host_fixture_run(&f, &job);
	assert_int_equal(outcome.verdict, VERDICT_SNOOZED);
	assert_true(outcome.delay_ms > 0);
	host_fixture_close(&f);
}

static void a_day_without_a_partition_gets_one(void **state)
{
	struct host_fixture f;

	start(&f, state);
	database_do(f.d,
		    "do $$ declare p regclass; begin for p in select inhrelid from pg_inherits "
		    "where inhparent = 'locum.finished'::regclass loop "
		    "execute format('drop table %%s', p); end loop; end $$");
	host_fixture_assert(call(&f, "settle", "1"), VERDICT_SETTLED, NULL);
	database_do(f.d, "select locum.finished_prepare(current_date, current_date + 7)");
	host_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(a_function_gets_its_job_and_its_result_is_stored_in_one_transaction),
		DATABASE_TEST(a_payload_of_a_mebibyte_passes_whole),
		DATABASE_TEST(an_error_keeps_its_text_sqlstate_and_detail_and_leaves_nothing),
		DATABASE_TEST(a_conflict_is_tried_five_times_and_then_left_to_the_policy),
		DATABASE_TEST(a_stolen_job_is_lost_and_one_that_only_says_so_is_not),
		DATABASE_TEST(a_job_behind_the_gate_of_a_function_cannot_be_stolen),
		DATABASE_TEST(a_function_past_the_jobs_timeout_is_ended_and_tried_again),
		DATABASE_TEST(a_cancelled_function_ends),
		DATABASE_TEST(a_function_that_is_not_there_is_a_broken_handler),
		DATABASE_TEST(a_name_that_is_more_than_a_name_runs_nothing),
		DATABASE_TEST(a_database_that_cannot_be_had_costs_no_attempt),
		DATABASE_TEST(a_day_without_a_partition_gets_one),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
