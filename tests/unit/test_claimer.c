#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/claimer.h"

enum { SIZE = 8, NOW = 1000000, POLL = 1000, QUEUES = 3 };
enum { RANGES = (LIMIT_PRIORITY_MAX + 1) * JOB_LANES }; /* of one queue */

struct bench {
	struct config config;
	struct config_agent agent;
	struct config_queue queues[QUEUES];
	int indexes[2];
	struct handler handlers[2];
	struct claimer *claimer;
	const struct job_range *ranges;
};

static char QUEUE_A[] = "a", QUEUE_B[] = "b", QUEUE_C[] = "c", ONE[] = "one", TWO[] = "two";

/* An agent that serves three queues with the weights 1, 2 and 5; they exist under the ids 11, 12, 13. */
static int open_bench(void **state)
{
	static struct bench bench;
	struct queue_row rows[] = { { 0, 11, false }, { 1, 12, false }, { 2, 13, false } };

	memset(&bench, 0, sizeof(bench));
	bench.queues[0] = (struct config_queue){ QUEUE_A, 1 };
	bench.queues[1] = (struct config_queue){ QUEUE_B, 2 };
	bench.queues[2] = (struct config_queue){ QUEUE_C, 5 };
	bench.handlers[0].name = ONE;
	bench.handlers[1].name = TWO;
	bench.indexes[1] = 1;
	bench.agent = (struct config_agent){
		.size = SIZE,
		.queue_count = QUEUES,
		.queues = bench.queues,
		.handler_count = 2,
		.handlers = bench.indexes,
	};
	bench.config.poll_interval_ms = POLL;
	bench.config.handlers = bench.handlers;
	bench.config.handler_count = 2;
	bench.claimer = claimer_open(&bench.config, &bench.agent);
	claimer_set_queues(bench.claimer, rows, QUEUES);
	*state = &bench;
	return bench.claimer == NULL;
}

static int close_bench(void **state)
{
	claimer_close(((struct bench *)*state)->claimer);
	return 0;
}

static size_t scan(struct bench *bench, int64_t now_ms)
{
	return claimer_ranges(bench->claimer, now_ms, &bench->ranges);
}

/* A claim at once that brings these. */
static void take(struct bench *bench, const struct job_claimed *jobs, size_t count, int asked,
		 int64_t now_ms)
{
	claimer_take(bench->claimer, jobs, count, asked, now_ms, now_ms);
}

static struct job_claimed new_job(int queue_id, int priority, int64_t id)
{
	return (struct job_claimed){
		.id = id, .queue_id = queue_id, .priority = priority, .lane = JOB_LANE_NEW
	};
}

/* Where the next claim begins in a range. */
static int64_t lowest(struct bench *bench, int queue_id, int priority, int lane, int64_t now_ms)
{
	size_t count = scan(bench, now_ms);

	for (size_t i = 0; i < count; i++)
		if (bench->ranges[i].queue_id == queue_id && bench->ranges[i].priority == priority &&
		    bench->ranges[i].lane == lane)
			return bench->ranges[i].lowest;
	fail_msg("no range of queue %d", queue_id);
	return -1;
}

/* The first rescan is due at once: gets it out of the way. */
static void settle(struct bench *bench)
{
	scan(bench, NOW);
	take(bench, NULL, 0, 1, NOW);
	claimer_wake(bench->claimer);
}

/* --- how much ----------------------------------------------------------------------------------- */

static void the_room_is_the_free_slots_until_work_was_measured(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(claimer_room(bench->claimer, 0), SIZE);
	assert_int_equal(claimer_room(bench->claimer, SIZE - 1), 1);
	assert_int_equal(claimer_room(bench->claimer, SIZE), 0);
	assert_int_equal(claimer_room(bench->claimer, SIZE + 100), 0);
}

static void short_runs_are_prefetched_for_200_ms(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 20);
	assert_int_equal(claimer_room(bench->claimer, 0), SIZE + SIZE * 200 / 20);
	assert_int_equal(claimer_room(bench->claimer, SIZE), SIZE * 200 / 20);
}

static void long_runs_are_not_prefetched(void **state)
{
	struct bench *bench = *state;

	claimer_measure(bench->claimer, 60000);
	assert_int_equal(claimer_room(bench->claimer, SIZE), 0);
	assert_int_equal(claimer_room(bench->claimer, SIZE - 1), 1);
}

static void no_claim_asks_for_more_than_the_limit(void **state)
{
	struct bench *bench = *state;

	bench->agent.size = LIMIT_AGENT_SIZE;
	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 0);
	assert_int_equal(claimer_room(bench->claimer, 0), LIMIT_CLAIM_BATCH);
}

static void a_little_room_beyond_the_slots_waits_for_more(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 20);
	assert_int_equal(claimer_room(bench->claimer, SIZE + SIZE * 10 - 1), 0);
	assert_int_equal(claimer_room(bench->claimer, SIZE + SIZE * 10 - SIZE * 10 / 4), SIZE * 10 / 4);
}

static void a_restrained_claimer_takes_only_what_can_start(void **state)
{
	struct bench *bench = *state;

	claimer_measure(bench->claimer, 1);
	claimer_restrain(bench->claimer, true);
	assert_int_equal(claimer_room(bench->claimer, 0), SIZE);
	assert_int_equal(claimer_room(bench->claimer, SIZE), 0);
	claimer_restrain(bench->claimer, false);
	assert_true(claimer_room(bench->claimer, SIZE) > 0);
}

/* --- when --------------------------------------------------------------------------------------- */

static void a_dry_claimer_backs_off_to_the_poll_interval(void **state)
{
	static const int64_t WAITS[] = { 0, 5, 20, 80, 320, POLL, POLL };
	struct bench *bench = *state;

	assert_false(claimer_is_dry(bench->claimer));
	for (size_t i = 0; i < sizeof(WAITS) / sizeof(WAITS[0]); i++) {
		take(bench, NULL, 0, 1, NOW);
		assert_int_equal(claimer_due_ms(bench->claimer), NOW + WAITS[i]);
		assert_true(claimer_is_dry(bench->claimer));
	}
}

static void the_back_off_never_passes_a_short_poll_interval(void **state)
{
	struct bench *bench = *state;

	bench->config.poll_interval_ms = 10;
	for (int i = 0; i < 10; i++) {
		take(bench, NULL, 0, 1, NOW);
		assert_true(claimer_due_ms(bench->claimer) <= NOW + 10);
	}
}

static void work_found_ends_the_back_off(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 1);

	for (int i = 0; i < 6; i++)
		take(bench, NULL, 0, 1, NOW);
	take(bench, &job, 1, SIZE, NOW);
	assert_false(claimer_is_dry(bench->claimer));
	assert_true(claimer_due_ms(bench->claimer) <= NOW);
	take(bench, NULL, 0, 1, NOW);
	assert_int_equal(claimer_due_ms(bench->claimer), NOW);
}

static void a_wake_up_makes_a_claim_due_at_once(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 6; i++)
		take(bench, NULL, 0, 1, NOW);
	claimer_wake(bench->claimer);
	assert_true(claimer_due_ms(bench->claimer) <= NOW);
	assert_false(claimer_is_dry(bench->claimer));
}

/* --- which queues ------------------------------------------------------------------------------- */

static void each_claim_scans_every_queue_priority_and_lane_in_order(void **state)
{
	struct bench *bench = *state;
	size_t count = scan(bench, NOW);

	assert_int_equal(count, QUEUES * RANGES);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(bench->ranges[i].priority, i % RANGES / JOB_LANES);
		assert_int_equal(bench->ranges[i].lane, i % JOB_LANES == 0 ? JOB_LANE_REQUEUED : JOB_LANE_NEW);
		assert_int_equal(bench->ranges[i].queue_id, bench->ranges[i / RANGES * RANGES].queue_id);
	}
}

static void queues_come_first_by_their_weights(void **state)
{
	struct bench *bench = *state;
	int firsts[QUEUES] = { 0 };
	int streak = 0;

	for (int i = 0; i < 800; i++) {
		int first;

		scan(bench, NOW);
		first = bench->ranges[0].queue_id - 11;
		firsts[first]++;
		/* Smooth: the heaviest does not take its turns in a row. */
		streak = first == 2 ? streak + 1 : 0;
		assert_true(streak <= 2);
	}
	assert_int_equal(firsts[0], 100);
	assert_int_equal(firsts[1], 200);
	assert_int_equal(firsts[2], 500);
}

static void a_paused_queue_is_not_scanned_and_costs_no_turn(void **state)
{
	struct bench *bench = *state;
	struct queue_row paused = { 2, 13, true };

	claimer_set_queues(bench->claimer, &paused, 1);
	for (int i = 0; i < 30; i++) {
		size_t count = scan(bench, NOW);

		assert_int_equal(count, 2 * RANGES);
		for (size_t k = 0; k < count; k++)
			assert_int_not_equal(bench->ranges[k].queue_id, 13);
	}
}

static void with_every_queue_paused_there_is_nothing_to_scan(void **state)
{
	struct bench *bench = *state;
	struct queue_row paused[] = { { 0, 11, true }, { 1, 12, true }, { 2, 13, true } };

	claimer_set_queues(bench->claimer, paused, QUEUES);
	assert_int_equal(scan(bench, NOW), 0);
}

static void a_queue_that_is_resumed_is_looked_at_at_once_and_from_its_head(void **state)
{
	struct bench *bench = *state;
	struct queue_row row = { 2, 13, true };
	struct job_claimed job = new_job(13, 5, 500);

	settle(bench);
	scan(bench, NOW);
	take(bench, &job, 1, SIZE, NOW);
	assert_int_equal(lowest(bench, 13, 5, JOB_LANE_NEW, NOW), 501);
	claimer_set_queues(bench->claimer, &row, 1);
	for (int i = 0; i < 6; i++)
		take(bench, NULL, 0, 1, NOW);
	row.paused = false;
	claimer_set_queues(bench->claimer, &row, 1);
	assert_true(claimer_due_ms(bench->claimer) <= NOW);
	assert_int_equal(lowest(bench, 13, 5, JOB_LANE_NEW, NOW), 0);
}

static void a_queue_that_stays_as_it_is_wakes_nobody(void **state)
{
	struct bench *bench = *state;
	struct queue_row row = { 0, 11, false };

	for (int i = 0; i < 6; i++)
		take(bench, NULL, 0, 1, NOW);
	claimer_set_queues(bench->claimer, &row, 1);
	assert_int_equal(claimer_due_ms(bench->claimer), NOW + POLL);
}

static void queues_are_named_by_their_ids(void **state)
{
	struct bench *bench = *state;

	assert_string_equal(claimer_queue_name(bench->claimer, 12), "b");
	assert_string_equal(claimer_queue_name(bench->claimer, 99), "");
}

/* --- from where --------------------------------------------------------------------------------- */

static void a_cursor_follows_what_was_claimed_in_its_own_range(void **state)
{
	struct bench *bench = *state;
	struct job_claimed jobs[] = { new_job(11, 5, 30), new_job(11, 5, 20), new_job(12, 0, 7) };

	settle(bench);
	scan(bench, NOW);
	take(bench, jobs, 3, 3, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 31);
	assert_int_equal(lowest(bench, 12, 0, JOB_LANE_NEW, NOW), 8);
	assert_int_equal(lowest(bench, 11, 4, JOB_LANE_NEW, NOW), 0);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, NOW), 0);
}

static void a_cursor_only_goes_forward_between_rescans(void **state)
{
	struct bench *bench = *state;
	struct job_claimed high = new_job(11, 5, 100);
	struct job_claimed low = new_job(11, 5, 50);

	settle(bench);
	scan(bench, NOW);
	take(bench, &high, 1, 1, NOW);
	scan(bench, NOW);
	take(bench, &low, 1, 1, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 101);
}

static void a_requeued_job_never_moves_a_cursor_and_is_scanned_from_the_head(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 1000);

	settle(bench);
	job.lane = JOB_LANE_REQUEUED;
	scan(bench, NOW);
	take(bench, &job, 1, 1, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 0);
	job.lane = JOB_LANE_NEW;
	scan(bench, NOW);
	take(bench, &job, 1, 1, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_REQUEUED, NOW), 0);
}

static void a_rescan_looks_from_the_head_at_least_a_second_apart(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 100);

	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 0);
	take(bench, &job, 1, 5, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 101);
	take(bench, NULL, 0, 5, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + CLAIMER_RESCAN_MS - 1), 101);
	take(bench, NULL, 0, 5, NOW + CLAIMER_RESCAN_MS - 1);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + CLAIMER_RESCAN_MS), 0);
}

static void a_slow_rescan_takes_its_share_of_the_time_and_no_more(void **state)
{
	enum { TOOK = 400 };
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 100);

	scan(bench, NOW - TOOK);
	claimer_take(bench->claimer, &job, 1, 5, NOW - TOOK, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + TOOK * CLAIMER_RESCAN_SHARE - 1), 101);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + TOOK * CLAIMER_RESCAN_SHARE), 0);
}

/* A late commit lies at 10, more of them behind it; the claim has room for one. */
static void a_full_rescan_goes_on_behind_what_it_took(void **state)
{
	struct bench *bench = *state;
	struct job_claimed high = new_job(11, 5, 100);
	struct job_claimed late = new_job(11, 5, 10);
	int64_t later_ms = NOW + CLAIMER_RESCAN_MS;

	settle(bench);
	scan(bench, NOW);
	take(bench, &high, 1, 1, NOW);
	scan(bench, later_ms);
	take(bench, &late, 1, 1, later_ms);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, later_ms), 11);
}

static void a_rescan_that_was_not_full_keeps_the_cursor(void **state)
{
	struct bench *bench = *state;
	struct job_claimed high = new_job(11, 5, 100);
	struct job_claimed late = new_job(11, 5, 10);
	int64_t later_ms = NOW + CLAIMER_RESCAN_MS;

	settle(bench);
	scan(bench, NOW);
	take(bench, &high, 1, 1, NOW);
	scan(bench, later_ms);
	take(bench, &late, 1, 2, later_ms);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, later_ms), 101);
}

static void a_slow_claim_that_finds_little_asks_for_the_horizon_and_skips_to_it(void **state)
{
	struct bench *bench = *state;

	settle(bench);
	assert_false(claimer_wants_horizon(bench->claimer));
	scan(bench, NOW);
	claimer_take(bench->claimer, NULL, 0, 5, NOW, NOW + 100);
	assert_true(claimer_wants_horizon(bench->claimer));
	scan(bench, NOW + 100);
	claimer_set_horizon(bench->claimer, 5000);
	claimer_take(bench->claimer, NULL, 0, 5, NOW + 100, NOW + 200);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + 200), 5001);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_REQUEUED, NOW + 200), 0);
}

static void a_full_claim_has_not_seen_the_horizon(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 100);

	settle(bench);
	scan(bench, NOW);
	claimer_set_horizon(bench->claimer, 5000);
	claimer_take(bench->claimer, &job, 1, 1, NOW, NOW + 100);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW + 100), 101);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, NOW + 100), 0);
	assert_false(claimer_wants_horizon(bench->claimer));
}

static void a_horizon_never_moves_a_cursor_back_and_holds_for_one_claim(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 9000);

	settle(bench);
	scan(bench, NOW);
	claimer_set_horizon(bench->claimer, 5000);
	take(bench, &job, 1, 5, NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 9001);
	claimer_restart(bench->claimer);
	scan(bench, NOW);
	take(bench, NULL, 0, 5, NOW);
	assert_int_equal(lowest(bench, 12, 5, JOB_LANE_NEW, NOW), 0);
}

static void a_restart_looks_at_everything_from_the_head(void **state)
{
	struct bench *bench = *state;
	struct job_claimed job = new_job(11, 5, 100);

	settle(bench);
	scan(bench, NOW);
	take(bench, &job, 1, 1, NOW);
	take(bench, NULL, 0, 1, NOW);
	take(bench, NULL, 0, 1, NOW);
	claimer_restart(bench->claimer);
	assert_true(claimer_due_ms(bench->claimer) <= NOW);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 0);
}

/* --- for whom ----------------------------------------------------------------------------------- */

static void a_broken_handler_is_left_to_others_and_said_once(void **state)
{
	struct bench *bench = *state;
	const char *const *names;
	size_t count;

	assert_false(claimer_break(bench->claimer, "three", 5));
	assert_false(claimer_break(bench->claimer, "on", 2));
	assert_true(claimer_break(bench->claimer, "one", 3));
	assert_false(claimer_break(bench->claimer, "one", 3));
	names = claimer_handlers(bench->claimer, &count);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "two");
	names = claimer_broken(bench->claimer, &count);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "one");
}

static void a_mended_handler_is_claimed_again_from_the_head(void **state)
{
	struct bench *bench = *state;
	size_t count;

	assert_false(claimer_mend(bench->claimer, "one", 3));
	assert_true(claimer_break(bench->claimer, "one", 3));
	assert_true(claimer_mend(bench->claimer, "one", 3));
	assert_false(claimer_mend(bench->claimer, "one", 3));
	claimer_handlers(bench->claimer, &count);
	assert_int_equal(count, 2);
	claimer_broken(bench->claimer, &count);
	assert_int_equal(count, 0);
	assert_int_equal(lowest(bench, 11, 5, JOB_LANE_NEW, NOW), 0);
}

static void with_every_handler_broken_nothing_is_claimed(void **state)
{
	struct bench *bench = *state;

	assert_true(claimer_break(bench->claimer, "one", 3));
	assert_true(claimer_break(bench->claimer, "two", 3));
	assert_int_equal(claimer_room(bench->claimer, 0), 0);
	/* And it keeps no other agent of this dispatcher from being woken. */
	assert_true(claimer_is_dry(bench->claimer));
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(the_room_is_the_free_slots_until_work_was_measured),
		BENCH_TEST(short_runs_are_prefetched_for_200_ms),
		BENCH_TEST(long_runs_are_not_prefetched),
		BENCH_TEST(no_claim_asks_for_more_than_the_limit),
		BENCH_TEST(a_little_room_beyond_the_slots_waits_for_more),
		BENCH_TEST(a_restrained_claimer_takes_only_what_can_start),
		BENCH_TEST(a_dry_claimer_backs_off_to_the_poll_interval),
		BENCH_TEST(the_back_off_never_passes_a_short_poll_interval),
		BENCH_TEST(work_found_ends_the_back_off),
		BENCH_TEST(a_wake_up_makes_a_claim_due_at_once),
		BENCH_TEST(each_claim_scans_every_queue_priority_and_lane_in_order),
		BENCH_TEST(queues_come_first_by_their_weights),
		BENCH_TEST(a_paused_queue_is_not_scanned_and_costs_no_turn),
		BENCH_TEST(with_every_queue_paused_there_is_nothing_to_scan),
		BENCH_TEST(a_queue_that_is_resumed_is_looked_at_at_once_and_from_its_head),
		BENCH_TEST(a_queue_that_stays_as_it_is_wakes_nobody),
		BENCH_TEST(queues_are_named_by_their_ids),
		BENCH_TEST(a_cursor_follows_what_was_claimed_in_its_own_range),
		BENCH_TEST(a_cursor_only_goes_forward_between_rescans),
		BENCH_TEST(a_requeued_job_never_moves_a_cursor_and_is_scanned_from_the_head),
		BENCH_TEST(a_rescan_looks_from_the_head_at_least_a_second_apart),
		BENCH_TEST(a_slow_rescan_takes_its_share_of_the_time_and_no_more),
		BENCH_TEST(a_full_rescan_goes_on_behind_what_it_took),
		BENCH_TEST(a_rescan_that_was_not_full_keeps_the_cursor),
		BENCH_TEST(a_slow_claim_that_finds_little_asks_for_the_horizon_and_skips_to_it),
		BENCH_TEST(a_full_claim_has_not_seen_the_horizon),
		BENCH_TEST(a_horizon_never_moves_a_cursor_back_and_holds_for_one_claim),
		BENCH_TEST(a_restart_looks_at_everything_from_the_head),
		BENCH_TEST(a_broken_handler_is_left_to_others_and_said_once),
		BENCH_TEST(a_mended_handler_is_claimed_again_from_the_head),
		BENCH_TEST(with_every_handler_broken_nothing_is_claimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
