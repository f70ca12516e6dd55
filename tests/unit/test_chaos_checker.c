/* Good histories, and such as prove nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)

/* --- good ones ---------------------------------------------------------------------------------- */

static void a_good_history_is_valid(void **state)
{
	const struct verdict *verdict = chaos_history_accepted(*state);

	assert_int_equal(verdict->attempted, 2);
	assert_int_equal(verdict->acknowledged, 2);
	assert_int_equal(verdict->completed, 2);
	assert_int_equal(verdict->runs, 3);
	assert_int_equal(verdict->reclaims, 1);
	assert_int_equal(verdict->deaths_true, 1);
	assert_int_equal(verdict->reclaim_max_ms, 2119);
	assert_int_equal(verdict->fault_count, 1);
	assert_int_equal(verdict->faults[0].witnessed, 1);
	assert_int_equal(verdict->faults[0].deaths, 1);
	assert_int_equal(verdict->faults[0].reclaim_max_ms, 2119);
}

static void a_reclaim_that_nothing_bounds_is_the_figure_of_its_fault_only(void **state)
{
	const struct verdict *verdict;

	CHANGE(ACT, "demand_harm=16", "demand_harm=0");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->reclaim_max_ms, 0);
	assert_int_equal(verdict->faults[0].reclaim_max_ms, 2119);
}

static void a_victim_that_lives_and_abandons_is_right(void **state)
{
	const struct verdict *verdict;

	ADD(A, "4000000 complete k3 2:completed:c2");
	ADD(A, "4001000 answer k3 2:lost");
	ADD(A, "4001000 reassigned 2 c2");
	ADD(A, "4002000 fence A");
	ADD(A, "4002000 dead A");
	ADD(A, "4003000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->deaths_forced, 1);
	assert_int_equal(verdict->conflicts, 1);
}

/* One thread learns of the death, another one has a completion on its way. */
static void an_answer_behind_the_news_of_the_own_death_is_right(void **state)
{
	ADD(A, "4000000 complete k3 2:completed:c2");
	ADD(A, "4000500 fence A");
	ADD(A, "4000500 dead A");
	ADD(A, "4001000 answer k3 2:lost");
	ADD(A, "4003000 register C dA 100");
	ADD(A, "4500000 stop C");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	assert_int_equal(chaos_history_accepted(*state)->conflicts, 1);
}

static void what_a_life_had_on_its_way_is_not_asked_about_by_the_next(void **state)
{
	ADD(A, "4000000 complete k3 2:completed:c2");
	ADD(A, "4000400 unknown k3");
	ADD(A, "4000500 fence A");
	ADD(A, "4000500 dead A");
	ADD(A, "4000600 reassigned 2 c2");
	ADD(A, "4003000 register C dA 100");
	ADD(A, "4500000 stop C");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	assert_int_equal(chaos_history_accepted(*state)->unresolved, 1);
}

static void a_lost_answer_that_is_resolved_is_right(void **state)
{
	const struct verdict *verdict;

	CHANGE(B, "3801000 answer k2 2:accepted",
	       "3801000 unknown k2\n3802000 complete k2 2:completed:c3\n3803000 answer k2 2:mine");
	CHANGE(CLIENT, "1201000 ok", "1200500 info R 08006\n1201000 ok");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->commits_unknown, 1);
	assert_int_equal(verdict->resolved_accepted, 1);
	assert_int_equal(verdict->submissions_unknown, 1);
	assert_int_equal(verdict->submissions_resolved, 1);
	assert_int_equal(verdict->recovered, 2);
}

static void a_completion_that_died_with_its_worker_is_unresolved(void **state)
{
	ADD(A, "1595000 complete k3 2:completed:c2");
	ADD(A, "1596000 unknown k3");
	assert_int_equal(chaos_history_accepted(*state)->unresolved, 1);
}

static void a_retried_job_is_right(void **state)
{
	CHANGE(DATABASE, "1400000 end 1 14 c1 1 A completed\n",
	       "1400000 back 1 14 c1 1 A scheduled\n1450000 claim 1 15 c4 2 B\n"
	       "1500000 end 1 16 c4 2 B completed\n");
	CHANGE(A, "1:completed:c1", "1:retry:c1");
	CHANGE(B, "1590000 ping",
	       "1451000 claim B c4 1:2\n1452000 begin c4 1\n1499000 complete k4 1:completed:c4\n"
	       "1501000 answer k4 1:accepted\n1590000 ping");
	CHANGE(EFFECT, "1500000 beat",
	       "1453000 begin 1 c4 2 61\n1498000 end 1 c4 2 61\n1500000 beat");
	CHANGE(FINAL, "1 completed c1 1 1", "1 completed c4 2 2");
	chaos_history_accepted(*state);
}

static void a_batch_refused_and_sent_in_halves_is_right(void **state)
{
	CHANGE(B, "3799000 complete k2",
	       "3798000 complete k2 2:completed:c3\n3798500 answer k2 2:refused\n3799000 complete k2");
	chaos_history_accepted(*state);
}

static void a_job_whose_submission_was_never_answered_may_be_there(void **state)
{
	CHANGE(CLIENT, "1201000 ok R 1 2", "1201000 info R 08006");
	ADD(CLIENT, "1202000 submit Q 1");
	ADD(CLIENT, "1203000 ok Q 2");
	chaos_history_accepted(*state);
}

static void a_buried_own_corpse_needs_no_evidence(void **state)
{
	CHANGE(DATABASE, "3700000 dead A 2100000 2000000 B 4",
	       "1700000 dead A 100000 2000000 C 4\n1700000 alive C dA");
	ADD(A, "1701000 register C dA 101");
	assert_int_equal(chaos_history_accepted(*state)->deaths_true, 0);
}

static void a_corpse_may_be_buried_behind_the_birth_that_buries_it(void **state)
{
	CHANGE(DATABASE, "3700000 dead A 2100000 2000000 B 4",
	       "1700000 alive C dA\n1700000 dead A 100000 2000000 C 4");
	ADD(A, "1701000 register C dA 101");
	chaos_history_accepted(*state);
}

static void a_frozen_agent_may_run_on_shortly_after_the_thaw(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=8");
	CHANGE(EFFECT, "3790000 end 2 c3 2 60", "3950000 beat 2 c2 1 51\n3990000 end 2 c3 2 60");
	assert_int_equal(chaos_history_accepted(*state)->overlap_max_ms, 50);
}

static void a_jump_of_the_databases_clock_is_seen_through(void **state)
{
	static const char *const MOVED[] = { "3700000 dead", "3710000 back", "3720000 claim",
					     "3800000 end" };
	char moved[64];

	ADD(NEMESIS, "5000002 note the rest of the clock");
	CHANGE(NEMESIS, "3900000 heal", "3650000 clock 77 3603650000\n3900000 heal");
	for (size_t i = 0; i < 4; i++) {
		snprintf(moved, sizeof(moved), "360%s", MOVED[i]);
		CHANGE(DATABASE, MOVED[i], moved);
	}
	assert_int_equal(chaos_history_accepted(*state)->reclaim_max_ms, 2119);
}

static void a_death_while_the_clock_jumps_needs_no_age(void **state)
{
	CHANGE(NEMESIS, "3900000 heal", "3690000 clock 77 3603690000\n3900000 heal");
	CHANGE(DATABASE, "3700000 dead A 2100000", "3603700000 dead A -3597900000");
	CHANGE(DATABASE, "3710000 back", "3603710000 back");
	CHANGE(DATABASE, "3720000 claim", "3603720000 claim");
	CHANGE(DATABASE, "3800000 end", "3603800000 end");
	chaos_history_accepted(*state);
}

static void a_record_from_before_a_jump_may_be_committed_behind_it(void **state)
{
	ADD(NEMESIS, "5000002 note the rest of the clock");
	CHANGE(NEMESIS, "3900000 heal",
	       "3650000 clock 77 3603650000\n3850000 clock 77 3850000\n3900000 heal");
	CHANGE(DATABASE, "3720000 claim", "3603720000 claim");
	CHANGE(DATABASE, "3800000 end", "3855000 submit 3 20 pending\n3603840000 end");
	ADD(DATABASE, "3860000 end 3 21 - 0 - cancelled");
	ADD(CLIENT, "3854000 submit Q 1");
	ADD(CLIENT, "3856000 ok Q 3");
	ADD(FINAL, "0 job 3 cancelled - 0 0 0 0");
	chaos_history_accepted(*state);
}

/* --- histories that prove nothing --------------------------------------------------------------- */

static void a_bout_without_a_witness_is_unknown(void **state)
{
	CHANGE(NEMESIS, "1600100 witness 1 the process is gone\n", "");
	chaos_history_unknown(*state, "harm (bout 1) has no witness");
}

static void a_bout_that_did_not_settle_is_unknown(void **state)
{
	CHANGE(NEMESIS, "4400000 settled 1\n", "");
	chaos_history_unknown(*state, "did not settle");
}

static void an_answer_behind_the_record_of_an_incomplete_drain_proves_nothing(void **state)
{
	CHANGE(NEMESIS, "5000000 drained 2", "5000000 undrained 1");
	CHANGE(DATABASE, "3800000 end 2 18 c3 2 B completed\n", "");
	CHANGE(B, "3799000 complete", "5100000 complete");
	CHANGE(B, "3801000 answer", "5101000 answer");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 active c3 2 1 1 1");
	chaos_history_unknown(*state, "the drain is incomplete");
}

static void an_incomplete_drain_is_unknown(void **state)
{
	CHANGE(NEMESIS, "drained 2", "undrained 1");
	chaos_history_unknown(*state, "the drain is incomplete");
}

static void a_job_that_has_not_ended_is_unknown(void **state)
{
	ADD(DATABASE, "4500000 submit 3 20 pending");
	ADD(FINAL, "0 job 3 pending - 0 0 0 0");
	ADD(CLIENT, "4500000 submit Q 1");
	ADD(CLIENT, "4500001 ok Q 3");
	chaos_history_unknown(*state, "1 job has not ended");
}

static void a_file_that_lacks_its_end_is_unknown(void **state)
{
	CHANGE(NEMESIS, "5000001 end\n", "");
	chaos_history_unknown(*state, "nemesis.log has no end");
}

static void a_database_log_that_lacks_its_end_is_unknown(void **state)
{
	chaos_history_cut(*state, CHAOS_HISTORY_DATABASE, strlen("0 closed 13\n"));
	chaos_history_unknown(*state, "database.log has no end");
}

static void a_last_read_that_lacks_its_end_is_unknown(void **state)
{
	chaos_history_cut(*state, CHAOS_HISTORY_FINAL, strlen("0 closed 2\n"));
	chaos_history_unknown(*state, "final.log has no end");
}

/* Wherever a file is cut inside a line, nothing is proven. */
static void a_cut_file_is_unknown(void **state)
{
	static const char *const FILES[] = { "nemesis.log",   "database.log", "worker-d1.log",
					     "worker-d2.log", "client-1.log", "effect.log",
					     "final.log" };

	for (int file = CHAOS_HISTORY_NEMESIS; file <= CHAOS_HISTORY_FINAL; file++) {
		chaos_history_cut(*state, (enum chaos_history_file)file, 3);
		chaos_history_unknown(*state, FILES[file - CHAOS_HISTORY_NEMESIS]);
		chaos_history_close(state);
		chaos_history_open(state);
	}
}

static void a_missing_file_is_unknown(void **state)
{
	for (int file = CHAOS_HISTORY_NEMESIS; file <= CHAOS_HISTORY_FINAL; file++) {
		chaos_history_omit(*state, (enum chaos_history_file)file);
		chaos_history_unknown(*state, "");
		chaos_history_close(state);
		chaos_history_open(state);
	}
}

static void a_cut_history_is_unknown_though_it_seems_to_break_something(void **state)
{
	ADD(DATABASE, "3900000 end 1 19 c1 1 A completed");
	CHANGE(NEMESIS, "5000001 end\n", "");
	chaos_history_unknown(*state, "nemesis.log has no end");
}

static void a_record_of_another_kind_is_unknown(void **state)
{
	ADD(EFFECT, "3900000 dance 2 c3 2 60");
	chaos_history_unknown(*state, "effect.log:7");
}

static void an_act_in_which_nothing_happened_is_unknown(void **state)
{
	for (int file = CHAOS_HISTORY_DATABASE; file <= CHAOS_HISTORY_FINAL; file++)
		chaos_history_empty(*state, (enum chaos_history_file)file);
	chaos_history_unknown(*state, "no job was submitted and ended");
}

static void an_act_without_a_fault_is_unknown(void **state)
{
	CHANGE(NEMESIS, "1600000 inject 1 harm 0\n1600100 witness 1 the process is gone\n", "");
	CHANGE(NEMESIS, "3900000 heal 1\n4400000 settled 1\n", "");
	chaos_history_unknown(*state, "no fault was injected");
}

static void an_effect_log_without_runs_is_unknown(void **state)
{
	chaos_history_empty(*state, CHAOS_HISTORY_EFFECT);
	chaos_history_unknown(*state, "effect.log does not tell of the run in which job 1");
}

/* --- what faults demand besides ----------------------------------------------------------------- */

/* The victim lived on, and lost its job. */
static void add_conflict(void **state)
{
	ADD(A, "4100000 complete k3 2:completed:c2");
	ADD(A, "4101000 answer k3 2:lost");
	ADD(A, "4102000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
}

static void a_demand_that_is_not_met_is_invalid(void **state)
{
	static const char *const DEMANDS[] = { "demand_harm=1\n", "demand_harm=2\n",
					       "demand_harm=64\n" };
	static const char *const WHYS[] = { "declared dead", "reassigned", "counted against" };

	for (size_t i = 0; i < 3; i++) {
		CHANGE(ACT, "demand_harm=16\n", DEMANDS[i]);
		if (i == 1)
			add_conflict(state);
		CHANGE(NEMESIS, "1600000 inject", "1350000 inject");
		CHANGE(DATABASE, "1400000 end 1 14 c1 1 A completed",
		       "1400000 end 1 14 c1 1 A failed");
		CHANGE(A, "1:completed:c1", "1:failed:c1");
		CHANGE(FINAL, "1 completed", "1 failed");
		chaos_history_broken(*state, WHYS[i]);
		chaos_history_close(state);
		chaos_history_open(state);
	}
}

static void a_criterion_that_was_not_met_is_invalid(void **state)
{
	CHANGE(NEMESIS, "4400000 settled 1",
	       "4300000 broken 1 it stayed broken\n4400000 settled 1");
	chaos_history_broken(*state, "harm: it stayed broken");
}

static void a_crash_that_no_fault_caused_is_invalid(void **state)
{
	CHANGE(NEMESIS, "4400000 settled 1", "4350000 crashed d2 11\n4400000 settled 1");
	chaos_history_broken(*state, "d2 crashed by signal 11");
}

static void what_a_failover_lost_is_told_apart(void **state)
{
	const struct verdict *verdict;

	CHANGE(ACT, "demand_harm=16", "demand_harm=128");
	ADD(CLIENT, "1202000 submit Q 1");
	ADD(CLIENT, "1203000 ok Q 3");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->lost_by_failover, 1);
	assert_string_equal(verdict->lost_ids, " 3");
	assert_int_equal(verdict->completions_lost, 0);
	assert_int_equal(verdict->lost, 0);
}

static void a_completion_that_a_failover_lost_is_no_lost_job(void **state)
{
	const struct verdict *verdict;

	CHANGE(ACT, "demand_harm=16", "demand_harm=128");
	ADD(A, "1592000 complete k3 2:completed:c2");
	ADD(A, "1593000 answer k3 2:accepted");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->lost_by_failover, 0);
	assert_int_equal(verdict->completions_lost, 1);
}

/* A ping whose answer did not come may have been heard. */
static void a_reclaim_is_timed_from_the_ping_that_may_have_been_heard(void **state)
{
	ADD(A, "1791000 ping 2");
	assert_int_equal(chaos_history_accepted(*state)->reclaim_max_ms, 1919);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(a_good_history_is_valid),
		CHAOS_HISTORY_TEST(a_reclaim_that_nothing_bounds_is_the_figure_of_its_fault_only),
		CHAOS_HISTORY_TEST(a_victim_that_lives_and_abandons_is_right),
		CHAOS_HISTORY_TEST(an_answer_behind_the_news_of_the_own_death_is_right),
		CHAOS_HISTORY_TEST(what_a_life_had_on_its_way_is_not_asked_about_by_the_next),
		CHAOS_HISTORY_TEST(a_lost_answer_that_is_resolved_is_right),
		CHAOS_HISTORY_TEST(a_completion_that_died_with_its_worker_is_unresolved),
		CHAOS_HISTORY_TEST(a_retried_job_is_right),
		CHAOS_HISTORY_TEST(a_batch_refused_and_sent_in_halves_is_right),
		CHAOS_HISTORY_TEST(a_job_whose_submission_was_never_answered_may_be_there),
		CHAOS_HISTORY_TEST(a_buried_own_corpse_needs_no_evidence),
		CHAOS_HISTORY_TEST(a_corpse_may_be_buried_behind_the_birth_that_buries_it),
		CHAOS_HISTORY_TEST(a_frozen_agent_may_run_on_shortly_after_the_thaw),
		CHAOS_HISTORY_TEST(a_jump_of_the_databases_clock_is_seen_through),
		CHAOS_HISTORY_TEST(a_death_while_the_clock_jumps_needs_no_age),
		CHAOS_HISTORY_TEST(a_record_from_before_a_jump_may_be_committed_behind_it),
		CHAOS_HISTORY_TEST(a_bout_without_a_witness_is_unknown),
		CHAOS_HISTORY_TEST(a_bout_that_did_not_settle_is_unknown),
		CHAOS_HISTORY_TEST(
			an_answer_behind_the_record_of_an_incomplete_drain_proves_nothing),
		CHAOS_HISTORY_TEST(an_incomplete_drain_is_unknown),
		CHAOS_HISTORY_TEST(a_job_that_has_not_ended_is_unknown),
		CHAOS_HISTORY_TEST(a_file_that_lacks_its_end_is_unknown),
		CHAOS_HISTORY_TEST(a_database_log_that_lacks_its_end_is_unknown),
		CHAOS_HISTORY_TEST(a_last_read_that_lacks_its_end_is_unknown),
		CHAOS_HISTORY_TEST(a_cut_file_is_unknown),
		CHAOS_HISTORY_TEST(a_missing_file_is_unknown),
		CHAOS_HISTORY_TEST(a_cut_history_is_unknown_though_it_seems_to_break_something),
		CHAOS_HISTORY_TEST(a_record_of_another_kind_is_unknown),
		CHAOS_HISTORY_TEST(an_act_in_which_nothing_happened_is_unknown),
		CHAOS_HISTORY_TEST(an_act_without_a_fault_is_unknown),
		CHAOS_HISTORY_TEST(an_effect_log_without_runs_is_unknown),
		CHAOS_HISTORY_TEST(a_demand_that_is_not_met_is_invalid),
		CHAOS_HISTORY_TEST(a_criterion_that_was_not_met_is_invalid),
		CHAOS_HISTORY_TEST(a_crash_that_no_fault_caused_is_invalid),
		CHAOS_HISTORY_TEST(what_a_failover_lost_is_told_apart),
		CHAOS_HISTORY_TEST(a_completion_that_a_failover_lost_is_no_lost_job),
		CHAOS_HISTORY_TEST(a_reclaim_is_timed_from_the_ping_that_may_have_been_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
