/* How long things take: work after a heal, and what a fault must not lengthen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/support/chaos_history.h"

#define ADD(file, line) chaos_history_add(*state, CHAOS_HISTORY_##file, line)
#define CHANGE(file, from, to) chaos_history_change(*state, CHAOS_HISTORY_##file, from, to)
#define ADD_LINE(file, ...)                                                                        \
	do {                                                                                       \
		char line_[128];                                                                   \
		snprintf(line_, sizeof(line_), __VA_ARGS__);                                       \
		ADD(file, line_);                                                                  \
	} while (0)

enum { CALM_US = 4450000, STRUCK_US = 2000000, CALM = 120, STRUCK = 30, FIRST_JOB = 100 };

/* --- a day's work ------------------------------------------------------------------------------- */

/* A job that B does, the next one by its number. */
static void add_job(void **state, int job, int ready_us, int claim_us, int end_us)
{
	ADD_LINE(DATABASE, "%d submit %d %d pending", ready_us, job, job);
	ADD_LINE(DATABASE, "%d claim %d %d x%d 1 B", claim_us, job, 10000 + job, job);
	ADD_LINE(DATABASE, "%d end %d %d x%d 1 B completed", end_us, job, 20000 + job, job);
	ADD_LINE(B, "%d claim B x%d %d:1", claim_us, job, job);
	ADD_LINE(B, "%d begin x%d %d", claim_us, job, job);
	ADD_LINE(B, "%d complete y%d %d:completed:x%d", end_us, job, job, job);
	ADD_LINE(B, "%d answer y%d %d:accepted", end_us, job, job);
	ADD_LINE(CLIENT, "%d submit Q%d 1", ready_us, job);
	ADD_LINE(CLIENT, "%d ok Q%d %d", ready_us, job, job);
	ADD_LINE(EFFECT, "%d begin %d x%d 1 %d", claim_us, job, job, 1000 + job);
	ADD_LINE(EFFECT, "%d end %d x%d 1 %d", end_us, job, job, 1000 + job);
	ADD_LINE(FINAL, "0 job %d completed x%d 1 1 0 0", job, job);
}

/* Jobs that take so long to be claimed and to end, during the fault and without it. */
static void add_jobs(void **state, int struck_us, int calm_us)
{
	for (int i = 0; i < STRUCK; i++)
		add_job(state, FIRST_JOB + i, STRUCK_US + i, STRUCK_US + i + struck_us,
			STRUCK_US + i + struck_us + 1);
	for (int i = 0; i < CALM; i++)
		add_job(state, FIRST_JOB + STRUCK + i, CALM_US + i, CALM_US + i + calm_us,
			CALM_US + i + calm_us + 1);
}

/* B's last. */
static int pings;

static int open_history(void **state)
{
	pings = 2;
	return chaos_history_open(state);
}

static void add_ping(void **state, int at_us, int answered_us)
{
	ADD_LINE(B, "%d ping %d", at_us, ++pings);
	if (answered_us > 0)
		ADD_LINE(B, "%d acked %d", answered_us, pings);
}

static void add_pings(void **state, int struck_us, int calm_us)
{
	for (int i = 0; i < STRUCK; i++)
		add_ping(state, STRUCK_US + i * 1000, STRUCK_US + i * 1000 + struck_us);
	ADD_LINE(B, "%d fence B", CALM_US);
	for (int i = 0; i < CALM; i++)
		add_ping(state, CALM_US + i * 1000, CALM_US + i * 1000 + calm_us);
}

static void demand(void **state, const char *demands)
{
	CHANGE(ACT, "demand_harm=16\n", demands);
}

static const char PINGS[] = "demand_harm=1024\n";
static const char CLAIMS[] = "demand_harm=2048\n";
static const char ENDS[] = "demand_harm=4096\n";

/* --- pings -------------------------------------------------------------------------------------- */

static void pings_that_a_fault_slows_down_break_its_criterion(void **state)
{
	demand(state, PINGS);
	add_pings(state, 80000, 1000);
	chaos_history_broken(*state, "one in a hundred pings");
}

static void pings_that_a_fault_leaves_unanswered_break_its_criterion(void **state)
{
	demand(state, PINGS);
	for (int i = 0; i < STRUCK; i++)
		add_ping(state, STRUCK_US + i * 60000, 0);
	add_ping(state, CALM_US, CALM_US + 1000);
	add_pings(state, 1000, 1000);
	chaos_history_broken(*state, "one in a hundred pings");
}

static void pings_that_are_as_slow_without_the_fault_are_right(void **state)
{
	demand(state, PINGS);
	add_pings(state, 80000, 40000);
	chaos_history_accepted(*state);
}

static void slow_pings_are_right_where_nothing_demands_quick_ones(void **state)
{
	add_pings(state, 80000, 1000);
	chaos_history_accepted(*state);
}

/* --- claims and jobs ---------------------------------------------------------------------------- */

static void claims_that_a_fault_slows_down_break_its_criterion(void **state)
{
	demand(state, CLAIMS);
	add_jobs(state, 6500000, 1000);
	chaos_history_broken(*state, "one in a hundred claims");
}

static void claims_that_wait_for_a_few_looks_back_are_right(void **state)
{
	demand(state, CLAIMS);
	add_jobs(state, 4500000, 1000);
	chaos_history_accepted(*state);
}

static void jobs_that_a_fault_slows_down_break_its_criterion(void **state)
{
	demand(state, ENDS);
	add_jobs(state, 2500000, 1000);
	chaos_history_broken(*state, "one in a hundred jobs");
}

/* --- work after a heal -------------------------------------------------------------------------- */

enum { WORK = 150, EACH_US = 10000 };

/* From then on a hundred jobs end in a second. */
static void add_work(void **state, int from_us)
{
	for (int i = 0; i < WORK; i++)
		add_job(state, FIRST_JOB + i, from_us + i * EACH_US, from_us + i * EACH_US,
			from_us + i * EACH_US);
}

static void add_next_fault(void **state, int at_us)
{
	char lines[256];

	snprintf(
		lines, sizeof(lines),
		"%d inject 2 agent-killed 0\n%d witness 2 seen\n%d heal 2\n%d settled 2\n5000000 drained",
		at_us, at_us, at_us, at_us);
	CHANGE(NEMESIS, "5000000 drained", lines);
}

static void work_that_goes_on_after_a_heal_is_timed(void **state)
{
	add_work(state, 6000000);
	assert_int_equal(chaos_history_accepted(*state)->faults[0].back_max_ms, 1500);
}

static void what_the_next_fault_holds_up_is_not_the_former_ones(void **state)
{
	add_work(state, 6000000);
	add_next_fault(state, 4500000);
	assert_int_equal(chaos_history_accepted(*state)->faults[0].back_max_ms, 0);
}

static void work_that_does_not_come_back_for_ten_seconds_is_unknown(void **state)
{
	add_work(state, 20000000);
	add_next_fault(state, 15000000);
	chaos_history_unknown(*state, "work did not go on at 90 % within 10 s");
}

/* --- bounds ------------------------------------------------------------------------------------- */

/* Who is not told looks all the same. */
static void a_job_that_waits_though_notifications_alone_are_lost_breaks_l6(void **state)
{
	CHANGE(ACT, "demand_harm=16", "demand_harm=8192");
	CHANGE(NEMESIS, "4400000 settled", "9900000 settled");
	CHANGE(NEMESIS, "5000000 drained", "9900001 drained");
	CHANGE(NEMESIS, "5000001 end", "9900002 end");
	ADD(DATABASE, "4500000 submit 3 20 pending");
	ADD(DATABASE, "9500000 claim 3 22 c4 1 B");
	ADD(DATABASE, "9600000 end 3 24 c4 1 B completed");
	ADD(FINAL, "0 job 3 completed c4 1 1 0 0");
	ADD(CLIENT, "4500000 submit Q 1");
	ADD(CLIENT, "4500000 ok Q 3");
	chaos_history_rejected(*state, VERDICT_L6, false);
}

static void a_reclaim_that_is_late_by_less_than_a_ping_breaks_l2(void **state)
{
	CHANGE(DATABASE, "3700000 dead A 2100000", "4700000 dead A 3100000");
	CHANGE(DATABASE, "3710000 back", "4711000 back");
	CHANGE(DATABASE, "3720000 claim", "4721000 claim");
	CHANGE(DATABASE, "3800000 end", "4800000 end");
	CHANGE(NEMESIS, "4400000 settled", "4900000 settled");
	CHANGE(B, "3721000 claim B c3 2:2\n3721001", "4722000 claim B c3 2:2\n4722001");
	CHANGE(B, "3799000 complete", "4799000 complete");
	CHANGE(B, "3801000 answer", "4801000 answer");
	chaos_history_rejected(*state, VERDICT_L2, false);
}

#define PACE_TEST(test) cmocka_unit_test_setup_teardown(test, open_history, chaos_history_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACE_TEST(a_job_that_waits_though_notifications_alone_are_lost_breaks_l6),
		PACE_TEST(a_reclaim_that_is_late_by_less_than_a_ping_breaks_l2),
		PACE_TEST(pings_that_a_fault_slows_down_break_its_criterion),
		PACE_TEST(pings_that_a_fault_leaves_unanswered_break_its_criterion),
		PACE_TEST(pings_that_are_as_slow_without_the_fault_are_right),
		PACE_TEST(slow_pings_are_right_where_nothing_demands_quick_ones),
		PACE_TEST(claims_that_a_fault_slows_down_break_its_criterion),
		PACE_TEST(claims_that_wait_for_a_few_looks_back_are_right),
		PACE_TEST(jobs_that_a_fault_slows_down_break_its_criterion),
		PACE_TEST(work_that_goes_on_after_a_heal_is_timed),
		PACE_TEST(what_the_next_fault_holds_up_is_not_the_former_ones),
		PACE_TEST(work_that_does_not_come_back_for_ten_seconds_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
