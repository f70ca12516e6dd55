#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/breaker.h"

enum { NOW = 1000000 };

/* Crashes as often, each when the breaker lets a process start. Returns the time of the last. */
static int64_t crash(struct breaker *breaker, int times, int64_t now_ms, bool opens)
{
	for (int i = 1; i <= times; i++) {
		now_ms = breaker->due_ms > now_ms ? breaker->due_ms : now_ms;
		assert_int_equal(breaker_crash(breaker, 0, now_ms), opens && i == times);
	}
	return now_ms;
}

static void the_first_crash_is_followed_by_a_start_at_once(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	crash(&breaker, 1, NOW, false);
	assert_int_equal(breaker.due_ms, NOW);
}

static void the_waits_double_up_to_a_cap(void **state)
{
	struct breaker breaker = { 0 };
	int64_t now_ms = NOW;
	int64_t most_ms = BREAKER_BASE_MS;

	(void)state;
	crash(&breaker, 1, now_ms, false);
	for (int i = 0; i < 40; i++) {
		int64_t wait_ms;

		breaker_crash(&breaker, 0, now_ms);
		wait_ms = breaker.due_ms - now_ms;
		assert_in_range(wait_ms, most_ms - most_ms / 4, most_ms);
		most_ms = 2 * most_ms > BREAKER_CAP_MS ? BREAKER_CAP_MS : 2 * most_ms;
	}
}

static void it_opens_at_the_last_of_the_crashes_and_says_so_once(void **state)
{
	struct breaker breaker = { 0 };
	int64_t now_ms;

	(void)state;
	now_ms = crash(&breaker, BREAKER_CRASHES, NOW, true);
	assert_true(breaker.open);
	assert_false(breaker_crash(&breaker, 0, now_ms));
}

static void a_success_forgets_the_crashes(void **state)
{
	struct breaker breaker = { 0 };
	int64_t now_ms;

	(void)state;
	now_ms = crash(&breaker, BREAKER_CRASHES - 1, NOW, false);
	breaker_success(&breaker);
	now_ms = crash(&breaker, BREAKER_CRASHES - 1, now_ms, false);
	crash(&breaker, 1, now_ms, true);
}

static void crashes_far_apart_do_not_open_it(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 0; i < 3 * BREAKER_CRASHES; i++)
		assert_false(breaker_crash(&breaker, 0, NOW + i * (BREAKER_WINDOW_MS / 2 + 1)));
}

static void processes_that_die_together_are_one_crash(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 0; i < 3 * BREAKER_CRASHES; i++)
		assert_false(breaker_crash(&breaker, 5000, NOW + i));
	assert_int_equal(breaker.due_ms, NOW);
	crash(&breaker, BREAKER_CRASHES - 1, NOW + 3 * BREAKER_CRASHES, true);
}

static void old_processes_that_die_one_after_the_other_are_many_crashes(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 1; i <= BREAKER_CRASHES; i++)
		assert_int_equal(breaker_crash(&breaker, 60000, NOW + i * BREAKER_EVENT_MS),
				 i == BREAKER_CRASHES);
}

static void it_closes_on_probation(void **state)
{
	struct breaker breaker = { 0 };
	int64_t now_ms;

	(void)state;
	assert_false(breaker_ready(&breaker));
	now_ms = crash(&breaker, BREAKER_CRASHES, NOW, true);
	assert_true(breaker_ready(&breaker));
	assert_true(breaker.on_probation && !breaker.open);
	crash(&breaker, 1, now_ms + 2 * BREAKER_WINDOW_MS, true);
	assert_true(breaker_ready(&breaker));
	breaker_success(&breaker);
	crash(&breaker, 1, now_ms + 4 * BREAKER_WINDOW_MS, false);
}

static void what_cannot_start_opens_it_at_once_and_is_tried_again_later(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	assert_true(breaker_trip(&breaker, NOW));
	assert_true(breaker.due_ms > NOW);
	assert_false(breaker_trip(&breaker, breaker.due_ms));
	assert_true(breaker_ready(&breaker));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_crash_is_followed_by_a_start_at_once),
		cmocka_unit_test(the_waits_double_up_to_a_cap),
		cmocka_unit_test(it_opens_at_the_last_of_the_crashes_and_says_so_once),
		cmocka_unit_test(a_success_forgets_the_crashes),
		cmocka_unit_test(crashes_far_apart_do_not_open_it),
		cmocka_unit_test(processes_that_die_together_are_one_crash),
		cmocka_unit_test(old_processes_that_die_one_after_the_other_are_many_crashes),
		cmocka_unit_test(it_closes_on_probation),
		cmocka_unit_test(what_cannot_start_opens_it_at_once_and_is_tried_again_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
