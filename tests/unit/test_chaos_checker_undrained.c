/* Acts whose drain was given up: what goes on behind the record proves nothing; and starts that nobody was told of. */
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

/* --- the drain was given up --------------------------------------------------------------------- */

/* A third job waits when the record is taken, after 5 s. */
static void wait_on(void **state)
{
	CHANGE(NEMESIS, "5000000 drained 2", "5000000 undrained 1");
	ADD(CLIENT, "4500000 submit Q 1");
	ADD(CLIENT, "4500500 ok Q 3");
	ADD(DATABASE, "4500200 submit 3 20 pending plugin 5 retry");
}

static void claim(void **state)
{
	ADD(DATABASE, "4900000 claim 3 21 c9 1 B");
	ADD(DATABASE, "4900500 start 3 22 c9 1 B");
}

static void a_job_that_waits_at_the_end_is_unknown(void **state)
{
	wait_on(state);
	ADD(FINAL, "0 job 3 pending - 0 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_job_that_runs_at_the_end_is_unknown(void **state)
{
	wait_on(state);
	claim(state);
	ADD(B, "4901000 claim B c9 3:1");
	ADD(B, "4901001 begin c9 3");
	ADD(EFFECT, "4902000 begin 3 c9 1 61");
	ADD(FINAL, "0 job 3 active c9 1 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_job_that_ends_behind_the_record_is_unknown(void **state)
{
	wait_on(state);
	claim(state);
	ADD(B, "4901000 claim B c9 3:1");
	ADD(B, "4901001 begin c9 3");
	ADD(EFFECT, "4902000 begin 3 c9 1 61");
	ADD(EFFECT, "5100000 beat 3 c9 1 61");
	ADD(EFFECT, "5200000 end 3 c9 1 61");
	ADD(B, "5200100 complete k9 3:completed:c9");
	ADD(B, "5200200 answer k9 3:accepted");
	ADD(FINAL, "0 job 3 active c9 1 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_job_that_is_claimed_behind_the_record_is_unknown(void **state)
{
	wait_on(state);
	ADD(B, "5100000 claim B c9 3:1");
	ADD(B, "5100001 begin c9 3");
	ADD(EFFECT, "5101000 begin 3 c9 1 61");
	ADD(EFFECT, "5160000 beat 3 c9 1 61");
	ADD(EFFECT, "5170000 end 3 c9 1 61");
	ADD(B, "5200000 complete k9 3:completed:c9");
	ADD(B, "5200100 answer k9 3:accepted");
	ADD(B, "5300000 stop B");
	ADD(FINAL, "0 job 3 pending - 0 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void an_unknown_fate_that_is_asked_for_behind_the_record_is_unknown(void **state)
{
	wait_on(state);
	claim(state);
	ADD(B, "4901000 claim B c9 3:1");
	ADD(B, "4901001 begin c9 3");
	ADD(EFFECT, "4902000 begin 3 c9 1 61");
	ADD(EFFECT, "4903000 end 3 c9 1 61");
	ADD(B, "4904000 complete k9 3:completed:c9");
	ADD(B, "4990000 unknown k9");
	ADD(B, "5200000 complete k9 3:completed:c9");
	ADD(B, "5200100 answer k9 3:accepted");
	ADD(B, "7300000 stop B");
	ADD(FINAL, "0 job 3 active c9 1 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_life_that_begins_behind_the_record_is_unknown(void **state)
{
	wait_on(state);
	ADD(A, "5100000 register C dA 101");
	ADD(FINAL, "0 job 3 pending - 0 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_claim_that_its_owner_has_not_learnt_of_yet_is_unknown(void **state)
{
	wait_on(state);
	ADD(DATABASE, "4900000 claim 3 21 c9 1 B");
	ADD(FINAL, "0 job 3 assigned c9 1 0 0 0");
	UNKNOWN("the drain is incomplete");
}

static void a_claim_that_its_owner_never_learnt_of_breaks_l3(void **state)
{
	wait_on(state);
	CHANGE(NEMESIS, "5000001 end", "9000001 end");
	ADD(DATABASE, "4900000 claim 3 21 c9 1 B");
	ADD(FINAL, "0 job 3 assigned c9 1 0 0 0");
	chaos_history_rejected(*state, VERDICT_L3, true);
}

/* B stops in good order, and is gone. */
static void leave_behind(void **state)
{
	wait_on(state);
	claim(state);
	ADD(DATABASE, "4950000 gone B");
	ADD(B, "4901000 claim B c9 3:1");
	ADD(B, "4901001 begin c9 3");
	ADD(B, "4951000 stop B");
	ADD(FINAL, "0 job 3 active c9 1 0 0 0");
}

static void a_claim_that_was_about_to_be_reclaimed_is_unknown(void **state)
{
	leave_behind(state);
	UNKNOWN("the drain is incomplete");
}

static void a_claim_that_was_never_reclaimed_breaks_l3(void **state)
{
	leave_behind(state);
	CHANGE(NEMESIS, "5000001 end", "9000001 end");
	chaos_history_rejected(*state, VERDICT_L3, true);
}

static void a_claim_that_was_never_made_breaks_s5_before_the_record(void **state)
{
	wait_on(state);
	ADD(B, "4900000 claim B c9 3:1");
	ADD(FINAL, "0 job 3 pending - 0 0 0 0");
	chaos_history_rejected(*state, VERDICT_S5, true);
}

static void behind_the_record_of_a_complete_drain_a_claim_breaks_s5(void **state)
{
	ADD(B, "5100000 claim B c9 1:2");
	REJECTED(S5);
}

/* --- starts ------------------------------------------------------------------------------------- */

/* The third job came back once; what commits its start is not answered, so nothing runs, and B gives it back. */
static void start_unanswered(void **state)
{
	CHANGE(NEMESIS, "drained 2", "drained 3");
	ADD(CLIENT, "1500000 submit Q 1");
	ADD(CLIENT, "1500500 ok Q 3");
	CHANGE(DATABASE, "3800000 end 2",
	       "3750000 submit 3 20 pending plugin 5 retry\n"
	       "3760000 claim 3 21 c5 1 B\n"
	       "3761000 start 3 22 c5 1 B\n"
	       "3770000 back 3 23 c5 1 B pending\n"
	       "3780000 claim 3 24 c6 2 B\n"
	       "3800000 end 2");
	ADD(DATABASE, "3830000 end 3 25 c6 2 B completed");
	ADD(B, "3801100 claim B c5 3:1");
	ADD(B, "3801200 claim B c6 3:2");
	ADD(B, "3801300 begin c6 3");
	ADD(EFFECT, "3810000 begin 3 c6 2 62");
	ADD(EFFECT, "3820000 end 3 c6 2 62");
	ADD(B, "3829000 complete k9 3:completed:c6");
	ADD(B, "3831000 answer k9 3:accepted");
	ADD(FINAL, "0 job 3 completed c6 2 1 1 0");
}

static void a_start_that_nobody_was_told_of_and_that_never_ran_is_right(void **state)
{
	start_unanswered(state);
	chaos_history_accepted(*state);
}

static void a_start_that_ran_and_that_its_worker_does_not_tell_of_is_unknown(void **state)
{
	start_unanswered(state);
	ADD(EFFECT, "3821000 begin 3 c5 1 63");
	UNKNOWN("does not tell of a run that it started");
}

/* Cancelled under a claim whose start was not answered. */
static void a_start_that_ended_without_a_run_is_right(void **state)
{
	CHANGE(DATABASE, "1400000 end 1 14 c1 1 A completed", "1400000 end 1 14 c1 1 A cancelled");
	CHANGE(A, "1301001 begin c1 1\n", "");
	CHANGE(A, "1399000 complete k1 1:completed:c1", "1399000 complete k1 1:cancelled:c1");
	CHANGE(EFFECT, "1302000 begin 1 c1 1 50\n", "");
	CHANGE(EFFECT, "1398000 end 1 c1 1 50\n", "");
	CHANGE(FINAL, "1 completed c1 1 1 0 0", "1 cancelled c1 1 0 0 0");
	chaos_history_accepted(*state);
}

/* Its completion came just before its owner was declared dead, and lived. */
static void what_was_given_back_before_the_death_need_not_be_lost(void **state)
{
	CHANGE(A, "1590000 ping", "1580000 complete k3 2:retry:c2\n1590000 ping");
	ADD(A, "4001000 answer k3 2:mine");
	ADD(A, "4001500 fence A");
	ADD(A, "4002000 dead A");
	ADD(A, "4003000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	chaos_history_accepted(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(a_job_that_waits_at_the_end_is_unknown),
		CHAOS_HISTORY_TEST(a_job_that_runs_at_the_end_is_unknown),
		CHAOS_HISTORY_TEST(a_job_that_ends_behind_the_record_is_unknown),
		CHAOS_HISTORY_TEST(a_job_that_is_claimed_behind_the_record_is_unknown),
		CHAOS_HISTORY_TEST(an_unknown_fate_that_is_asked_for_behind_the_record_is_unknown),
		CHAOS_HISTORY_TEST(a_life_that_begins_behind_the_record_is_unknown),
		CHAOS_HISTORY_TEST(a_claim_that_its_owner_has_not_learnt_of_yet_is_unknown),
		CHAOS_HISTORY_TEST(a_claim_that_its_owner_never_learnt_of_breaks_l3),
		CHAOS_HISTORY_TEST(a_claim_that_was_about_to_be_reclaimed_is_unknown),
		CHAOS_HISTORY_TEST(a_claim_that_was_never_reclaimed_breaks_l3),
		CHAOS_HISTORY_TEST(a_claim_that_was_never_made_breaks_s5_before_the_record),
		CHAOS_HISTORY_TEST(behind_the_record_of_a_complete_drain_a_claim_breaks_s5),
		CHAOS_HISTORY_TEST(a_start_that_nobody_was_told_of_and_that_never_ran_is_right),
		CHAOS_HISTORY_TEST(
			a_start_that_ran_and_that_its_worker_does_not_tell_of_is_unknown),
		CHAOS_HISTORY_TEST(a_start_that_ended_without_a_run_is_right),
		CHAOS_HISTORY_TEST(what_was_given_back_before_the_death_need_not_be_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
