#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/claimer.h"
#include "tests/support/claimer_bench.h"

/* Where the next claim begins in a range. */
static int64_t lowest(struct claimer_bench *bench, int queue_id, int priority, int lane,
		      int64_t now_ms)
{
	size_t count = claimer_bench_scan(bench, now_ms);

	for (size_t i = 0; i < count; i++)
		if (bench->ranges[i].queue_id == queue_id &&
		    bench->ranges[i].priority == priority && bench->ranges[i].lane == lane)
			return bench->ranges[i].lowest;
	fail_msg("no range of queue %d", queue_id);
	return -1;
}

/* The first rescan is due at once: gets it out of the way. */
static void settle(struct claimer_bench *bench)
{
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_wake(bench->claimer);
}

static void a_cursor_follows_what_was_claimed_in_its_own_range(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed jobs[] = { claimer_bench_job(11, 5, 30), claimer_bench_job(11, 5, 20),
				      claimer_bench_job(12, 0, 7) };

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, jobs, 3, 3, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 31);
	assert_int_equal(lowest(bench, 12, 0, JOB_LANE_NEW, BENCH_NOW), 8);
	assert_int_equal(lowest(bench, 11, 4, JOB_LANE_NEW, BENCH_NOW), 0);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, BENCH_NOW), 0);
}

static void a_cursor_only_goes_forward_between_rescans(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed high = claimer_bench_job(11, 5, 100);
	struct job_claimed low = claimer_bench_job(11, 5, 50);

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &high, 1, 1, BENCH_NOW);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &low, 1, 1, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 101);
}

static void a_requeued_job_never_moves_a_cursor_and_is_scanned_from_the_head(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 1000);

	settle(bench);
	job.lane = JOB_LANE_REQUEUED;
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &job, 1, 1, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 0);
	job.lane = JOB_LANE_NEW;
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &job, 1, 1, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_REQUEUED, BENCH_NOW), 0);
}

static void a_rescan_looks_from_the_head_at_least_a_second_apart(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 100);

	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 0);
	claimer_bench_take(bench, &job, 1, 5, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 101);
	claimer_bench_take(bench, NULL, 0, 5, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + CLAIMER_RESCAN_MS - 1),
			 101);
	claimer_bench_take(bench, NULL, 0, 5, BENCH_NOW + CLAIMER_RESCAN_MS - 1);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + CLAIMER_RESCAN_MS), 0);
}

static void a_slow_rescan_takes_its_share_of_the_time_and_no_more(void **state)
{
	enum { TOOK = 400 };
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 100);

	claimer_bench_scan(bench, BENCH_NOW - TOOK);
	claimer_bench_take_slowly(bench, &job, 1, 5, BENCH_NOW - TOOK, BENCH_NOW);
	assert_int_equal(
		lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + TOOK * CLAIMER_RESCAN_SHARE - 1),
		101);
	assert_int_equal(
		lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + TOOK * CLAIMER_RESCAN_SHARE), 0);
}

/* As when this process was stopped in the middle of one. */
static void a_rescan_that_took_for_ever_is_repeated_soon_all_the_same(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 100);

	claimer_bench_scan(bench, BENCH_NOW - 600000);
	claimer_bench_take_slowly(bench, &job, 1, 5, BENCH_NOW - 600000, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + CLAIMER_RESCAN_MOST_MS - 1),
			 101);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + CLAIMER_RESCAN_MOST_MS), 0);
}

/* What was measured on the former connection says nothing of the next. */
static void a_new_connection_begins_with_a_rescan_and_skips_nothing(void **state)
{
	struct claimer_bench *bench = *state;

	claimer_bench_scan(bench, BENCH_NOW - 600000);
	claimer_bench_take_slowly(bench, NULL, 0, 5, BENCH_NOW - 600000, BENCH_NOW);
	assert_true(claimer_wants_horizon(bench->claimer));
	claimer_restart(bench->claimer);
	assert_false(claimer_wants_horizon(bench->claimer));
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 5, BENCH_NOW);
	assert_true(claimer_looks(bench->claimer, BENCH_NOW + CLAIMER_RESCAN_MS));
}

/* A late commit lies at 10, more of them behind it; the claim has room for one. */
static void a_full_rescan_goes_on_behind_what_it_took(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed high = claimer_bench_job(11, 5, 100);
	struct job_claimed late = claimer_bench_job(11, 5, 10);
	int64_t later_ms = BENCH_NOW + CLAIMER_RESCAN_MS;

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &high, 1, 1, BENCH_NOW);
	claimer_bench_scan(bench, later_ms);
	claimer_bench_take(bench, &late, 1, 1, later_ms);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, later_ms), 11);
}

static void a_rescan_that_was_not_full_keeps_the_cursor(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed high = claimer_bench_job(11, 5, 100);
	struct job_claimed late = claimer_bench_job(11, 5, 10);
	int64_t later_ms = BENCH_NOW + CLAIMER_RESCAN_MS;

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &high, 1, 1, BENCH_NOW);
	claimer_bench_scan(bench, later_ms);
	claimer_bench_take(bench, &late, 1, 2, later_ms);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, later_ms), 101);
}

static void a_slow_claim_that_finds_little_asks_for_the_horizon_and_skips_to_it(void **state)
{
	struct claimer_bench *bench = *state;

	settle(bench);
	assert_false(claimer_wants_horizon(bench->claimer));
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take_slowly(bench, NULL, 0, 5, BENCH_NOW, BENCH_NOW + 100);
	assert_true(claimer_wants_horizon(bench->claimer));
	claimer_bench_scan(bench, BENCH_NOW + 100);
	claimer_set_horizon(bench->claimer, 5000);
	claimer_bench_take_slowly(bench, NULL, 0, 5, BENCH_NOW + 100, BENCH_NOW + 200);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW + 200), 5001);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_REQUEUED, BENCH_NOW + 200), 0);
}

static void a_full_claim_has_not_seen_the_horizon(void **state)
{
	enum { SOON = BENCH_NOW + CLAIMER_RESCAN_MS - 1 };
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 100);

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_set_horizon(bench->claimer, 5000);
	claimer_bench_take_slowly(bench, &job, 1, 1, BENCH_NOW, SOON);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, SOON), 101);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, SOON), 0);
	assert_false(claimer_wants_horizon(bench->claimer));
}

static void a_horizon_never_moves_a_cursor_back_and_holds_for_one_claim(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 9000);

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_set_horizon(bench->claimer, 5000);
	claimer_bench_take(bench, &job, 1, 5, BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 9001);
	claimer_restart(bench->claimer);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 5, BENCH_NOW);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, BENCH_NOW), 0);
}

static void a_restart_looks_at_everything_from_the_head(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 100);

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &job, 1, 1, BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_restart(bench->claimer);
	assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 0);
}

static void a_queue_that_is_resumed_is_looked_at_at_once_and_from_its_head(void **state)
{
	struct claimer_bench *bench = *state;
	struct queue_row row = { 2, 13, true };
	struct job_claimed job = claimer_bench_job(13, 5, 500);

	settle(bench);
	claimer_bench_scan(bench, BENCH_NOW);
	claimer_bench_take(bench, &job, 1, BENCH_SIZE, BENCH_NOW);
	assert_int_equal(lowest(bench, 13, 5, JOB_LANE_NEW, BENCH_NOW), 501);
	claimer_set_queues(bench->claimer, &row, 1);
	for (int i = 0; i < 6; i++)
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	row.paused = false;
	claimer_set_queues(bench->claimer, &row, 1);
	assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW);
	assert_int_equal(lowest(bench, 13, 5, JOB_LANE_NEW, BENCH_NOW), 0);
}

static void a_mended_handler_is_claimed_again_from_the_head(void **state)
{
	struct claimer_bench *bench = *state;
	size_t count;

	assert_false(claimer_mend(bench->claimer, "one", 3));
	assert_true(claimer_break(bench->claimer, "one", 3));
	assert_true(claimer_mend(bench->claimer, "one", 3));
	assert_false(claimer_mend(bench->claimer, "one", 3));
	claimer_handlers(bench->claimer, &count);
	assert_int_equal(count, 2);
	claimer_broken(bench->claimer, &count);
	assert_int_equal(count, 0);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, BENCH_NOW), 0);
}

#define BENCH_TEST(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, claimer_bench_open, claimer_bench_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_mended_handler_is_claimed_again_from_the_head),
		BENCH_TEST(a_cursor_follows_what_was_claimed_in_its_own_range),
		BENCH_TEST(a_cursor_only_goes_forward_between_rescans),
		BENCH_TEST(a_requeued_job_never_moves_a_cursor_and_is_scanned_from_the_head),
		BENCH_TEST(a_rescan_looks_from_the_head_at_least_a_second_apart),
		BENCH_TEST(a_slow_rescan_takes_its_share_of_the_time_and_no_more),
		BENCH_TEST(a_rescan_that_took_for_ever_is_repeated_soon_all_the_same),
		BENCH_TEST(a_new_connection_begins_with_a_rescan_and_skips_nothing),
		BENCH_TEST(a_full_rescan_goes_on_behind_what_it_took),
		BENCH_TEST(a_rescan_that_was_not_full_keeps_the_cursor),
		BENCH_TEST(a_slow_claim_that_finds_little_asks_for_the_horizon_and_skips_to_it),
		BENCH_TEST(a_full_claim_has_not_seen_the_horizon),
		BENCH_TEST(a_horizon_never_moves_a_cursor_back_and_holds_for_one_claim),
		BENCH_TEST(a_restart_looks_at_everything_from_the_head),
		BENCH_TEST(a_queue_that_is_resumed_is_looked_at_at_once_and_from_its_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
