/* Handlers that complete their jobs themselves, in their own transaction, and completions that go with claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

/*
 * Adds a handler that writes a row and completes its job with this claim in one transaction, and whose script
 * goes on as `then` says. What psql said is in $said.
 */
static void add_self(struct scenario *s, const char *settings, const char *before,
		     const char *claim, const char *then)
{
	char script[2048];

	snprintf(script, sizeof(script),
		 "%s\n"
		 "said=$(psql -XqAt -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -d '%s' -c \"begin; "
		 "insert into public.effect values ($LOCUM_JOB_ID, $LOCUM_CLAIM_SEQ); "
		 "select locum.complete($LOCUM_JOB_ID, '%s', '{\\\"by\\\": $LOCUM_CLAIM_SEQ}'); "
		 "commit\" 2>&1)\n%s",
		 before, s->database->conninfo, claim, then);
	scenario_handler(s, "self", settings, script);
	database_do(s->database, "drop table if exists public.effect; "
				 "create table public.effect (job bigint, claim_seq bigint)");
}

static void a_handler_completes_its_job_in_its_own_transaction(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	add_self(s, "", "note run", "$LOCUM_CLAIM_ID", "exit 1");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 5, "self");
	scenario_await_finished(s, 5, "completed");
	scenario_drain(s, daemon); /* it has heard of every exit code by now */
	assert_sql(s->database, "{\"by\": 1}|1|-|5",
		   "select result::text, attempt, error, count(*) from locum.finished "
		   "where state = 'completed' group by 1, 2, 3");
	assert_sql(s->database, "5|5", "select count(distinct job), count(*) from public.effect");
	assert_int_equal(database_int(s->database, "select count(*) from locum.job"), 0);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
	assert_int_equal(scenario_noted(s, "run "), 5);
}

static void a_wrong_claim_completes_nothing(void **state)
{
	struct scenario *s = *state;

	add_self(s, "", "", "00000000-0000-4000-8000-000000000000",
		 "case $said in *LC001*'job was reassigned'*) note refused ;; esac; exit 65");
	scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "self");
	scenario_await_finished(s, 1, "failed");
	assert_int_equal(scenario_noted(s, "refused "), 1);
	assert_int_equal(database_int(s->database, "select count(*) from public.effect"), 0);
}

/* It is allowed to live through the silence of its dispatcher, and meets the conflict at its commit. */
static void a_reassigned_handlers_own_writes_roll_back(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;

	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	add_self(s, "fence = \"finish\"", "note start; gate gate.$LOCUM_CLAIM_SEQ",
		 "$LOCUM_CLAIM_ID",
		 "case $said in *LC001*'job was reassigned'*) note refused ;; esac; exit 0");
	slow = scenario_start(s, "slow", "%s", "");
	scenario_submit(s, 1, "self");
	scenario_await_active(s, 1);
	scenario_start(s, "sibling", "%s", "");
	scenario_freeze(s, slow);
	scenario_await_noted(s, 1, "start 1 2 ");
	scenario_let(s, "gate.1", 1);
	scenario_await_noted(s, 1, "refused 1 1 ");
	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_thaw(s, slow);
	scenario_await_logged(s, slow, 1, "was reassigned");
	assert_sql(s->database, "{\"by\": 2}", "select result::text from locum.finished");
	assert_sql(s->database, "1|2", "select job, claim_seq from public.effect");
}

/* Every claim fails with the SQLSTATE that stands in public.refusal. */
static void refuse_claims(struct scenario *s)
{
	database_do(
		s->database,
		"drop table if exists public.refusal; create table public.refusal (code text); "
		"create or replace function public.refuse() returns trigger language plpgsql as "
		"$$ declare r record; begin for r in select code from public.refusal loop "
		"raise 'no claim' using errcode = r.code; end loop; return new; end $$; "
		"create or replace trigger refuse before update on locum.job for each row "
		"when (new.state = 'assigned') execute function public.refuse()");
}

/* A completion and the next claim are one transaction as long as that works. */
static void claims_that_fail_hold_no_completion_up(void **state)
{
	static const char *const CODES[] = { "53400", "55P03", "P0001", "40001", "22012" };
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int count = sizeof(CODES) / sizeof(CODES[0]);

	scenario_gated(s);
	refuse_claims(s);
	daemon = scenario_start(s, "one",
				"ping_death_interval = \"1m\" agent \"main\" { size = 1 }");
	scenario_submit(s, 1, "gated");
	for (int i = 0; i < count; i++) {
		scenario_await_noted(s, i + 1, "start ");
		database_do(s->database, "insert into public.refusal values ('%s')", CODES[i]);
		scenario_submit(s, 1, "gated");
		scenario_let(s, "gate", 1);
		scenario_await_finished(s, i + 1, "completed");
		assert_int_equal(scenario_noted(s, "start "), i + 1);
		database_do(s->database, "delete from public.refusal");
	}
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, count + 1, "completed");
	scenario_assert_done_once(s, count + 1);
	scenario_drain(s, daemon);
	database_do(s->database, "drop trigger refuse on locum.job");
}

/* The dispatcher looks first where it claimed them. */
static void jobs_whose_rows_others_change_end_once_all_the_same(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	database_do(
		s->database,
		"create function public.move() returns trigger language plpgsql as "
		"'begin update locum.job set labels = null where id = new.id; return null; end'; "
		"create trigger move after update of claim_id on locum.job for each row "
		"when (new.claim_id is not null) execute function public.move()");
	scenario_handler(s, "quick", "", "begin; [ $LOCUM_ATTEMPT = 2 ] || exit 75");
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('quick', retry_delay => '0') "
				 "from generate_series(1, 5)");
	scenario_await_finished(s, 5, "completed");
	scenario_assert_done_once(s, 5);
	assert_int_equal(scenario_noted(s, "start "), 10);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
	scenario_drain(s, daemon);
	database_do(s->database, "drop trigger move on locum.job");
}

/* Whatever becomes of it: it goes by itself, again and again, and the others go by. */
static void an_outcome_that_is_refused_for_ever_holds_nobody_up(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "quick", "", "begin");
	database_do(
		s->database,
		"create or replace function public.refuse() returns trigger language plpgsql as "
		"$$ begin raise 'out of range' using errcode = '22008'; end $$; "
		"create trigger refuse before insert on locum.finished for each row "
		"when (new.id = 1) execute function public.refuse()");
	daemon = scenario_start(s, "one", "agent \"main\" { size = 1 }");
	scenario_submit(s, 1, "quick");
	scenario_await_logged(s, daemon, 1, "a completion is refused and comes again");
	scenario_submit(s, 5, "quick");
	scenario_await_finished(s, 5, "completed");
	database_do(s->database, "drop trigger refuse on locum.finished");
	scenario_await_finished(s, 1, "failed");
	assert_sql(s->database, "1|the database refused the outcome: out of range",
		   "select id, error from locum.finished where state = 'failed'");
	assert_int_equal(scenario_noted(s, "start "), 6);
	scenario_drain(s, daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_handler_completes_its_job_in_its_own_transaction),
		SCENARIO_CALM_TEST(a_wrong_claim_completes_nothing),
		SCENARIO_TEST(a_reassigned_handlers_own_writes_roll_back),
		SCENARIO_TEST(claims_that_fail_hold_no_completion_up),
		SCENARIO_CALM_TEST(jobs_whose_rows_others_change_end_once_all_the_same),
		SCENARIO_CALM_TEST(an_outcome_that_is_refused_for_ever_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
