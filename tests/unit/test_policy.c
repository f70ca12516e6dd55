#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/policy.h"

enum { DRAWS = 2000 };

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

static void the_retry_delay_doubles_with_a_quarter_of_jitter(void **state)
{
	(void)state;
	for (int attempt = 1; attempt <= 12; attempt++) {
		int64_t base_ms = (int64_t)LIMIT_RETRY_BASE_MS << (attempt - 1);
		int64_t highest_ms = base_ms + base_ms / 4;
		int64_t least_ms = INT64_MAX;
		int64_t most_ms = 0;

		if (base_ms > LIMIT_RETRY_CAP_MS)
			base_ms = LIMIT_RETRY_CAP_MS;
		if (highest_ms > LIMIT_RETRY_CAP_MS)
			highest_ms = LIMIT_RETRY_CAP_MS;
		for (int i = 0; i < DRAWS; i++) {
			int64_t delay_ms = policy_retry_delay_ms(attempt);

			assert_in_range(delay_ms, base_ms - base_ms / 4, highest_ms);
			least_ms = delay_ms < least_ms ? delay_ms : least_ms;
			most_ms = delay_ms > most_ms ? delay_ms : most_ms;
		}
		/* It uses the room that it has. */
		assert_true(most_ms - least_ms > base_ms / 5);
	}
}

static void the_retry_delay_of_any_attempt_is_bounded(void **state)
{
	static const int ATTEMPTS[] = { 13,       30, 31, 32, 33, 63, 64, 65, LIMIT_ATTEMPTS_MAX,
					INT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(ATTEMPTS) / sizeof(ATTEMPTS[0]); i++)
		assert_in_range(policy_retry_delay_ms(ATTEMPTS[i]),
				LIMIT_RETRY_CAP_MS - LIMIT_RETRY_CAP_MS / 4, LIMIT_RETRY_CAP_MS);
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
		cmocka_unit_test(the_retry_delay_doubles_with_a_quarter_of_jitter),
		cmocka_unit_test(the_retry_delay_of_any_attempt_is_bounded),
		cmocka_unit_test(the_reconnect_delay_grows_to_its_cap_and_no_further),
		cmocka_unit_test(the_reconnect_delay_keeps_a_cap_below_its_first_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
