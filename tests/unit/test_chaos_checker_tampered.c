/* Histories of a valid act that somebody altered, one thing each: beside each stands what is right and looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)
#define REJECTED(invariant) chaos_history_rejected(*state, VERDICT_##invariant, false)
#define UNKNOWN(why) chaos_history_unknown(*state, why)
#define BROKEN(why) chaos_history_broken(*state, why)

/* --- whom a fault excuses ----------------------------------------------------------------------- */

static void inject(void **state, const char *fault)
{
	CHANGE(NEMESIS, "inject 1 harm 0", fault);
}

static void overlap(void **state)
{
	CHANGE(EFFECT, "3790000 end 2 c3 2 60", "3950000 beat 2 c2 1 51\n3990000 end 2 c3 2 60");
}

static void runs_of_the_frozen_one_may_overlap_until_the_thaw(void **state)
{
	inject(state, "inject 1 tree-stopped 0");
	overlap(state);
	assert_int_equal(chaos_history_accepted(*state)->overlap_max_ms, 50);
}

static void runs_of_another_than_the_frozen_one_may_not_overlap(void **state)
{
	inject(state, "inject 1 tree-stopped 1");
	overlap(state);
	REJECTED(S13);
}

/* A is declared dead and lives. */
static void live_on(void **state)
{
	ADD(A, "4001000 fence A");
	ADD(A, "4002000 dead A");
	ADD(A, "4002000 reassigned 2 c2");
	ADD(A, "4003000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
}

static void the_death_of_the_silenced_one_is_forced(void **state)
{
	inject(state, "inject 1 dispatcher-stopped 0");
	live_on(state);
	assert_int_equal(chaos_history_accepted(*state)->deaths_forced, 1);
}

static void the_death_of_another_than_the_silenced_one_is_false(void **state)
{
	inject(state, "inject 1 dispatcher-stopped 1");
	live_on(state);
	REJECTED(S8);
}

static void a_fault_of_the_whole_fleet_silences_anybody(void **state)
{
	inject(state, "inject 1 mass-death 1");
	live_on(state);
	assert_int_equal(chaos_history_accepted(*state)->deaths_forced, 1);
}

static void a_kill_after_which_another_died_is_unknown(void **state)
{
	inject(state, "inject 1 dispatcher-killed 1");
	UNKNOWN("dispatcher-killed (bout 1) killed nobody whom it was to kill");
}

static void a_kill_after_which_nobody_died_is_unknown(void **state)
{
	CHANGE(NEMESIS, "5000000 drained",
	       "4500000 inject 2 worker-killed 1\n4500100 witness 2 it bit\n4600000 heal 2\n"
	       "4700000 settled 2\n5000000 drained");
	UNKNOWN("worker-killed (bout 2) killed nobody whom it was to kill");
}

/* --- runs --------------------------------------------------------------------------------------- */

static void begin_late(void **state)
{
	CHANGE(EFFECT, "1312000 begin 2 c2 1 51\n", "");
	CHANGE(EFFECT, "1500000 beat 2 c2 1 51\n", "");
	ADD(EFFECT, "3950000 begin 2 c2 1 51");
}

static void a_run_that_begins_when_its_claim_was_taken_away_breaks_s13(void **state)
{
	begin_late(state);
	REJECTED(S13);
}

static void a_run_that_begins_at_the_thaw_of_its_agent_is_right(void **state)
{
	inject(state, "inject 1 tree-stopped 0");
	begin_late(state);
	chaos_history_accepted(*state);
}

static void a_run_that_begins_when_its_job_had_ended_breaks_s13(void **state)
{
	CHANGE(EFFECT, "1302000 begin 1 c1 1 50\n1312000", "1312000");
	CHANGE(EFFECT, "1398000 end 1 c1 1 50\n", "");
	ADD(EFFECT, "3999000 begin 1 c1 1 50");
	REJECTED(S13);
}

static void more_attempts_than_its_submission_allows_break_s10(void **state)
{
	CHANGE(DATABASE, "submit 2 10 pending plugin", "submit 2 10 pending plugin 1 retry");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c3 2 2 1 0");
	REJECTED(S10);
}

static void as_many_attempts_as_its_submission_allows_are_right(void **state)
{
	CHANGE(DATABASE, "submit 2 10 pending plugin", "submit 2 10 pending plugin 2 retry");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c3 2 2 1 0");
	chaos_history_accepted(*state);
}

static void runs_that_nobody_counted_break_s10(void **state)
{
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c3 2 1 0 0");
	REJECTED(S10);
}

static void a_job_that_a_client_saw_cancelled_and_that_was_completed_breaks_s5(void **state)
{
	ADD(CLIENT, "1500000 cancel 1");
	ADD(CLIENT, "1501000 cancelled 1 yes");
	REJECTED(S5);
}

static void a_job_that_was_asked_to_end_may_be_completed(void **state)
{
	ADD(CLIENT, "1350000 cancel 1");
	ADD(CLIENT, "1351000 cancelled 1 info");
	ADD(CLIENT, "1500000 cancel 1");
	ADD(CLIENT, "1501000 cancelled 1 no");
	chaos_history_accepted(*state);
}

/* --- ends of dispatchers ------------------------------------------------------------------------ */

static void a_dispatcher_that_ends_by_itself_is_invalid(void **state)
{
	ADD(NEMESIS, "5000002 ended d1 100 exit 78 0");
	BROKEN("d1 ended by itself: exit 78");
}

static void a_dispatcher_that_is_asked_to_end_and_fails_is_invalid(void **state)
{
	ADD(NEMESIS, "5000002 ended d1 100 exit 1 15");
	BROKEN("d1 was to end, and ended otherwise: exit 1");
}

static void a_dispatcher_that_crashes_is_invalid_whatever_was_asked(void **state)
{
	ADD(NEMESIS, "5000002 ended d1 100 signal 11 9");
	BROKEN("d1 was to end, and ended otherwise: signal 11");
}

static void dispatchers_that_end_as_they_were_asked_to_are_right(void **state)
{
	ADD(NEMESIS, "5000002 ended d1 100 exit 0 15");
	ADD(NEMESIS, "5000002 ended d1 101 signal 9 9");
	ADD(NEMESIS, "5000002 ended d2 200 exit 3 -1");
	ADD(NEMESIS, "5000002 ended d2 201 signal 9 15");
	chaos_history_accepted(*state);
}

/* --- lines of workers --------------------------------------------------------------------------- */

static void a_death_that_its_process_does_not_tell_of_is_unknown(void **state)
{
	live_on(state);
	CHANGE(A, "4002000 dead A\n", "");
	UNKNOWN("worker-d1.log does not tell that A found itself declared dead");
}

static void a_death_without_a_fence_is_unknown(void **state)
{
	live_on(state);
	CHANGE(A, "4001000 fence A\n", "");
	UNKNOWN("nothing tells that the fence of A fell");
}

static void a_reassigned_run_that_its_worker_does_not_tell_of_is_unknown(void **state)
{
	live_on(state);
	CHANGE(A, "4002000 reassigned 2 c2\n", "");
	UNKNOWN("the log of A does not tell that a job of its was reassigned");
}

static void a_long_silence_without_a_fence_is_unknown(void **state)
{
	ADD(B, "5600000 ping 3");
	ADD(B, "5700000 acked 3");
	UNKNOWN("it was silent for 2120 ms, and nothing tells that its fence fell");
}

static void a_long_silence_with_a_fence_is_right(void **state)
{
	ADD(B, "5500000 fence B");
	ADD(B, "5600000 ping 3");
	ADD(B, "5700000 acked 3");
	chaos_history_accepted(*state);
}

static void a_ping_that_is_missing_is_unknown(void **state)
{
	ADD(B, "3900000 ping 4");
	UNKNOWN("ping 4 follows ping 2");
}

static void an_acknowledgement_of_no_ping_is_unknown(void **state)
{
	ADD(B, "3900000 acked 3");
	UNKNOWN("ping 3 was acknowledged, and was not sent");
}

static void an_end_of_what_was_not_begun_is_unknown(void **state)
{
	CHANGE(B, "3721001 begin c3 2\n", "");
	UNKNOWN("nothing tells that job 2 was begun, whose end was sent");
}

static void a_start_that_its_worker_does_not_tell_of_is_unknown(void **state)
{
	CHANGE(DATABASE, "1400000 end 1 14 c1 1 A completed\n",
	       "1400000 back 1 14 c1 1 A pending\n1450000 claim 1 15 c4 2 B\n"
	       "1500000 end 1 16 c4 2 B completed\n");
	CHANGE(A, "1301001 begin c1 1\n", "");
	CHANGE(A, "1399000 complete k1 1:completed:c1\n1401000 answer k1 1:accepted\n", "");
	CHANGE(B, "1590000 ping",
	       "1451000 claim B c4 1:2\n1452000 begin c4 1\n1499000 complete k4 1:completed:c4\n"
	       "1501000 answer k4 1:accepted\n1590000 ping");
	ADD(EFFECT, "1453000 begin 1 c4 2 61");
	CHANGE(FINAL, "1 completed c1 1 1 0 0", "1 completed c4 2 1 1 0");
	UNKNOWN("the log of A does not tell of a run that it started");
}

/* A lost claim whose run was done, as its worker says. */
static void a_lost_run_that_effects_do_not_tell_of_is_unknown(void **state)
{
	ADD(A, "3000000 complete k3 2:completed:c2");
	CHANGE(EFFECT, "1312000 begin 2 c2 1 51\n", "");
	CHANGE(EFFECT, "1500000 beat 2 c2 1 51\n", "");
	UNKNOWN("effect.log does not tell of a run that A had done");
}

static void a_claim_given_back_in_peace_that_no_worker_tells_of_is_unknown(void **state)
{
	ADD(DATABASE, "9000000 submit 3 20 pending plugin");
	ADD(DATABASE, "9100000 claim 3 21 c7 1 B");
	ADD(DATABASE, "9200000 back 3 22 c7 1 B pending");
	ADD(DATABASE, "9300000 end 3 23 - 1 - cancelled");
	ADD(CLIENT, "9000000 submit Q 1");
	ADD(CLIENT, "9000000 ok Q 3");
	ADD(FINAL, "0 job 3 cancelled - 1 0 0 0");
	UNKNOWN("the log of B does not tell of a claim that it gave back");
}

static void an_answer_that_was_dropped_without_anybody_who_asks_is_unknown(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_commit-answer-dropped=0");
	inject(state, "inject 1 commit-answer-dropped 0");
	UNKNOWN("no worker's log tells of the unknown fate after commit-answer-dropped (bout 1)");
}

static void settle_and_hear_of_a_loss(void **state)
{
	CHANGE(B, "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n",
	       "3801000 reassigned 2 c3\n");
}

static void a_loss_instead_of_an_end_is_unknown(void **state)
{
	settle_and_hear_of_a_loss(state);
	UNKNOWN("the log of B does not tell of the end of job 2");
}

static void a_loss_instead_of_an_end_is_right_where_servers_forget(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=128");
	settle_and_hear_of_a_loss(state);
	chaos_history_accepted(*state);
}

static void a_last_read_that_is_missing_loses_nothing(void **state)
{
	chaos_history_omit(*state, CHAOS_HISTORY_FINAL);
	UNKNOWN("final.log");
	assert_int_equal(chaos_history_judge(*state)->lost, 0);
}

/* ------------------------------------------------------------------------------------------------ */

static const struct CMUnitTest HISTORIES[] = {
	CHAOS_HISTORY_TEST(runs_of_the_frozen_one_may_overlap_until_the_thaw),
	CHAOS_HISTORY_TEST(runs_of_another_than_the_frozen_one_may_not_overlap),
	CHAOS_HISTORY_TEST(the_death_of_the_silenced_one_is_forced),
	CHAOS_HISTORY_TEST(the_death_of_another_than_the_silenced_one_is_false),
	CHAOS_HISTORY_TEST(a_fault_of_the_whole_fleet_silences_anybody),
	CHAOS_HISTORY_TEST(a_kill_after_which_another_died_is_unknown),
	CHAOS_HISTORY_TEST(a_kill_after_which_nobody_died_is_unknown),
	CHAOS_HISTORY_TEST(a_run_that_begins_when_its_claim_was_taken_away_breaks_s13),
	CHAOS_HISTORY_TEST(a_run_that_begins_at_the_thaw_of_its_agent_is_right),
	CHAOS_HISTORY_TEST(a_run_that_begins_when_its_job_had_ended_breaks_s13),
	CHAOS_HISTORY_TEST(more_attempts_than_its_submission_allows_break_s10),
	CHAOS_HISTORY_TEST(as_many_attempts_as_its_submission_allows_are_right),
	CHAOS_HISTORY_TEST(runs_that_nobody_counted_break_s10),
	CHAOS_HISTORY_TEST(a_job_that_a_client_saw_cancelled_and_that_was_completed_breaks_s5),
	CHAOS_HISTORY_TEST(a_job_that_was_asked_to_end_may_be_completed),
	CHAOS_HISTORY_TEST(a_dispatcher_that_ends_by_itself_is_invalid),
	CHAOS_HISTORY_TEST(a_dispatcher_that_is_asked_to_end_and_fails_is_invalid),
	CHAOS_HISTORY_TEST(a_dispatcher_that_crashes_is_invalid_whatever_was_asked),
	CHAOS_HISTORY_TEST(dispatchers_that_end_as_they_were_asked_to_are_right),
	CHAOS_HISTORY_TEST(a_death_that_its_process_does_not_tell_of_is_unknown),
	CHAOS_HISTORY_TEST(a_death_without_a_fence_is_unknown),
	CHAOS_HISTORY_TEST(a_reassigned_run_that_its_worker_does_not_tell_of_is_unknown),
	CHAOS_HISTORY_TEST(a_long_silence_without_a_fence_is_unknown),
	CHAOS_HISTORY_TEST(a_long_silence_with_a_fence_is_right),
	CHAOS_HISTORY_TEST(a_ping_that_is_missing_is_unknown),
	CHAOS_HISTORY_TEST(an_acknowledgement_of_no_ping_is_unknown),
	CHAOS_HISTORY_TEST(an_end_of_what_was_not_begun_is_unknown),
	CHAOS_HISTORY_TEST(a_start_that_its_worker_does_not_tell_of_is_unknown),
	CHAOS_HISTORY_TEST(a_lost_run_that_effects_do_not_tell_of_is_unknown),
	CHAOS_HISTORY_TEST(a_claim_given_back_in_peace_that_no_worker_tells_of_is_unknown),
	CHAOS_HISTORY_TEST(an_answer_that_was_dropped_without_anybody_who_asks_is_unknown),
	CHAOS_HISTORY_TEST(a_loss_instead_of_an_end_is_unknown),
	CHAOS_HISTORY_TEST(a_loss_instead_of_an_end_is_right_where_servers_forget),
	CHAOS_HISTORY_TEST(a_last_read_that_is_missing_loses_nothing),
};

int main(void)
{
	return cmocka_run_group_tests(HISTORIES, NULL, NULL);
}
