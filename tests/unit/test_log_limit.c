#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log_limit.h"

static int admit(struct log_limit *limit, const char *message, int count, int64_t now_ms)
{
	int admitted = 0;

	for (int i = 0; i < count; i++)
		admitted += log_limit_admit(limit, LOG_LEVEL_INFO, message, now_ms);
	return admitted;
}

static void a_burst_is_cut_and_its_rest_is_told_when_the_interval_is_over(void **state)
{
	struct log_limit limit = { 0 };
	struct log_limit_kind told;

	(void)state;
	assert_int_equal(admit(&limit, "a", LOG_LIMIT_LINES + 7, 1000), LOG_LIMIT_LINES);
	assert_int_equal(log_limit_due_ms(&limit), 1000 + LOG_LIMIT_MS);
	assert_false(log_limit_take(&limit, false, 999 + LOG_LIMIT_MS, &told));
	assert_true(log_limit_take(&limit, false, 1000 + LOG_LIMIT_MS, &told));
	assert_string_equal(told.message, "a");
	assert_int_equal(told.held, 7);
	assert_int_equal(told.began_ms, 1000);
	assert_false(log_limit_take(&limit, true, 1000 + LOG_LIMIT_MS, &told));
	assert_int_equal(log_limit_due_ms(&limit), INT64_MAX);
	assert_int_equal(admit(&limit, "a", 5, 1000 + LOG_LIMIT_MS), 5);
}

static void kinds_do_not_share_their_lines(void **state)
{
	struct log_limit limit = { 0 };

	(void)state;
	assert_int_equal(admit(&limit, "a", LOG_LIMIT_LINES * 2, 0), LOG_LIMIT_LINES);
	assert_int_equal(admit(&limit, "b", LOG_LIMIT_LINES, 0), LOG_LIMIT_LINES);
	assert_true(log_limit_admit(&limit, LOG_LEVEL_ERROR, "a", 0));
}

static void what_comes_slowly_is_not_limited(void **state)
{
	struct log_limit limit = { 0 };

	(void)state;
	for (int64_t i = 0; i < 10 * LOG_LIMIT_LINES; i++)
		assert_int_equal(admit(&limit, "a", 1, i * (LOG_LIMIT_MS / LOG_LIMIT_LINES + 1)),
				 1);
	assert_int_equal(log_limit_due_ms(&limit), INT64_MAX);
}

static void more_kinds_than_there_is_room_for_are_all_written(void **state)
{
	static char names[2 * LOG_LIMIT_KINDS][32];
	struct log_limit limit = { 0 };

	(void)state;
	for (int i = 0; i < 2 * LOG_LIMIT_KINDS; i++) {
		snprintf(names[i], sizeof(names[i]), "kind %d", i);
		admit(&limit, names[i], LOG_LIMIT_LINES, 0);
		assert_int_equal(admit(&limit, names[i], 1, 0), i >= LOG_LIMIT_KINDS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_cut_and_its_rest_is_told_when_the_interval_is_over),
		cmocka_unit_test(kinds_do_not_share_their_lines),
		cmocka_unit_test(what_comes_slowly_is_not_limited),
		cmocka_unit_test(more_kinds_than_there_is_room_for_are_all_written),
	};

	return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
