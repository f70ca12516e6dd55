#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dispatcher/policy.h"

static void each_verdict_has_its_outcome(void **state)
{
	(void)state;
	assert_string_equal(policy_outcome(VERDICT_DONE, 1, 5), "completed");
	assert_string_equal(policy_outcome(VERDICT_FAIL, 1, 5), "failed");
	assert_string_equal(policy_outcome(VERDICT_RELEASED, 5, 5), "release");
	assert_string_equal(policy_outcome(VERDICT_INTERRUPTED, 5, 5), "interrupt");
	assert_string_equal(policy_outcome(VERDICT_CANCELLED, 1, 5), "cancelled");
	assert_string_equal(policy_outcome(VERDICT_SNOOZED, 5, 5), "snooze");
	assert_null(policy_outcome(VERDICT_SETTLED, 1, 5));
	assert_null(policy_outcome(VERDICT_LOST, 1, 5));
}

static void a_run_is_tried_again_until_its_last_attempt(void **state)
{
	(void)state;
	assert_string_equal(policy_outcome(VERDICT_RETRY, 1, 5), "retry");
	assert_string_equal(policy_outcome(VERDICT_RETRY, 4, 5), "retry");
	assert_string_equal(policy_outcome(VERDICT_RETRY, 5, 5), "failed");
	assert_string_equal(policy_outcome(VERDICT_RETRY, 6, 5), "failed");
	assert_string_equal(policy_outcome(VERDICT_RETRY, 1, 1), "failed");
}

static void a_success_in_the_last_attempt_is_a_success(void **state)
{
	(void)state;
	assert_string_equal(policy_outcome(VERDICT_DONE, 5, 5), "completed");
}

static void the_reconnect_delay_grows_to_its_cap_and_no_further(void **state)
{
	(void)state;
	for (int n = 0; n < 100; n++)
		for (int i = 0; i < 100; i++) {
			int64_t delay_ms = policy_reconnect_delay_ms(n, 5000);

			assert_in_range(delay_ms, 25, 5000);
			if (n == 0)
				assert_in_range(delay_ms, 25, 50);
			if (n >= 7)
				assert_in_range(delay_ms, 2500, 5000);
		}
}

static void who_dies_again_and_again_pauses_longer_each_time(void **state)
{
	(void)state;
	assert_int_equal(policy_return_delay_ms(0, 1000), 0);
	for (int i = 0; i < 100; i++) {
		assert_in_range(policy_return_delay_ms(1, 1000), 250, 500);
		assert_in_range(policy_return_delay_ms(2, 1000), 500, 1000);
		assert_in_range(policy_return_delay_ms(4, 1000), 2000, 4000);
		assert_in_range(policy_return_delay_ms(6 + i, 1000), 5000, 10000);
	}
}

static void the_reconnect_delay_keeps_a_cap_below_its_first_step(void **state)
{
	(void)state;
	for (int n = 0; n < 100; n++)
		assert_in_range(policy_reconnect_delay_ms(n, 10), 5, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verdict_has_its_outcome),
		cmocka_unit_test(a_run_is_tried_again_until_its_last_attempt),
		cmocka_unit_test(a_success_in_the_last_attempt_is_a_success),
		cmocka_unit_test(the_reconnect_delay_grows_to_its_cap_and_no_further),
		cmocka_unit_test(who_dies_again_and_again_pauses_longer_each_time),
		cmocka_unit_test(the_reconnect_delay_keeps_a_cap_below_its_first_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
