/* What the dead, the fallen silent and the unlucky leave behind, and what becomes of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/fleet.h"
#include "tests/support/scenario.h"

enum {
	WARM_UP = 20,
	INTERRUPTIONS = 10,
	DISCONNECTS = 50,
	REFUSALS = 10,
	PARENTS = 200,
	CONFLICTS = LIMIT_CONFLICTS + 1,
	NEIGHBOURS = 8
};

/* So that the dispatcher knows short work and claims ahead of its slots. */
static void warm_up(struct scenario *s)
{
	scenario_submit(s, WARM_UP, "quick");
	scenario_await_finished(s, WARM_UP, "completed");
}

/* As a sibling would, and before anybody has it run anew. */
static void declare_dead(struct scenario *s, const struct scenario_daemon *daemon)
{
	struct uuid incarnation;

	assert_int_equal(uuid_read(scenario_incarnation(s, daemon), &incarnation), 0);
	fleet_kill(s->database, incarnation);
}

static void pause_queue(struct scenario *s, bool paused)
{
	database_do(s->database, "update locum.queue set paused = %s where name = 'default'",
		    paused ? "true" : "false");
}

/* --- of the dead -------------------------------------------------------------------------------- */

/* Three run under each policy, three wait for a slot, and two came later. */
static void leave_jobs_in_all_states(struct scenario *s)
{
	struct scenario_daemon *victim;

	victim = scenario_start(s, "victim", "agent \"main\" { size = 3 }");
	warm_up(s);
	database_do(s->database,
		    "select locum.submit('gated', on_interrupt => policy) from "
		    "unnest(array['retry', 'hold', 'fail', 'retry', 'retry', 'retry']) as policy");
	scenario_await_active(s, 3);
	scenario_await(s, "select count(*) = 3 from locum.job where state = 'assigned'");
	pause_queue(s, true);
	scenario_submit(s, 2, "gated");
	scenario_kill(s, victim);
}

static void jobs_of_the_dead_are_recovered_by_their_states_and_keep_their_order(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	leave_jobs_in_all_states(s);
	scenario_start(s, "sibling", "agent \"main\" { size = 1 }");
	scenario_await(s, "select count(*) = 0 from locum.job where incarnation is not null");
	assert_sql(s->database,
		   "21|pending|0|1|1\n22|held|-|1|1\n24|pending|0|0|1\n25|pending|0|0|1\n"
		   "26|pending|0|0|1\n27|pending|1|0|0\n28|pending|1|0|0",
		   "select id, state, lane, interruptions, recoveries from locum.job order by id");
	assert_sql(s->database, "23|failed|1\n-|completed|20",
		   "select case state when 'failed' then id end, state, count(*) "
		   "from locum.finished group by 1, 2 order by 2 desc");
	pause_queue(s, false);
	scenario_let(s, "gate", 6);
	scenario_await_finished(s, WARM_UP + 6, "completed");
	assert_string_equal(scenario_noted_jobs(s, "end"), "21,24,25,26,27,28");
	assert_int_equal(scenario_noted(s, "overlap "), 0);
}

static void follow_ups_of_the_dead_run_once_whatever_their_state(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "agent \"main\" { size = 2 }");
	warm_up(s);
	/* Two become active, and one stays assigned; one is completed; one waits in another line. */
	database_do(s->database,
		    "select locum.submit('quick', \"then\" => t::json) from unnest(array["
		    "'{\"success\": \"quick\"}', "
		    "'{\"success\": {\"handler\": \"quick\", \"queue\": \"later\"}}']) as t");
	scenario_await_finished(s, WARM_UP + 3, "completed");
	database_do(s->database,
		    "select locum.submit('quick', \"then\" => '{\"success\": \"gated\"}') "
		    "from generate_series(1, 3)");
	scenario_await_active(s, 2);
	scenario_await(s, "select count(*) = 1 from locum.job where state = 'assigned'");
	scenario_kill(s, victim);
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"default\", \"later\"} }");
	scenario_let(s, "gate", 3);
	scenario_await(s, "select count(*) = 0 from locum.job");
	scenario_assert_done_once(s, WARM_UP + 10);
	assert_sql(
		s->database, "5|5|2",
		"select count(*), count(distinct follows), sum(interruptions) from locum.finished "
		"where follows is not null");
	assert_int_equal(scenario_noted(s, "run "), WARM_UP + 7);
}

static void a_follow_up_is_there_the_moment_its_job_is_completed(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "agent \"main\" { size = 4 }");
	database_do(s->database,
		    "select locum.submit('quick', \"then\" => '{\"always\": \"quick\"}') "
		    "from generate_series(1, %d)",
		    PARENTS);
	while (database_int(s->database, "select count(*) from locum.finished") < 2 * PARENTS)
		assert_sql(s->database, "0",
			   "select count(*) from locum.jobs parent where state = 'completed' and "
			   "id <= %d and not exists "
			   "(select from locum.jobs j where j.follows = parent.id)",
			   PARENTS);
	assert_sql(s->database, "200|200",
		   "select count(*), count(distinct follows) from locum.finished "
		   "where follows is not null");
}

/* --- of the living ------------------------------------------------------------------------------ */

static void one_that_was_declared_dead_says_so_and_lives_on_anew(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	declare_dead(s, daemon);
	scenario_await_logged(s, daemon, 2, "dispatcher registered");
	assert_int_equal(scenario_logged(s, daemon, "this dispatcher was declared dead"), 1);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned job=1 claim_seq=1 "), 1);
	assert_sql(s->database, "dead,running|1|t",
		   "select string_agg(state::text, ',' order by seq), count(distinct id), "
		   "(select returned_at is not null from locum.death) from locum.dispatcher");
	scenario_await_noted(s, 2, "start ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	scenario_drain(s, daemon);
}

static void one_long_silent_takes_a_new_life_before_it_claims(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_rest(s, daemon);
	database_do(s->database,
		    "update locum.dispatcher_ping set pinged_at = now() - interval '365 days'");
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	scenario_await(s, "select count(*) = 1 from locum.death");
	scenario_submit(s, 1, "quick");
	scenario_thaw(s, daemon);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|t|t",
		   "select claim_seq, d.state = 'running', d.started_at >= returned_at "
		   "from locum.finished join locum.dispatcher d using (incarnation), locum.death");
}

static void the_dead_claim_nothing_although_jobs_wait(void **state)
{
	static const struct relay_rule NO_PING = { .client = "locum/pinger", .harm = RELAY_RESET };
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_relay(s);
	daemon = scenario_start(s, "one", "%s", "");
	relay_set(s->detour.relay, &NO_PING);
	declare_dead(s, daemon);
	scenario_submit(s, 1, "quick");
	for (int i = 0; i < 3; i++) {
		database_do(s->database,
			    "create table public.asked as select clock_timestamp() as at");
		scenario_await(s, "select bool_and(query_start > at and state = 'idle') "
				  "from pg_stat_activity, public.asked where datname = "
				  "current_database() and application_name like 'locum/pump/%%'");
		database_do(s->database, "drop table public.asked");
	}
	assert_sql(s->database, "pending|0", "select state, claim_seq from locum.job");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, daemon);
}

static void a_retry_without_a_pause_heads_the_line_and_one_with_a_pause_is_scheduled(void **state)
{
	struct scenario *s = *state;

	scenario_gate(s, "gate");
	scenario_handler(s, "second", "", "note run; gate gate; [ $LOCUM_ATTEMPT = 2 ] || exit 75");
	scenario_handler(s, "quick", "", "note run");
	scenario_start(s, "one", "agent \"main\" { size = 1 }");
	database_do(s->database, "select locum.submit('second', retry_delay => '1 h'), "
				 "locum.submit('second', retry_delay => '0')");
	scenario_let(s, "gate", 1);
	scenario_await_noted(s, 1, "run 2 ");
	pause_queue(s, true);
	scenario_submit(s, 2, "quick");
	scenario_let(s, "gate", 1);
	scenario_await(s, "select state = 'pending' and lane = 0 from locum.job where id = 2");
	pause_queue(s, false);
	scenario_await_noted(s, 3, "run ");
	assert_int_equal(scenario_noted(s, "run 2 "), 2);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 3, "completed");
	assert_sql(s->database, "1|scheduled|1|t",
		   "select id, state, attempt, run_at - now() between '44 min' and '76 min' "
		   "from locum.job");
}

static void the_tenth_interruption_ends_a_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	database_do(s->database,
		    "select locum.submit('gated', \"then\" => '{\"failure\": \"quick\"}')");
	for (int i = 1; i <= INTERRUPTIONS; i++) {
		scenario_await_noted(s, 1, "start 1 %d ", i);
		scenario_await(s, "select state = 'active' and interruptions = %d from locum.job",
			       i - 1);
		scenario_kill(s, daemon);
		scenario_run(s, daemon);
	}
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|failed|10|interrupted too often (10 times)\n2|completed|0|-",
		   "select id, state, interruptions, error from locum.finished order by id");
	assert_int_equal(scenario_noted(s, "start 1 "), INTERRUPTIONS);
	scenario_drain(s, daemon);
}

static void a_drain_that_is_cut_short_names_each_job_that_it_hands_back(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"200ms\"");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "handing back what remains remaining=2"), 1);
	for (int id = 1; id <= 2; id++) {
		char line[96];

		snprintf(line, sizeof(line),
			 "job ended job=%d handler=\"gated\" outcome=\"interrupt\"", id);
		if (scenario_logged(s, daemon, line) != 1)
			scenario_fail(s, "job %d is not named", id);
	}
}

/* --- outcomes that do not get through ------------------------------------------------------------ */

static void fifty_disconnects_at_the_commit_repeat_no_run(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_relay(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1m\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	relay_set(s->detour.relay, &(struct relay_rule){ .trigger = "job_complete",
							 .harm = RELAY_CUT_REQUEST,
							 .times = DISCONNECTS });
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(relay_hits(s->detour.relay), DISCONNECTS);
	scenario_assert_done_once(s, 1);
	assert_int_equal(scenario_noted(s, "start "), 1);
	assert_sql(s->database, "1|0|0",
		   "select claim_seq, interruptions, recoveries from locum.finished");
	scenario_drain(s, daemon);
}

/* Refuses the next so many rows of finished jobs with that SQLSTATE. */
static void refuse_finished(struct scenario *s, int times, const char *sqlstate)
{
	database_do(s->database,
		    "create sequence public.refused; "
		    "create function public.refuse() returns trigger language plpgsql as $$ begin "
		    "if nextval('public.refused') <= %d then raise 'not now' using errcode = '%s'; "
		    "end if; return new; end $$; "
		    "create trigger refuse before insert on locum.finished "
		    "for each row execute function public.refuse()",
		    times, sqlstate);
}

static void forget_refusals(struct scenario *s)
{
	database_do(s->database,
		    "drop function public.refuse() cascade; drop sequence public.refused");
}

/* A run whose end is refused so often is stored once, and not repeated. */
static void assert_stored_in_spite_of(struct scenario *s, const char *exit_code, int times,
				      const char *sqlstate, const char *ending)
{
	struct scenario_daemon *daemon;

	scenario_handler(s, "exits", "", "note run; exit $(cat)");
	refuse_finished(s, times, sqlstate);
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('exits', '%s')", exit_code);
	scenario_await_finished(s, 1, ending);
	assert_sql(s->database, "1|1|0",
		   "select attempt, claim_seq, interruptions from locum.finished");
	assert_int_equal(scenario_noted(s, "run "), 1);
	assert_int_equal(database_int(s->database, "select last_value from public.refused"),
			 times + 1);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
	scenario_drain(s, daemon);
	forget_refusals(s);
}

static void a_conflict_under_an_unchanged_claim_is_no_reassignment(void **state)
{
	assert_stored_in_spite_of(*state, "0", LIMIT_CONFLICTS, "40001", "completed");
}

/* By the job's policy: its result was never stored, so that it runs once more. */
static void a_completion_that_meets_nothing_but_conflicts_is_a_failed_attempt(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "answer", "", "note run; printf $LOCUM_ATTEMPT >&3");
	/* By the attempt, not so many times: what goes along with a completion is to blame first, which costs one. */
	database_do(s->database, "create function public.refuse() returns trigger language plpgsql "
				 "as $$ begin raise 'not now' using errcode = '40P01'; end $$; "
				 "create trigger refuse before insert on locum.finished for each "
				 "row when (new.attempt = 1) execute function public.refuse()");
	daemon = scenario_start(s, "one", "%s", "");
	database_do(s->database, "select locum.submit('answer', retry_delay => '0')");
	scenario_await_finished(s, 1, "completed");
	assert_sql(
		s->database, "2|2|2|retry|t",
		"select attempt, claim_seq, result, history -> 0 ->> 'outcome', history -> 0 ->> "
		"'error' like 'its completion met too many conflicts: %%' from locum.finished");
	assert_int_equal(scenario_noted(s, "run "), 2);
	assert_int_equal(scenario_logged(s, daemon, "a completion met a conflict"), CONFLICTS);
	scenario_drain(s, daemon);
	database_do(s->database, "drop function public.refuse() cascade");
}

/* Of many that end together only one is at fault. */
static void a_completion_that_meets_conflicts_takes_no_neighbour_along(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	scenario_handler(s, "answer", "", "begin; gate gate; note run");
	database_do(s->database, "create function public.refuse() returns trigger language plpgsql "
				 "as $$ begin raise 'not now' using errcode = '40001'; end $$; "
				 "create trigger refuse before insert on locum.finished for each "
				 "row when (new.id = 3 and new.state = 'completed') "
				 "execute function public.refuse()");
	daemon = scenario_start(s, "one", "agent \"main\" { size = %d }", NEIGHBOURS);
	database_do(s->database,
		    "select locum.submit('answer', max_attempts => 1) from "
		    "generate_series(1, %d)",
		    NEIGHBOURS);
	scenario_await_active(s, NEIGHBOURS);
	scenario_freeze(s, daemon);
	scenario_let(s, "gate", NEIGHBOURS);
	scenario_await_noted(s, NEIGHBOURS, "run ");
	scenario_thaw(s, daemon);
	scenario_await_finished(s, NEIGHBOURS - 1, "completed");
	scenario_await_finished(s, 1, "failed");
	assert_sql(s->database, "3|1",
		   "select id, attempt from locum.finished where state = 'failed'");
	assert_int_equal(scenario_noted(s, "run "), NEIGHBOURS);
	scenario_drain(s, daemon);
	database_do(s->database, "drop function public.refuse() cascade");
}

static void a_failure_that_cannot_be_stored_is_stored_later(void **state)
{
	assert_stored_in_spite_of(*state, "65", REFUSALS, "53100", "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(jobs_of_the_dead_are_recovered_by_their_states_and_keep_their_order),
		SCENARIO_TEST(follow_ups_of_the_dead_run_once_whatever_their_state),
		SCENARIO_CALM_TEST(a_follow_up_is_there_the_moment_its_job_is_completed),
		SCENARIO_TEST(one_that_was_declared_dead_says_so_and_lives_on_anew),
		SCENARIO_TEST(one_long_silent_takes_a_new_life_before_it_claims),
		SCENARIO_TEST(the_dead_claim_nothing_although_jobs_wait),
		SCENARIO_CALM_TEST(
			a_retry_without_a_pause_heads_the_line_and_one_with_a_pause_is_scheduled),
		SCENARIO_TEST(the_tenth_interruption_ends_a_job),
		SCENARIO_CALM_TEST(a_drain_that_is_cut_short_names_each_job_that_it_hands_back),
		SCENARIO_TEST(fifty_disconnects_at_the_commit_repeat_no_run),
		/* The last, for they leave a trigger when they fail. */
		SCENARIO_CALM_TEST(a_conflict_under_an_unchanged_claim_is_no_reassignment),
		SCENARIO_CALM_TEST(
			a_completion_that_meets_nothing_but_conflicts_is_a_failed_attempt),
		SCENARIO_CALM_TEST(a_completion_that_meets_conflicts_takes_no_neighbour_along),
		SCENARIO_CALM_TEST(a_failure_that_cannot_be_stored_is_stored_later),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
