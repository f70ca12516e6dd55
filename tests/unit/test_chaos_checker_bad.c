/* Histories that break one invariant each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)

/* For that reason alone, or among others that follow from it. */
#define REJECTED(invariant) chaos_history_rejected(*state, VERDICT_##invariant, false)
#define REJECTED_AMONG(invariant) chaos_history_rejected(*state, VERDICT_##invariant, true)

/* --- bad ones: the database --------------------------------------------------------------------- */

static void a_job_that_ends_twice_breaks_s1(void **state)
{
	ADD(DATABASE, "3900000 end 1 19 c1 1 A completed");
	REJECTED(S1);
}

static void a_job_accepted_twice_for_its_worker_breaks_s1(void **state)
{
	ADD(B, "3900000 complete k9 2:completed:c3");
	ADD(B, "3901000 answer k9 2:accepted");
	REJECTED(S1);
}

static void a_job_that_stands_twice_in_the_last_read_breaks_s1(void **state)
{
	ADD(FINAL, "0 job 1 completed c1 1 1 0 0");
	REJECTED(S1);
}

static void an_end_by_an_old_claim_breaks_s2(void **state)
{
	CHANGE(DATABASE, "3800000 end 2 18 c3 2 B", "3800000 end 2 18 c2 1 A");
	CHANGE(B, "2:accepted", "2:lost");
	CHANGE(FINAL, "2 completed c3", "2 completed c3");
	REJECTED(S2);
}

static void an_end_by_a_claim_that_was_taken_away_breaks_s2(void **state)
{
	CHANGE(DATABASE, "3720000 claim 2 17 c3 2 B\n3800000 end 2 18 c3 2 B",
	       "3720000 end 2 17 c2 1 A");
	CHANGE(B, "3721000 claim B c3 2:2\n3721001 begin c3 2\n", "");
	CHANGE(B, "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n", "");
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60\n", "");
	CHANGE(FINAL, "2 completed c3 2 1", "2 completed c2 1 0");
	REJECTED(S2);
}

static void an_acknowledged_job_that_is_nowhere_breaks_s3(void **state)
{
	ADD(CLIENT, "1202000 submit Q 1");
	ADD(CLIENT, "1203000 ok Q 3");
	REJECTED(S3);
}

static void a_finished_job_that_is_gone_breaks_s3(void **state)
{
	CHANGE(FINAL, "0 job 1 completed c1 1 1 0 0\n", "");
	REJECTED(S3);
}

static void a_job_that_nobody_submitted_breaks_s4(void **state)
{
	CHANGE(CLIENT, "submit R 2", "submit R 1");
	CHANGE(CLIENT, "ok R 1 2", "ok R 1");
	REJECTED(S4);
}

static void a_job_stored_twice_for_one_request_breaks_s4(void **state)
{
	ADD(DATABASE, "1200000 submit 3 10 pending");
	ADD(DATABASE, "3900000 end 3 19 - 0 - cancelled");
	ADD(FINAL, "0 job 3 cancelled - 0 0 0 0");
	REJECTED(S4);
}

static void a_run_of_a_job_that_does_not_exist_breaks_s4(void **state)
{
	ADD(EFFECT, "3900000 begin 9 c9 1 70");
	REJECTED(S4);
}

static void one_job_for_two_submissions_breaks_s4(void **state)
{
	ADD(CLIENT, "1202000 submit Q 1");
	ADD(CLIENT, "1203000 ok Q 2");
	REJECTED(S4);
}

/* --- bad ones: what workers were told ----------------------------------------------------------- */

static void an_acceptance_that_the_database_does_not_know_breaks_s5(void **state)
{
	ADD(A, "3900000 complete k3 2:completed:c2");
	ADD(A, "3901000 answer k3 2:accepted");
	ADD(A, "3902000 fence A");
	ADD(A, "3902000 dead A");
	ADD(A, "3903000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	REJECTED(S5);
}

static void an_acceptance_behind_the_news_of_the_own_death_is_judged_too(void **state)
{
	ADD(A, "3900000 complete k3 2:completed:c2");
	ADD(A, "3900500 fence A");
	ADD(A, "3900500 dead A");
	ADD(A, "3901000 answer k3 2:accepted");
	ADD(A, "3903000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	REJECTED(S5);
}

static void a_loss_of_what_was_accepted_breaks_s5(void **state)
{
	CHANGE(B, "2:accepted", "2:lost");
	REJECTED(S5);
}

static void a_completion_stored_as_failed_breaks_s5(void **state)
{
	CHANGE(DATABASE, "c3 2 B completed", "c3 2 B failed");
	CHANGE(FINAL, "2 completed", "2 failed");
	REJECTED(S5);
}

static void a_claim_that_the_database_does_not_know_breaks_s5(void **state)
{
	ADD(B, "3900000 claim B c9 1:2");
	REJECTED(S5);
}

static void a_submission_stored_in_part_breaks_s5(void **state)
{
	CHANGE(CLIENT, "submit R 2", "submit R 3");
	REJECTED(S5);
}

static void an_unknown_commit_that_a_living_worker_never_asks_about_breaks_s5(void **state)
{
	CHANGE(B, "3801000 answer k2 2:accepted",
	       "3801000 unknown k2\n64000000 ping 3\n64001000 acked 3");
	REJECTED(S5);
}

static void an_unknown_commit_that_is_forgotten_breaks_s5(void **state)
{
	CHANGE(B, "3801000 answer k2 2:accepted", "3801000 unknown k2\n9000000 stop B");
	REJECTED(S5);
}

/* --- bad ones: claims and deaths ---------------------------------------------------------------- */

static void a_claim_of_a_claimed_job_breaks_s6(void **state)
{
	CHANGE(DATABASE, "3710000 back 2 16 c2 1 A pending\n", "");
	REJECTED(S6);
}

static void a_claim_by_a_dead_dispatcher_breaks_s7(void **state)
{
	CHANGE(DATABASE, "3720000 claim 2 17 c3 2 B", "3720000 claim 2 17 c3 2 A");
	CHANGE(DATABASE, "3800000 end 2 18 c3 2 B", "3800000 end 2 18 c3 2 A");
	REJECTED(S7);
}

static void a_claim_by_nobody_breaks_s7(void **state)
{
	CHANGE(DATABASE, "3720000 claim 2 17 c3 2 B", "3720000 claim 2 17 c3 2 Z");
	REJECTED(S7);
}

static void a_death_by_a_fresh_ping_breaks_s8(void **state)
{
	CHANGE(DATABASE, "dead A 2100000", "dead A 1900000");
	REJECTED(S8);
}

static void a_death_by_a_ping_of_the_future_breaks_s8(void **state)
{
	CHANGE(DATABASE, "dead A 2100000", "dead A -3597900000");
	REJECTED(S8);
}

static void a_death_whose_age_is_only_the_databases_breaks_s8(void **state)
{
	CHANGE(A, "1590000 ping 1\n1591000 acked 1", "2590000 ping 1\n2591000 acked 1");
	REJECTED(S8);
}

static void a_ping_acknowledged_after_the_death_breaks_s8(void **state)
{
	ADD(A, "3850000 ping 2");
	ADD(A, "3851000 acked 2");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	REJECTED(S8);
}

static void a_death_that_leaves_the_ping_breaks_s8(void **state)
{
	CHANGE(DATABASE, "dead A 2100000 2000000 B 4", "dead A -1 -1 B -1");
	REJECTED(S8);
}

static void two_lives_of_a_dispatcher_at_a_time_break_s8(void **state)
{
	CHANGE(DATABASE, "3700000 dead", "3600000 alive C dA\n3700000 dead");
	ADD(A, "3650000 register C dA 101");
	REJECTED(S8);
}

static void two_processes_of_one_incarnation_break_s8(void **state)
{
	ADD(B, "3900000 register B dB 201");
	REJECTED(S8);
}

static void a_death_to_which_nothing_was_done_breaks_s8(void **state)
{
	CHANGE(NEMESIS, "1600000 inject", "4200000 inject");
	CHANGE(NEMESIS, "1600100 witness", "4200100 witness");
	CHANGE(NEMESIS, "3900000 heal", "4300000 heal");
	ADD(A, "3750000 fence A");
	ADD(A, "3750000 dead A");
	ADD(A, "3751000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
	REJECTED(S8);
}

/* --- bad ones: what was done afterwards --------------------------------------------------------- */

static void a_death_under_a_fault_that_kills_nobody_breaks_s8(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=1");
	ADD(A, "3750000 fence A");
	ADD(A, "3750000 dead A");
	ADD(A, "3751000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
	REJECTED(S8);
}

static void a_new_completion_of_a_lost_job_breaks_s9(void **state)
{
	ADD(A, "4000000 reassigned 2 c2");
	ADD(A, "4001000 complete k3 2:completed:c2");
	ADD(A, "4002000 answer k3 2:lost");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
	REJECTED(S9);
}

static void the_same_completion_again_after_its_loss_breaks_s9(void **state)
{
	ADD(A, "4000000 complete k3 1:completed:c1 2:completed:c2");
	ADD(A, "4001000 answer k3 2:lost");
	ADD(A, "4002000 complete k3 1:completed:c1 2:completed:c2");
	ADD(A, "4003000 answer k3 1:mine 2:lost");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
	REJECTED(S9);
}

static void a_run_of_a_lost_job_breaks_s9(void **state)
{
	ADD(A, "4000000 complete k3 2:completed:c2");
	ADD(A, "4001000 answer k3 2:lost");
	ADD(A, "4002000 begin c2 2");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
	REJECTED(S9);
}

static void counters_that_a_stale_run_altered_break_s9(void **state)
{
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c3 2 3 1 1");
	REJECTED(S9);
}

static void more_runs_than_its_submission_allows_break_s10(void **state)
{
	CHANGE(DATABASE, "submit 2 10 pending plugin", "submit 2 10 pending plugin 1 fail");
	CHANGE(EFFECT, "3722000 begin", "3721900 begin 2 c3 2 59\n3722000 begin");
	REJECTED_AMONG(S10);
}

static void more_leases_than_allowed_break_s11(void **state)
{
	CHANGE(ACT, "demand_harm", "leases=1\ndemand_harm");
	REJECTED(S11);
}

static void a_start_without_the_claim_breaks_s12(void **state)
{
	CHANGE(DATABASE, "1320000 start 2 13 c2 1 A", "1320000 start 2 13 c9 1 A");
	REJECTED(S12);
}

static void a_claim_after_the_end_breaks_s12(void **state)
{
	ADD(DATABASE, "3900000 claim 1 19 c4 2 B");
	REJECTED_AMONG(S12);
}

static void a_claim_seq_that_goes_back_breaks_s12(void **state)
{
	CHANGE(DATABASE, "3720000 claim 2 17 c3 2 B", "3720000 claim 2 17 c3 1 B");
	REJECTED_AMONG(S12);
}

static void a_completion_without_a_claim_breaks_s12(void **state)
{
	ADD(DATABASE, "1200000 submit 3 10 pending");
	ADD(DATABASE, "3900000 end 3 19 - 0 - completed");
	ADD(FINAL, "0 job 3 completed - 0 0 0 0");
	CHANGE(CLIENT, "submit R 2", "submit R 3");
	CHANGE(CLIENT, "ok R 1 2", "ok R 1 2 3");
	REJECTED(S12);
}

static void another_end_in_the_last_read_breaks_s12(void **state)
{
	CHANGE(FINAL, "1 completed", "1 failed");
	REJECTED(S12);
}

static void runs_that_overlap_break_s13(void **state)
{
	CHANGE(EFFECT, "3790000 end 2 c3", "3740000 end 2 c2 1 51\n3790000 end 2 c3");
	REJECTED(S13);
}

static void a_killed_run_that_overlapped_breaks_s13(void **state)
{
	CHANGE(EFFECT, "3790000 end 2 c3", "3740000 beat 2 c2 1 51\n3790000 end 2 c3");
	REJECTED(S13);
}

static void an_overlap_long_after_the_thaw_breaks_s13(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=8");
	CHANGE(EFFECT, "3790000 end 2 c3 2 60", "4050000 beat 2 c2 1 51\n4060000 end 2 c3 2 60");
	REJECTED(S13);
}

static void a_second_run_under_a_claim_breaks_s13(void **state)
{
	ADD(EFFECT, "3900000 begin 2 c3 2 60");
	REJECTED(S13);
}

/* --- bad ones: liveness ------------------------------------------------------------------------- */

static void a_late_reclaim_breaks_l2(void **state)
{
	CHANGE(DATABASE, "3700000 dead A 2100000", "4300000 dead A 2700000");
	CHANGE(DATABASE, "3710000 back", "5310000 back");
	CHANGE(DATABASE, "3720000 claim", "5320000 claim");
	CHANGE(DATABASE, "3800000 end", "5400000 end");
	REJECTED(L2);
}

static void a_job_that_stays_with_the_dead_breaks_l3(void **state)
{
	CHANGE(DATABASE, "3710000 back 2 16 c2 1 A pending\n3720000 claim 2 17 c3 2 B\n", "");
	CHANGE(DATABASE, "3800000 end 2 18 c3 2 B completed\n", "");
	CHANGE(B, "3721000 claim B c3 2:2\n3721001 begin c3 2\n", "");
	CHANGE(B, "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n", "");
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60\n", "");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 active c2 1 0 0 0");
	CHANGE(NEMESIS, "5000000 drained 2\n5000001", "7000000 undrained 1\n7000001");
	REJECTED_AMONG(L3);
}

static void a_claim_that_its_living_owner_does_not_know_breaks_l3(void **state)
{
	CHANGE(DATABASE, "3800000 end 2 18 c3 2 B completed\n", "");
	CHANGE(B, "3721000 claim B c3 2:2\n3721001 begin c3 2\n", "");
	CHANGE(B, "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n", "");
	CHANGE(A, "1311000 claim A c2 2:1\n1311001 begin c2 2\n", "");
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60\n", "");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 assigned c3 2 0 1 1");
	CHANGE(NEMESIS, "drained 2", "undrained 1");
	REJECTED_AMONG(L3);
}

static void a_victim_that_does_not_come_back_breaks_l4(void **state)
{
	ADD(A, "4000000 fence A");
	ADD(A, "4000000 dead A");
	REJECTED(L4);
}

static void a_job_that_is_passed_over_breaks_l5(void **state)
{
	CHANGE(NEMESIS, "5000000 drained", "300000000 drained");
	ADD(DATABASE, "4500000 submit 3 20 pending");
	ADD(DATABASE, "200000000 submit 4 21 pending");
	ADD(DATABASE, "200100000 claim 4 22 c4 1 B");
	ADD(DATABASE, "200100001 claim 3 23 c5 1 B");
	ADD(DATABASE, "200200000 end 4 24 c4 1 B completed");
	ADD(DATABASE, "200200000 end 3 24 c5 1 B completed");
	ADD(FINAL, "0 job 3 completed c5 1 1 0 0");
	ADD(FINAL, "0 job 4 completed c4 1 1 0 0");
	ADD(CLIENT, "4500000 submit Q 2");
	ADD(CLIENT, "4500000 ok Q 3 4");
	REJECTED_AMONG(L5);
}

static void a_job_that_waits_for_an_idle_dispatcher_breaks_l6(void **state)
{
	ADD(DATABASE, "4500000 submit 3 20 pending");
	ADD(DATABASE, "9500000 claim 3 22 c4 1 B");
	ADD(DATABASE, "9600000 end 3 24 c4 1 B completed");
	ADD(FINAL, "0 job 3 completed c4 1 1 0 0");
	ADD(CLIENT, "4500000 submit Q 1");
	ADD(CLIENT, "4500000 ok Q 3");
	REJECTED(L6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(a_job_that_ends_twice_breaks_s1),
		CHAOS_HISTORY_TEST(a_job_accepted_twice_for_its_worker_breaks_s1),
		CHAOS_HISTORY_TEST(a_job_that_stands_twice_in_the_last_read_breaks_s1),
		CHAOS_HISTORY_TEST(an_end_by_an_old_claim_breaks_s2),
		CHAOS_HISTORY_TEST(an_end_by_a_claim_that_was_taken_away_breaks_s2),
		CHAOS_HISTORY_TEST(an_acknowledged_job_that_is_nowhere_breaks_s3),
		CHAOS_HISTORY_TEST(a_finished_job_that_is_gone_breaks_s3),
		CHAOS_HISTORY_TEST(a_job_that_nobody_submitted_breaks_s4),
		CHAOS_HISTORY_TEST(a_job_stored_twice_for_one_request_breaks_s4),
		CHAOS_HISTORY_TEST(a_run_of_a_job_that_does_not_exist_breaks_s4),
		CHAOS_HISTORY_TEST(one_job_for_two_submissions_breaks_s4),
		CHAOS_HISTORY_TEST(an_acceptance_that_the_database_does_not_know_breaks_s5),
		CHAOS_HISTORY_TEST(an_acceptance_behind_the_news_of_the_own_death_is_judged_too),
		CHAOS_HISTORY_TEST(a_loss_of_what_was_accepted_breaks_s5),
		CHAOS_HISTORY_TEST(a_completion_stored_as_failed_breaks_s5),
		CHAOS_HISTORY_TEST(a_claim_that_the_database_does_not_know_breaks_s5),
		CHAOS_HISTORY_TEST(a_submission_stored_in_part_breaks_s5),
		CHAOS_HISTORY_TEST(
			an_unknown_commit_that_a_living_worker_never_asks_about_breaks_s5),
		CHAOS_HISTORY_TEST(an_unknown_commit_that_is_forgotten_breaks_s5),
		CHAOS_HISTORY_TEST(a_claim_of_a_claimed_job_breaks_s6),
		CHAOS_HISTORY_TEST(a_claim_by_a_dead_dispatcher_breaks_s7),
		CHAOS_HISTORY_TEST(a_claim_by_nobody_breaks_s7),
		CHAOS_HISTORY_TEST(a_death_by_a_fresh_ping_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_by_a_ping_of_the_future_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_whose_age_is_only_the_databases_breaks_s8),
		CHAOS_HISTORY_TEST(a_ping_acknowledged_after_the_death_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_that_leaves_the_ping_breaks_s8),
		CHAOS_HISTORY_TEST(two_lives_of_a_dispatcher_at_a_time_break_s8),
		CHAOS_HISTORY_TEST(two_processes_of_one_incarnation_break_s8),
		CHAOS_HISTORY_TEST(a_death_to_which_nothing_was_done_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_under_a_fault_that_kills_nobody_breaks_s8),
		CHAOS_HISTORY_TEST(a_new_completion_of_a_lost_job_breaks_s9),
		CHAOS_HISTORY_TEST(the_same_completion_again_after_its_loss_breaks_s9),
		CHAOS_HISTORY_TEST(a_run_of_a_lost_job_breaks_s9),
		CHAOS_HISTORY_TEST(counters_that_a_stale_run_altered_break_s9),
		CHAOS_HISTORY_TEST(more_runs_than_its_submission_allows_break_s10),
		CHAOS_HISTORY_TEST(more_leases_than_allowed_break_s11),
		CHAOS_HISTORY_TEST(a_start_without_the_claim_breaks_s12),
		CHAOS_HISTORY_TEST(a_claim_after_the_end_breaks_s12),
		CHAOS_HISTORY_TEST(a_claim_seq_that_goes_back_breaks_s12),
		CHAOS_HISTORY_TEST(a_completion_without_a_claim_breaks_s12),
		CHAOS_HISTORY_TEST(another_end_in_the_last_read_breaks_s12),
		CHAOS_HISTORY_TEST(runs_that_overlap_break_s13),
		CHAOS_HISTORY_TEST(a_killed_run_that_overlapped_breaks_s13),
		CHAOS_HISTORY_TEST(an_overlap_long_after_the_thaw_breaks_s13),
		CHAOS_HISTORY_TEST(a_second_run_under_a_claim_breaks_s13),
		CHAOS_HISTORY_TEST(a_late_reclaim_breaks_l2),
		CHAOS_HISTORY_TEST(a_job_that_stays_with_the_dead_breaks_l3),
		CHAOS_HISTORY_TEST(a_claim_that_its_living_owner_does_not_know_breaks_l3),
		CHAOS_HISTORY_TEST(a_victim_that_does_not_come_back_breaks_l4),
		CHAOS_HISTORY_TEST(a_job_that_is_passed_over_breaks_l5),
		CHAOS_HISTORY_TEST(a_job_that_waits_for_an_idle_dispatcher_breaks_l6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
