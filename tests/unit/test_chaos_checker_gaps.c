/* Histories of which a part is missing: they prove nothing, however good the rest looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)
#define UNKNOWN(why) chaos_history_unknown(*state, why)

/* --- whole files -------------------------------------------------------------------------------- */

/* Cut between two lines, a file looks as if its writer had been killed. */
static void a_file_without_its_last_line_is_unknown(void **state)
{
	static const char *const ENDS[] = { "nemesis.log has no end",   "database.log has no end",
					    "worker-d1.log has no end", "worker-d2.log has no end",
					    "client-1.log has no end",  "effect.log has no end",
					    "final.log has no end" };

	for (int file = CHAOS_HISTORY_NEMESIS; file <= CHAOS_HISTORY_FINAL; file++) {
		chaos_history_cut(*state, (enum chaos_history_file)file, strlen("0 closed 8\n"));
		if (file == CHAOS_HISTORY_DATABASE)
			chaos_history_cut(*state, CHAOS_HISTORY_DATABASE, strlen("0 closed 13\n"));
		UNKNOWN(ENDS[file - CHAOS_HISTORY_NEMESIS]);
		chaos_history_close(state);
		chaos_history_open(state);
	}
}

static void what_the_database_shows_is_wrong_whatever_else_is_missing(void **state)
{
	ADD(DATABASE, "3900000 end 1 19 c1 1 A completed");
	chaos_history_cut(*state, CHAOS_HISTORY_EFFECT, strlen("0 closed 8\n"));
	chaos_history_rejected(*state, VERDICT_S1, true);
}

static void records_that_are_missing_among_others_are_counted(void **state)
{
	chaos_history_hide(*state, CHAOS_HISTORY_EFFECT, "1500000 beat 2 c2 1 51\n");
	UNKNOWN("effect.log:6: the file ends with \"closed 6\", and 5 lines stand before");
}

static void a_record_behind_the_end_is_unknown(void **state)
{
	ADD(EFFECT, "0 closed 6");
	UNKNOWN("effect.log:8: a line stands behind the last");
}

static void a_missing_clients_log_is_unknown_and_no_phantom(void **state)
{
	CHANGE(ACT, "clients=1", "clients=2");
	CHANGE(CLIENT, "submit R 2", "submit R 1");
	CHANGE(CLIENT, "ok R 1 2", "ok R 1");
	UNKNOWN("there is 1 log of 2 clients");
}

static void an_act_that_does_not_tell_its_clients_is_unknown(void **state)
{
	CHANGE(ACT, "clients=1\n", "");
	UNKNOWN("how many clients");
}

/* --- single records ----------------------------------------------------------------------------- */

static void an_end_by_a_claim_that_no_worker_wrote_down_is_unknown(void **state)
{
	CHANGE(B, "3721000 claim B c3 2:2\n", "");
	UNKNOWN("the log of B does not tell of the claim by which job 2 ended");
}

static void an_end_that_no_worker_wrote_down_is_unknown(void **state)
{
	CHANGE(B, "3799000 complete k2 2:completed:c3\n3801000 answer k2 2:accepted\n", "");
	UNKNOWN("the log of B does not tell of the end of job 2");
}

static void an_end_before_the_death_of_a_worker_that_answered_since_is_unknown(void **state)
{
	CHANGE(A, "1399000 complete k1 1:completed:c1\n1401000 answer k1 1:accepted\n", "");
	CHANGE(A, "1590000 ping 1\n1591000 acked 1", "1950000 ping 1\n1951000 acked 1");
	CHANGE(DATABASE, "3700000 dead A 2100000", "4000000 dead A 2050000");
	CHANGE(DATABASE, "3710000 back", "4010000 back");
	CHANGE(DATABASE, "3720000 claim", "4020000 claim");
	CHANGE(DATABASE, "3800000 end", "4100000 end");
	UNKNOWN("the log of A does not tell of the end of job 1");
}

/* Its run was done in the transaction of the job, and its worker was gone before it could hear of that. */
static void an_end_at_the_moment_of_its_workers_death_needs_no_record(void **state)
{
	CHANGE(A, "1399000 complete k1 1:completed:c1\n1401000 answer k1 1:accepted\n", "");
	chaos_history_accepted(*state);
}

static void a_completion_without_a_run_is_unknown(void **state)
{
	CHANGE(EFFECT, "1302000 begin 1 c1 1 50\n1312000", "1312000");
	CHANGE(EFFECT, "1398000 end 1 c1 1 50\n", "");
	UNKNOWN("effect.log does not tell of the run in which job 1 was completed");
}

static void a_completion_without_a_run_under_its_claim_is_unknown(void **state)
{
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60\n", "");
	UNKNOWN("effect.log does not tell of the run in which job 2 was completed");
}

static void a_run_in_the_server_needs_no_effect(void **state)
{
	CHANGE(DATABASE, "submit 1 10 pending plugin", "submit 1 10 pending sql");
	CHANGE(EFFECT, "1302000 begin 1 c1 1 50\n1312000", "1312000");
	CHANGE(EFFECT, "1398000 end 1 c1 1 50\n", "");
	chaos_history_accepted(*state);
}

static void a_worker_that_stops_with_an_unanswered_completion_is_unknown(void **state)
{
	CHANGE(B, "3801000 answer k2 2:accepted", "9000000 stop B");
	UNKNOWN("worker-d2.log does not tell of the answer for job 2");
}

static void a_worker_that_lives_long_without_a_ping_is_unknown(void **state)
{
	CHANGE(B, "1590000 ping 1\n1591000 acked 1\n3580000 ping 2\n3581000 acked 2\n", "");
	CHANGE(NEMESIS, "5000001 end", "6000000 end");
	UNKNOWN("the log of B does not tell of any ping");
}

/* --- the nemesis -------------------------------------------------------------------------------- */

#define NEXT                                                                                       \
	"4500000 inject 2 harm 1\n4500100 witness 2 it bit\n4600000 heal 2\n4700000 settled 2\n"

static void an_unknown_fault_is_unknown(void **state)
{
	CHANGE(NEMESIS, "inject 1 harm", "inject 1 made-up");
	UNKNOWN("nemesis.log:3: there is no fault \"made-up\"");
}

static void a_fault_on_a_stage_that_it_is_not_of_is_unknown(void **state)
{
	CHANGE(ACT, "name=good", "name=good\nstage=plain");
	CHANGE(NEMESIS, "inject 1 harm", "inject 1 failover-asynchronous");
	UNKNOWN("failover-asynchronous cannot be played on the stage \"plain\"");
}

static void a_fault_on_its_own_stage_is_known(void **state)
{
	CHANGE(ACT, "name=good", "name=good\nstage=network");
	CHANGE(NEMESIS, "inject 1 harm", "inject 1 dispatcher-partitioned");
	chaos_history_accepted(*state);
}

static void a_bout_that_was_taken_out_is_unknown(void **state)
{
	CHANGE(NEMESIS, "5000000 drained", NEXT "5000000 drained");
	CHANGE(NEMESIS, "inject 2", "inject 3");
	CHANGE(NEMESIS, "witness 2", "witness 3");
	CHANGE(NEMESIS, "heal 2", "heal 3");
	CHANGE(NEMESIS, "settled 2", "settled 3");
	UNKNOWN("bout 3 follows bout 1");
}

static void two_bouts_one_after_the_other_are_no_pair(void **state)
{
	const struct verdict *verdict;

	CHANGE(ACT, "demand_harm=16", "demand_harm=0");
	CHANGE(NEMESIS, "5000000 drained", NEXT "5000000 drained");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->faults[0].injected, 2);
	assert_int_equal(verdict->pairs, 0);
}

static void two_bouts_that_overlap_are_a_pair(void **state)
{
	const struct verdict *verdict;

	CHANGE(NEMESIS, "1600100 witness", "1600050 inject 2 harm 1\n1600100 witness");
	CHANGE(NEMESIS, "3900000 heal 1",
	       "1600200 witness 2 it bit\n3800000 heal 2\n3900000 heal 1");
	CHANGE(NEMESIS, "4400000 settled 1", "4400000 settled 1\n4400001 settled 2");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->pairs, 1);
	assert_int_equal(verdict->half_pairs, 0);
}

static void half_of_a_pair_that_bit_alone_is_no_pair(void **state)
{
	const struct verdict *verdict;

	CHANGE(NEMESIS, "1600100 witness", "1600050 inject 2 harm 1\n1600100 witness");
	CHANGE(NEMESIS, "3900000 heal 1", "3800000 heal 2\n3900000 heal 1");
	CHANGE(NEMESIS, "4400000 settled 1",
	       "4000000 again 2\n4100000 witness 2 it bit\n4200000 heal 2\n"
	       "4400000 settled 1\n4400001 settled 2");
	verdict = chaos_history_accepted(*state);
	assert_int_equal(verdict->pairs, 0);
	assert_int_equal(verdict->half_pairs, 1);
}

static void a_bout_that_was_not_healed_is_unknown(void **state)
{
	CHANGE(NEMESIS, "3900000 heal 1\n", "");
	UNKNOWN("harm (bout 1) settled and was not healed");
}

static void a_bout_that_settled_before_it_was_healed_is_unknown(void **state)
{
	CHANGE(NEMESIS, "3900000 heal 1\n4400000 settled 1", "3900000 settled 1\n4400000 heal 1");
	UNKNOWN("not injected, healed and settled in this order");
}

static void a_witness_from_before_the_injection_is_unknown(void **state)
{
	CHANGE(NEMESIS, "1600100 witness", "1599999 witness");
	UNKNOWN("the witness of bout 1 is older");
}

static void another_death_interval_than_the_acts_is_unknown(void **state)
{
	CHANGE(ACT, "death_us=2000000", "death_us=20000000");
	UNKNOWN("the death interval of A is 2000 ms, and the act's is 20000");
}

static void deaths_of_those_who_held_nothing_prove_no_reclaim(void **state)
{
	CHANGE(DATABASE, "1310000 claim 2 12 c2 1 A\n", "");
	CHANGE(DATABASE, "1320000 start 2 13 c2 1 A\n", "");
	CHANGE(DATABASE, "3710000 back 2 16 c2 1 A pending\n", "");
	CHANGE(DATABASE, "3720000 claim 2 17 c3 2 B", "1330000 claim 2 12 c3 2 B");
	CHANGE(A, "1311000 claim A c2 2:1\n1311001 begin c2 2\n", "");
	CHANGE(EFFECT, "1312000 begin 2 c2 1 51\n", "");
	CHANGE(EFFECT, "1500000 beat 2 c2 1 51\n", "");
	CHANGE(FINAL, "2 completed c3 2 1 1 1", "2 completed c3 2 1 0 0");
	UNKNOWN("harm (bout 1) killed nobody who held a job");
}

/* B is killed beside A, and was to show a reclaim as well. */
static void kill_b(void **state)
{
	CHANGE(NEMESIS, "3900000 heal 1\n4400000 settled 1\n5000000 drained 2\n5000001 end",
	       "3650000 inject 2 dispatcher-killed 1\n3650100 witness 2 it is gone\n3900000 heal 1\n"
	       "6300000 heal 2\n6400000 settled 1\n6400001 settled 2\n6500000 drained 2\n6500001 end");
	CHANGE(DATABASE, "3800000 end", "3750000 alive C dA\n3800000 end");
	ADD(DATABASE, "5900000 dead B 2319000 2000000 C 2");
	ADD(A, "3748000 fence A");
	ADD(A, "3749000 dead A");
	ADD(A, "3749001 reassigned 2 c2");
	ADD(A, "3751000 register C dA 101");
	ADD(A, "3760000 ping 1");
	ADD(A, "3761000 acked 1");
	ADD(A, "4760000 ping 2");
	ADD(A, "4761000 acked 2");
	ADD(A, "5760000 ping 3");
	ADD(A, "5761000 acked 3");
}

static void the_reclaim_of_one_of_a_pair_proves_none_of_the_other(void **state)
{
	kill_b(state);
	UNKNOWN("dispatcher-killed (bout 2) killed nobody who held a job");
}

/* --- acts that were not played ------------------------------------------------------------------ */

static void an_act_that_could_not_be_played_needs_no_histories(void **state)
{
	CHANGE(ACT, "name=good", "name=good\nplayed=0");
	chaos_history_empty(*state, CHAOS_HISTORY_NEMESIS);
	ADD(NEMESIS, "1000000 begin 7");
	ADD(NEMESIS, "1000001 skip harm no such machine");
	ADD(NEMESIS, "1000002 end");
	for (int file = CHAOS_HISTORY_DATABASE; file <= CHAOS_HISTORY_FINAL; file++)
		chaos_history_omit(*state, (enum chaos_history_file)file);
	assert_int_equal(chaos_history_accepted(*state)->skipped, 1);
}

static void an_act_with_a_fault_was_played_whatever_it_says(void **state)
{
	CHANGE(ACT, "name=good", "name=good\nplayed=0");
	ADD(NEMESIS, "5000002 skip other no such machine");
	chaos_history_omit(*state, CHAOS_HISTORY_DATABASE);
	UNKNOWN("database.log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(an_act_that_could_not_be_played_needs_no_histories),
		CHAOS_HISTORY_TEST(an_act_with_a_fault_was_played_whatever_it_says),
		CHAOS_HISTORY_TEST(an_unknown_fault_is_unknown),
		CHAOS_HISTORY_TEST(a_fault_on_a_stage_that_it_is_not_of_is_unknown),
		CHAOS_HISTORY_TEST(a_fault_on_its_own_stage_is_known),
		CHAOS_HISTORY_TEST(a_bout_that_was_taken_out_is_unknown),
		CHAOS_HISTORY_TEST(two_bouts_one_after_the_other_are_no_pair),
		CHAOS_HISTORY_TEST(two_bouts_that_overlap_are_a_pair),
		CHAOS_HISTORY_TEST(half_of_a_pair_that_bit_alone_is_no_pair),
		CHAOS_HISTORY_TEST(a_bout_that_was_not_healed_is_unknown),
		CHAOS_HISTORY_TEST(a_bout_that_settled_before_it_was_healed_is_unknown),
		CHAOS_HISTORY_TEST(a_witness_from_before_the_injection_is_unknown),
		CHAOS_HISTORY_TEST(another_death_interval_than_the_acts_is_unknown),
		CHAOS_HISTORY_TEST(deaths_of_those_who_held_nothing_prove_no_reclaim),
		CHAOS_HISTORY_TEST(the_reclaim_of_one_of_a_pair_proves_none_of_the_other),
		CHAOS_HISTORY_TEST(a_file_without_its_last_line_is_unknown),
		CHAOS_HISTORY_TEST(what_the_database_shows_is_wrong_whatever_else_is_missing),
		CHAOS_HISTORY_TEST(records_that_are_missing_among_others_are_counted),
		CHAOS_HISTORY_TEST(a_record_behind_the_end_is_unknown),
		CHAOS_HISTORY_TEST(a_missing_clients_log_is_unknown_and_no_phantom),
		CHAOS_HISTORY_TEST(an_act_that_does_not_tell_its_clients_is_unknown),
		CHAOS_HISTORY_TEST(an_end_by_a_claim_that_no_worker_wrote_down_is_unknown),
		CHAOS_HISTORY_TEST(an_end_that_no_worker_wrote_down_is_unknown),
		CHAOS_HISTORY_TEST(
			an_end_before_the_death_of_a_worker_that_answered_since_is_unknown),
		CHAOS_HISTORY_TEST(an_end_at_the_moment_of_its_workers_death_needs_no_record),
		CHAOS_HISTORY_TEST(a_completion_without_a_run_is_unknown),
		CHAOS_HISTORY_TEST(a_completion_without_a_run_under_its_claim_is_unknown),
		CHAOS_HISTORY_TEST(a_run_in_the_server_needs_no_effect),
		CHAOS_HISTORY_TEST(a_worker_that_stops_with_an_unanswered_completion_is_unknown),
		CHAOS_HISTORY_TEST(a_worker_that_lives_long_without_a_ping_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
