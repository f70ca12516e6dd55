/* What the judge makes of moments in which the whole machine stood still. A's last ping is at 1.59 s, its death at 3.7 s
 * and may be found until 4.49 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)

static void stand_still(void **state, const char *stall)
{
	CHANGE(NEMESIS, "3900000 heal", stall);
}

#define STALL(at, from, ms) stand_still(state, at " stall " from " " ms "\n3900000 heal")

/* --- deaths that are found late ----------------------------------------------------------------- */

static void reclaim_late(void **state)
{
	CHANGE(DATABASE, "3700000 dead A 2100000", "4300000 dead A 2700000");
	CHANGE(DATABASE, "3710000 back", "5310000 back");
	CHANGE(DATABASE, "3720000 claim", "5320000 claim");
	CHANGE(DATABASE, "3800000 end", "5400000 end");
	CHANGE(NEMESIS, "3900000 heal 1\n4400000 settled 1\n5000000 drained 2\n5000001 end",
	       "3900000 heal 1\n5500000 settled 1\n5600000 drained 2\n5600001 end");
	CHANGE(B,
	       "3721000 claim B c3 2:2\n3721001 begin c3 2\n3799000 complete k2 2:completed:c3\n"
	       "3801000 answer k2 2:accepted\n",
	       "5321000 claim B c3 2:2\n5321001 begin c3 2\n5399000 complete k2 2:completed:c3\n"
	       "5401000 answer k2 2:accepted\n");
	CHANGE(EFFECT, "3722000 begin 2 c3 2 60\n3790000 end 2 c3 2 60",
	       "5322000 begin 2 c3 2 60\n5390000 end 2 c3 2 60");
}

static void a_stall_that_restarts_the_watch_allows_a_later_reclaim(void **state)
{
	reclaim_late(state);
	STALL("3000000", "2300000", "700");
	chaos_history_accepted(*state);
}

static void a_late_reclaim_without_a_stall_breaks_l2(void **state)
{
	reclaim_late(state);
	chaos_history_rejected(*state, VERDICT_L2, false);
}

static void a_stall_before_the_silence_excuses_no_late_reclaim(void **state)
{
	reclaim_late(state);
	STALL("1550000", "1200000", "350");
	chaos_history_rejected(*state, VERDICT_L2, false);
}

static void a_stall_excuses_no_reclaim_that_is_later_still(void **state)
{
	reclaim_late(state);
	CHANGE(ACT, "death_us=2000000", "death_us=1000000");
	CHANGE(DATABASE, "2000000 B 4", "1000000 B 4");
	STALL("2700000", "2400000", "300");
	chaos_history_rejected(*state, VERDICT_L2, false);
}

/* --- deaths of who lived ------------------------------------------------------------------------ */

static void live_on(void **state)
{
	ADD(A, "3750000 fence A");
	ADD(A, "3750000 dead A");
	ADD(A, "3750000 reassigned 2 c2");
	ADD(A, "3751000 register C dA 100");
	CHANGE(DATABASE, "3800000 end", "3751000 alive C dA\n3800000 end");
}

static void spare_a(void **state)
{
	CHANGE(NEMESIS, "1600000 inject", "4200000 inject");
	CHANGE(NEMESIS, "1600100 witness", "4200100 witness");
	CHANGE(NEMESIS, "3900000 heal", "4300000 heal");
	live_on(state);
}

static void a_death_in_a_long_stall_proves_nothing(void **state)
{
	spare_a(state);
	CHANGE(NEMESIS, "4300000 heal", "3500000 stall 1700000 1800\n4300000 heal");
	chaos_history_unknown(*state, "stood still");
}

static void a_death_in_a_short_stall_breaks_s8(void **state)
{
	spare_a(state);
	CHANGE(NEMESIS, "4300000 heal", "3500000 stall 3100000 400\n4300000 heal");
	chaos_history_rejected(*state, VERDICT_S8, false);
}

static void a_death_long_after_a_stall_breaks_s8(void **state)
{
	spare_a(state);
	CHANGE(NEMESIS, "4300000 heal", "4290000 stall 3710000 580\n4300000 heal");
	chaos_history_rejected(*state, VERDICT_S8, false);
}

static void a_death_that_a_fault_explains_stays_valid_in_a_stall(void **state)
{
	live_on(state);
	STALL("3500000", "1700000", "1800");
	chaos_history_accepted(*state);
}

static void a_stall_excuses_the_death_of_a_fault_that_kills_nobody(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=1");
	live_on(state);
	STALL("3500000", "1700000", "1800");
	chaos_history_unknown(*state, "stood still");
}

/* --- the record --------------------------------------------------------------------------------- */

static void a_stall_that_is_longer_than_its_past_is_no_record(void **state)
{
	STALL("3500000", "1700000", "1801");
	chaos_history_unknown(*state, "nemesis.log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAOS_HISTORY_TEST(a_stall_that_restarts_the_watch_allows_a_later_reclaim),
		CHAOS_HISTORY_TEST(a_late_reclaim_without_a_stall_breaks_l2),
		CHAOS_HISTORY_TEST(a_stall_before_the_silence_excuses_no_late_reclaim),
		CHAOS_HISTORY_TEST(a_stall_excuses_no_reclaim_that_is_later_still),
		CHAOS_HISTORY_TEST(a_death_in_a_long_stall_proves_nothing),
		CHAOS_HISTORY_TEST(a_death_in_a_short_stall_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_long_after_a_stall_breaks_s8),
		CHAOS_HISTORY_TEST(a_death_that_a_fault_explains_stays_valid_in_a_stall),
		CHAOS_HISTORY_TEST(a_stall_excuses_the_death_of_a_fault_that_kills_nobody),
		CHAOS_HISTORY_TEST(a_stall_that_is_longer_than_its_past_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
