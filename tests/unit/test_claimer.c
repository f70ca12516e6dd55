#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/claimer.h"
#include "tests/support/claimer_bench.h"

/* --- how much ----------------------------------------------------------------------------------- */

static void the_room_is_the_free_slots_until_work_was_measured(void **state)
{
	struct claimer_bench *bench = *state;

	assert_int_equal(claimer_room(bench->claimer, 0), BENCH_SIZE);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE - 1), 1);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE), 0);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE + 100), 0);
}

static void short_runs_are_prefetched_for_200_ms(void **state)
{
	struct claimer_bench *bench = *state;

	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 20);
	assert_int_equal(claimer_room(bench->claimer, 0), BENCH_SIZE + BENCH_SIZE * 200 / 20);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE), BENCH_SIZE * 200 / 20);
}

static void long_runs_are_not_prefetched(void **state)
{
	struct claimer_bench *bench = *state;

	claimer_measure(bench->claimer, 60000);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE), 0);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE - 1), 1);
}

static void no_claim_asks_for_more_than_the_limit(void **state)
{
	struct claimer_bench *bench = *state;

	bench->agent.size = LIMIT_AGENT_SIZE;
	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 0);
	assert_int_equal(claimer_room(bench->claimer, 0), LIMIT_CLAIM_BATCH);
}

static void a_little_room_beyond_the_slots_waits_for_more(void **state)
{
	struct claimer_bench *bench = *state;

	for (int i = 0; i < 200; i++)
		claimer_measure(bench->claimer, 20);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE + BENCH_SIZE * 10 - 1), 0);
	assert_int_equal(
		claimer_room(bench->claimer, BENCH_SIZE + BENCH_SIZE * 10 - BENCH_SIZE * 10 / 4),
		BENCH_SIZE * 10 / 4);
}

static void a_restrained_claimer_takes_only_what_can_start(void **state)
{
	struct claimer_bench *bench = *state;

	claimer_measure(bench->claimer, 1);
	claimer_restrain(bench->claimer, true);
	assert_int_equal(claimer_room(bench->claimer, 0), BENCH_SIZE);
	assert_int_equal(claimer_room(bench->claimer, BENCH_SIZE), 0);
	claimer_restrain(bench->claimer, false);
	assert_true(claimer_room(bench->claimer, BENCH_SIZE) > 0);
}

/* --- when --------------------------------------------------------------------------------------- */

static void a_dry_claimer_backs_off_to_the_poll_interval(void **state)
{
	static const int64_t WAITS[] = { 0, 5, 20, 80, 320, BENCH_POLL, BENCH_POLL };
	struct claimer_bench *bench = *state;

	assert_false(claimer_is_dry(bench->claimer));
	for (size_t i = 0; i < sizeof(WAITS) / sizeof(WAITS[0]); i++) {
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
		assert_int_equal(claimer_due_ms(bench->claimer), BENCH_NOW + WAITS[i]);
		assert_true(claimer_is_dry(bench->claimer));
	}
}

static void the_back_off_never_passes_a_short_poll_interval(void **state)
{
	struct claimer_bench *bench = *state;

	bench->config.poll_interval_ms = 10;
	for (int i = 0; i < 10; i++) {
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
		assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW + 10);
	}
}

static void work_found_ends_the_back_off(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 1);

	for (int i = 0; i < 6; i++)
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_bench_take(bench, &job, 1, BENCH_SIZE, BENCH_NOW);
	assert_false(claimer_is_dry(bench->claimer));
	assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW);
	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	assert_int_equal(claimer_due_ms(bench->claimer), BENCH_NOW);
}

static void a_claim_is_full_when_it_took_all_that_it_asked_for(void **state)
{
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 1);

	assert_false(claimer_is_full(bench->claimer));
	claimer_bench_take(bench, &job, 1, 1, BENCH_NOW);
	assert_true(claimer_is_full(bench->claimer));
	claimer_bench_take(bench, &job, 1, 2, BENCH_NOW);
	assert_false(claimer_is_full(bench->claimer));
}

static void a_wake_up_makes_a_claim_due_at_once(void **state)
{
	struct claimer_bench *bench = *state;

	for (int i = 0; i < 6; i++)
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_wake(bench->claimer);
	assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW);
	assert_false(claimer_is_dry(bench->claimer));
}

static void a_claimer_that_found_nothing_looks_instead_of_scanning_from_the_head(void **state)
{
	enum { LATER = BENCH_NOW + CLAIMER_RESCAN_MS };
	struct claimer_bench *bench = *state;
	struct job_claimed job = claimer_bench_job(11, 5, 1);
	struct job_look_args look;

	assert_false(claimer_looks(bench->claimer, BENCH_NOW));
	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	assert_false(claimer_looks(bench->claimer, LATER - 1));
	assert_true(claimer_looks(bench->claimer, LATER));
	claimer_begin_look(bench->claimer, &look);
	claimer_take_look(bench->claimer, false, LATER, LATER);
	assert_int_equal(claimer_due_ms(bench->claimer), LATER + 5);
	assert_false(claimer_looks(bench->claimer, LATER + CLAIMER_RESCAN_MS - 1));
	assert_true(claimer_looks(bench->claimer, LATER + CLAIMER_RESCAN_MS));
	claimer_begin_look(bench->claimer, &look);
	claimer_take_look(bench->claimer, true, LATER, LATER);
	assert_false(claimer_looks(bench->claimer, LATER + CLAIMER_RESCAN_MS));
	assert_true(claimer_is_dry(bench->claimer));
	assert_true(claimer_due_ms(bench->claimer) <= BENCH_NOW);
	claimer_bench_take(bench, &job, 1, BENCH_SIZE, BENCH_NOW);
	assert_false(claimer_is_dry(bench->claimer));
}

static void a_wake_up_claims_without_a_look(void **state)
{
	struct claimer_bench *bench = *state;

	claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_wake(bench->claimer);
	assert_false(claimer_looks(bench->claimer, BENCH_NOW + CLAIMER_RESCAN_MS));
}

/* --- which queues ------------------------------------------------------------------------------- */

static void each_claim_scans_every_queue_priority_and_lane_in_order(void **state)
{
	struct claimer_bench *bench = *state;
	size_t count = claimer_bench_scan(bench, BENCH_NOW);

	assert_int_equal(count, BENCH_QUEUES * BENCH_RANGES);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(bench->ranges[i].priority, i % BENCH_RANGES / JOB_LANES);
		assert_int_equal(bench->ranges[i].lane,
				 i % JOB_LANES == 0 ? JOB_LANE_REQUEUED : JOB_LANE_NEW);
		assert_int_equal(bench->ranges[i].queue_id,
				 bench->ranges[i / BENCH_RANGES * BENCH_RANGES].queue_id);
	}
}

static void queues_come_first_by_their_weights(void **state)
{
	struct claimer_bench *bench = *state;
	int firsts[BENCH_QUEUES] = { 0 };
	int streak = 0;

	for (int i = 0; i < 800; i++) {
		int first;

		claimer_bench_scan(bench, BENCH_NOW);
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

static void a_look_is_at_the_open_queues_and_knows_them_all(void **state)
{
	struct claimer_bench *bench = *state;
	struct queue_row paused = { 2, 13, true };
	struct job_look_args look;

	claimer_set_queues(bench->claimer, &paused, 1);
	claimer_begin_look(bench->claimer, &look);
	assert_int_equal(look.queue_count, 2);
	assert_int_equal(look.queues[0], 11);
	assert_int_equal(look.queues[1], 12);
	assert_int_equal(look.name_count, 3);
	assert_int_equal(look.known[0], 11);
	assert_int_equal(look.known[1], 12);
	assert_int_equal(look.known[2], -13);
	assert_string_equal(look.names[2], "c");
	claimer_take_look(bench->claimer, false, BENCH_NOW, BENCH_NOW);
}

static void a_paused_queue_is_not_scanned_and_costs_no_turn(void **state)
{
	struct claimer_bench *bench = *state;
	struct queue_row paused = { 2, 13, true };

	claimer_set_queues(bench->claimer, &paused, 1);
	for (int i = 0; i < 30; i++) {
		size_t count = claimer_bench_scan(bench, BENCH_NOW);

		assert_int_equal(count, 2 * BENCH_RANGES);
		for (size_t k = 0; k < count; k++)
			assert_int_not_equal(bench->ranges[k].queue_id, 13);
	}
}

static void with_every_queue_paused_there_is_nothing_to_scan(void **state)
{
	struct claimer_bench *bench = *state;
	struct queue_row paused[] = { { 0, 11, true }, { 1, 12, true }, { 2, 13, true } };

	claimer_set_queues(bench->claimer, paused, BENCH_QUEUES);
	assert_int_equal(claimer_bench_scan(bench, BENCH_NOW), 0);
}

static void a_queue_that_stays_as_it_is_wakes_nobody(void **state)
{
	struct claimer_bench *bench = *state;
	struct queue_row row = { 0, 11, false };

	for (int i = 0; i < 6; i++)
		claimer_bench_take(bench, NULL, 0, 1, BENCH_NOW);
	claimer_set_queues(bench->claimer, &row, 1);
	assert_int_equal(claimer_due_ms(bench->claimer), BENCH_NOW + BENCH_POLL);
}

static void after_a_shortage_nothing_is_claimed_for_a_while_whoever_calls(void **state)
{
	struct claimer_bench *bench = *state;

	claimer_hold(bench->claimer, BENCH_NOW);
	claimer_wake(bench->claimer);
	assert_int_equal(claimer_due_ms(bench->claimer), BENCH_NOW + CLAIMER_HOLD_MS);
}

static void queues_are_named_by_their_ids(void **state)
{
	struct claimer_bench *bench = *state;

	assert_string_equal(claimer_queue_name(bench->claimer, 12), "b");
	assert_string_equal(claimer_queue_name(bench->claimer, 99), "");
}

/* --- for whom ----------------------------------------------------------------------------------- */

static void a_broken_handler_is_left_to_others_and_said_once(void **state)
{
	struct claimer_bench *bench = *state;
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

static void with_every_handler_broken_nothing_is_claimed(void **state)
{
	struct claimer_bench *bench = *state;

	assert_true(claimer_break(bench->claimer, "one", 3));
	assert_true(claimer_break(bench->claimer, "two", 3));
	assert_int_equal(claimer_room(bench->claimer, 0), 0);
	/* And it keeps no other agent of this dispatcher from being woken. */
	assert_true(claimer_is_dry(bench->claimer));
}

#define BENCH_TEST(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, claimer_bench_open, claimer_bench_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(the_room_is_the_free_slots_until_work_was_measured),
		BENCH_TEST(short_runs_are_prefetched_for_200_ms),
		BENCH_TEST(long_runs_are_not_prefetched),
		BENCH_TEST(no_claim_asks_for_more_than_the_limit),
		BENCH_TEST(a_little_room_beyond_the_slots_waits_for_more),
		BENCH_TEST(a_restrained_claimer_takes_only_what_can_start),
		BENCH_TEST(a_claimer_that_found_nothing_looks_instead_of_scanning_from_the_head),
		BENCH_TEST(a_wake_up_claims_without_a_look),
		BENCH_TEST(a_look_is_at_the_open_queues_and_knows_them_all),
		BENCH_TEST(a_dry_claimer_backs_off_to_the_poll_interval),
		BENCH_TEST(the_back_off_never_passes_a_short_poll_interval),
		BENCH_TEST(work_found_ends_the_back_off),
		BENCH_TEST(a_claim_is_full_when_it_took_all_that_it_asked_for),
		BENCH_TEST(a_wake_up_makes_a_claim_due_at_once),
		BENCH_TEST(each_claim_scans_every_queue_priority_and_lane_in_order),
		BENCH_TEST(queues_come_first_by_their_weights),
		BENCH_TEST(a_paused_queue_is_not_scanned_and_costs_no_turn),
		BENCH_TEST(with_every_queue_paused_there_is_nothing_to_scan),
		BENCH_TEST(a_queue_that_stays_as_it_is_wakes_nobody),
		BENCH_TEST(after_a_shortage_nothing_is_claimed_for_a_while_whoever_calls),
		BENCH_TEST(queues_are_named_by_their_ids),
		BENCH_TEST(a_broken_handler_is_left_to_others_and_said_once),
		BENCH_TEST(with_every_handler_broken_nothing_is_claimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
