#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/outbox_bench.h"

static void an_empty_outbox_has_no_batch(void **state)
{
	struct error err = { ERROR_NONE, "", "" };

	assert_null(outbox_send(*state, 0, &err));
	assert_int_equal(err.kind, ERROR_NONE);
}

static void an_outcome_keeps_copies_of_what_was_reported(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(7);
	char result[] = "{\"a\": 1}";
	struct wire_outcome outcome = {
		.verdict = VERDICT_FAIL,
		.started_ms = 99,
		.result = outbox_bench_bytes(result),
		.error = outbox_bench_bytes("it broke"),
		.log = outbox_bench_bytes(""),
	};
	const struct ended *ended;

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	memset(result, 'x', sizeof(result) - 1);
	ended = outbox_bench_batch(outbox)->ended[0];
	assert_int_equal(ended->id, 7);
	assert_true(uuid_same(ended->claim_id, held.claim_id));
	assert_string_equal(ended->outcome, "failed");
	assert_string_equal(ended->result, "{\"a\": 1}");
	assert_string_equal(ended->error, "it broke");
	assert_string_equal(ended->log, "");
	assert_int_equal(ended->started_ms, 99);
	assert_int_equal(ended->delay_ms, 0);
}

static void absent_texts_stay_absent(void **state)
{
	const struct ended *ended;

	outbox_bench_add(*state, 1, NULL);
	ended = outbox_bench_batch(*state)->ended[0];
	assert_null(ended->result);
	assert_null(ended->error);
	assert_null(ended->log);
	assert_string_equal(ended->outcome, "completed");
}

static void a_retry_leaves_its_pause_to_the_jobs_policy(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY, .delay_ms = -1 };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(outbox_bench_batch(outbox)->ended[0]->delay_ms, -1);
	outbox_settle(outbox, outbox_bench_batch(outbox));
	held.attempt = held.max_attempts;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "failed");
}

static void the_delay_that_a_run_asks_for_goes_before_the_policy(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY, .delay_ms = 12345678 };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	outcome.verdict = VERDICT_SNOOZED;
	held.id = 2;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(outbox_bench_batch(outbox)->ended[0]->delay_ms, 12345678);
	assert_int_equal(outbox_bench_batch(outbox)->ended[1]->delay_ms, 12345678);
	assert_string_equal(outbox_bench_batch(outbox)->ended[1]->outcome, "snooze");
}

static void what_the_dispatcher_decides_keeps_the_start_of_the_run(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(3);
	const struct ended *ended;

	assert_int_equal(outbox_add_plain(outbox, &held, "interrupt", "its agent died", NULL), 0);
	assert_int_equal(outbox_add_plain(outbox, &held, "release", NULL, NULL), 0);
	ended = outbox_bench_batch(outbox)->ended[0];
	assert_int_equal(ended->started_ms, 1234);
	assert_string_equal(ended->outcome, "interrupt");
	assert_string_equal(ended->error, "its agent died");
	assert_null(outbox_bench_batch(outbox)->ended[1]->error);
}

static void the_ids_of_a_batch_ascend(void **state)
{
	static const int64_t IDS[] = { 5, 3, 9, 1, 8, INT64_MAX, 2 };
	struct outbox_batch *batch;

	for (size_t i = 0; i < 7; i++)
		outbox_bench_add(*state, IDS[i], NULL);
	batch = outbox_bench_batch(*state);
	assert_int_equal(batch->count, 7);
	for (size_t i = 1; i < 7; i++)
		assert_true(batch->ended[i - 1]->id < batch->ended[i]->id);
}

static void a_batch_holds_no_more_jobs_than_the_limit_and_first_come_goes_first(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;

	for (int i = 1; i <= LIMIT_COMPLETION_JOBS + 1; i++)
		outbox_bench_add(outbox, i, NULL);
	batch = outbox_bench_batch(outbox);
	assert_int_equal(batch->count, LIMIT_COMPLETION_JOBS);
	assert_int_equal(batch->ended[0]->id, 1);
	assert_int_equal(outbox_count(outbox), 1);
	outbox_settle(outbox, outbox_bench_batch(outbox));
	assert_int_equal(outbox_bench_batch(outbox)->ended[0]->id, LIMIT_COMPLETION_JOBS + 1);
}

static void a_batch_holds_no_more_bytes_than_the_limit(void **state)
{
	struct outbox *outbox = *state;
	char *large = malloc(LIMIT_RESULT_BYTES + 1);

	assert_non_null(large);
	memset(large, ' ', LIMIT_RESULT_BYTES);
	large[LIMIT_RESULT_BYTES] = '\0';
	for (int i = 1; i <= 6; i++)
		outbox_bench_add(outbox, i, large);
	assert_int_equal(outbox_bench_batch(outbox)->count,
			 LIMIT_COMPLETION_BYTES / LIMIT_RESULT_BYTES);
	outbox_settle(outbox, outbox_bench_batch(outbox));
	assert_int_equal(outbox_bench_batch(outbox)->count, 2);
	free(large);
}

static void a_text_over_its_limit_is_cut_between_characters(void **state)
{
	enum { TOO_LONG = LIMIT_ERROR_BYTES + 2 };
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	char *text = malloc(TOO_LONG + 1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY };
	const struct ended *ended;

	assert_non_null(text);
	text[0] = 'x';
	for (int i = 1; i < TOO_LONG; i++)
		text[i] = i % 2 == 1 ? '\xc3' : '\xa4';
	text[TOO_LONG] = '\0';
	outcome.error = outbox_bench_bytes(text);
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	free(text);
	ended = outbox_bench_batch(outbox)->ended[0];
	assert_int_equal(ended->error_length, LIMIT_ERROR_BYTES - 1);
	assert_int_equal(strlen(ended->error), LIMIT_ERROR_BYTES - 1);
}

static void a_batch_stays_in_hand_until_it_is_settled(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct uuid completion_id;

	outbox_bench_add(outbox, 1, NULL);
	batch = outbox_bench_batch(outbox);
	completion_id = batch->completion_id;
	outbox_bench_add(outbox, 2, NULL);
	assert_ptr_equal(outbox_bench_batch(outbox), batch);
	assert_true(uuid_same(batch->completion_id, completion_id));
	assert_int_equal(batch->count, 1);
	outbox_settle(outbox, outbox_bench_batch(outbox));
	batch = outbox_bench_batch(outbox);
	assert_int_equal(batch->ended[0]->id, 2);
	assert_false(uuid_same(batch->completion_id, completion_id));
}

static void a_job_that_somebody_cancelled_does_not_go_on(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY };

	held.cancelled = true;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "cancelled");
	outbox_settle(outbox, outbox_bench_batch(outbox));
	assert_int_equal(outbox_add_plain(outbox, &held, "recover", "its agent died", NULL), 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "cancelled");
	outbox_settle(outbox, outbox_bench_batch(outbox));
	outcome.verdict = VERDICT_DONE;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "completed");
}

static void the_culprit_says_what_the_server_said(void **state)
{
	struct outbox *outbox = *state;
	const struct ended *ended;

	outbox_bench_add(outbox, 1, "no json");
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox),
				       "invalid input syntax for type json", NULL),
			 0);
	ended = outbox_bench_batch(outbox)->ended[0];
	assert_string_equal(ended->outcome, "failed");
	assert_string_equal(ended->error,
			    "the database refused the outcome: invalid input syntax for type json");
	assert_null(ended->result);
	assert_null(ended->log);
}

static void a_refused_text_does_not_fail_a_job_that_goes_on(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	struct wire_outcome outcome = {
		.verdict = VERDICT_RETRY,
		.delay_ms = -1,
		.error = outbox_bench_bytes("\xff"),
	};

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "no UTF-8", NULL), 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "retry");
	assert_int_equal(outbox_bench_batch(outbox)->ended[0]->delay_ms, -1);
}

static void what_is_refused_even_when_blamed_is_reported_and_kept(void **state)
{
	struct outbox *outbox = *state;
	struct error err;

	outbox_bench_add(outbox, 1, "no json");
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "no", &err), 0);
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "never", &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_string_equal(err.text, "never");
	assert_int_equal(outbox_bench_batch(outbox)->count, 1);
}

static void a_retry_that_is_refused_even_when_blamed_fails_instead(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = outbox_bench_holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY, .delay_ms = -1 };
	struct error err;

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "no", NULL), 0);
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "out of range", NULL),
			 0);
	assert_string_equal(outbox_bench_batch(outbox)->ended[0]->outcome, "failed");
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "never", &err), -1);
}

static void what_came_back_or_waits_no_longer_is_due(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;

	outbox_bench_add(outbox, 1, NULL);
	assert_false(outbox_has_due(outbox, 0));
	batch = outbox_send(outbox, 0, NULL);
	assert_false(outbox_has_due(outbox, 0));
	outbox_unsent(batch);
	assert_true(outbox_has_due(outbox, 0));
	assert_ptr_equal(outbox_send(outbox, 0, NULL), batch);
	outbox_again(outbox, batch, 0, 1000);
	outbox_settle(outbox, batch);
	assert_false(outbox_has_due(outbox, 1000));
	assert_true(outbox_has_due(outbox, outbox_due_ms(outbox)));
}

static void a_clear_forgets_the_line_and_the_batch_in_hand(void **state)
{
	struct outbox *outbox = *state;
	struct error err;

	for (int i = 1; i <= LIMIT_COMPLETION_JOBS + 5; i++)
		outbox_bench_add(outbox, i, "1");
	outbox_bench_batch(outbox);
	outbox_clear(outbox);
	assert_int_equal(outbox_count(outbox), 0);
	assert_null(outbox_send(outbox, 0, &err));
	outbox_bench_add(outbox, 77, NULL);
	assert_int_equal(outbox_bench_batch(outbox)->ended[0]->id, 77);
}

#define OUTBOX_TEST(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, outbox_bench_open, outbox_bench_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTBOX_TEST(an_empty_outbox_has_no_batch),
		OUTBOX_TEST(an_outcome_keeps_copies_of_what_was_reported),
		OUTBOX_TEST(absent_texts_stay_absent),
		OUTBOX_TEST(a_retry_leaves_its_pause_to_the_jobs_policy),
		OUTBOX_TEST(the_delay_that_a_run_asks_for_goes_before_the_policy),
		OUTBOX_TEST(what_the_dispatcher_decides_keeps_the_start_of_the_run),
		OUTBOX_TEST(the_ids_of_a_batch_ascend),
		OUTBOX_TEST(a_batch_holds_no_more_jobs_than_the_limit_and_first_come_goes_first),
		OUTBOX_TEST(a_batch_holds_no_more_bytes_than_the_limit),
		OUTBOX_TEST(a_text_over_its_limit_is_cut_between_characters),
		OUTBOX_TEST(a_batch_stays_in_hand_until_it_is_settled),
		OUTBOX_TEST(a_job_that_somebody_cancelled_does_not_go_on),
		OUTBOX_TEST(the_culprit_says_what_the_server_said),
		OUTBOX_TEST(a_refused_text_does_not_fail_a_job_that_goes_on),
		OUTBOX_TEST(what_is_refused_even_when_blamed_is_reported_and_kept),
		OUTBOX_TEST(a_retry_that_is_refused_even_when_blamed_fails_instead),
		OUTBOX_TEST(what_came_back_or_waits_no_longer_is_due),
		OUTBOX_TEST(a_clear_forgets_the_line_and_the_batch_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
