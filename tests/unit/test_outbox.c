#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "dispatcher/outbox.h"

static struct holding holding(int64_t id)
{
	return (struct holding){ .id = id,
				 .claim_id = uuid_make(),
				 .attempt = 1,
				 .max_attempts = 5,
				 .started_ms = 1234 };
}

static struct wire_bytes bytes(const char *text)
{
	return (struct wire_bytes){ text, text == NULL ? 0 : (uint32_t)strlen(text) };
}

static void add_done(struct outbox *outbox, int64_t id, const char *result)
{
	struct holding held = holding(id);
	struct wire_outcome outcome = { .verdict = VERDICT_DONE,
					.started_ms = 7,
					.result = bytes(result) };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
}

/* The batch to send; it stays to be sent. */
static struct outbox_batch *batch_of(struct outbox *outbox)
{
	struct error err;
	struct outbox_batch *batch = outbox_send(outbox, 0, &err);

	assert_non_null(batch);
	outbox_unsent(batch);
	return batch;
}

static int open_outbox(void **state)
{
	*state = outbox_open();
	return *state == NULL;
}

static int close_outbox(void **state)
{
	outbox_close(*state);
	return 0;
}

static void an_empty_outbox_has_no_batch(void **state)
{
	struct error err = { ERROR_NONE, "", "" };

	assert_null(outbox_send(*state, 0, &err));
	assert_int_equal(err.kind, ERROR_NONE);
}

static void an_outcome_keeps_copies_of_what_was_reported(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(7);
	char result[] = "{\"a\": 1}";
	struct wire_outcome outcome = {
		.verdict = VERDICT_FAIL,
		.started_ms = 99,
		.result = bytes(result),
		.error = bytes("it broke"),
		.log = bytes(""),
	};
	const struct ended *ended;

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	memset(result, 'x', sizeof(result) - 1);
	ended = batch_of(outbox)->ended[0];
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

	add_done(*state, 1, NULL);
	ended = batch_of(*state)->ended[0];
	assert_null(ended->result);
	assert_null(ended->error);
	assert_null(ended->log);
	assert_string_equal(ended->outcome, "completed");
}

static void a_retry_leaves_its_pause_to_the_jobs_policy(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY, .delay_ms = -1 };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(batch_of(outbox)->ended[0]->delay_ms, -1);
	outbox_settle(outbox, batch_of(outbox));
	held.attempt = held.max_attempts;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(batch_of(outbox)->ended[0]->outcome, "failed");
}

static void the_delay_that_a_run_asks_for_goes_before_the_policy(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY, .delay_ms = 12345678 };

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	outcome.verdict = VERDICT_SNOOZED;
	held.id = 2;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(batch_of(outbox)->ended[0]->delay_ms, 12345678);
	assert_int_equal(batch_of(outbox)->ended[1]->delay_ms, 12345678);
	assert_string_equal(batch_of(outbox)->ended[1]->outcome, "snooze");
}

static void what_the_dispatcher_decides_keeps_the_start_of_the_run(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(3);
	const struct ended *ended;

	assert_int_equal(outbox_add_plain(outbox, &held, "interrupt", "its agent died", NULL), 0);
	assert_int_equal(outbox_add_plain(outbox, &held, "release", NULL, NULL), 0);
	ended = batch_of(outbox)->ended[0];
	assert_int_equal(ended->started_ms, 1234);
	assert_string_equal(ended->outcome, "interrupt");
	assert_string_equal(ended->error, "its agent died");
	assert_null(batch_of(outbox)->ended[1]->error);
}

static void the_ids_of_a_batch_ascend(void **state)
{
	static const int64_t IDS[] = { 5, 3, 9, 1, 8, INT64_MAX, 2 };
	struct outbox_batch *batch;

	for (size_t i = 0; i < 7; i++)
		add_done(*state, IDS[i], NULL);
	batch = batch_of(*state);
	assert_int_equal(batch->count, 7);
	for (size_t i = 1; i < 7; i++)
		assert_true(batch->ended[i - 1]->id < batch->ended[i]->id);
}

static void a_batch_holds_no_more_jobs_than_the_limit_and_first_come_goes_first(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;

	for (int i = 1; i <= LIMIT_COMPLETION_JOBS + 1; i++)
		add_done(outbox, i, NULL);
	batch = batch_of(outbox);
	assert_int_equal(batch->count, LIMIT_COMPLETION_JOBS);
	assert_int_equal(batch->ended[0]->id, 1);
	assert_int_equal(outbox_count(outbox), 1);
	outbox_settle(outbox, batch_of(outbox));
	assert_int_equal(batch_of(outbox)->ended[0]->id, LIMIT_COMPLETION_JOBS + 1);
}

static void a_batch_holds_no_more_bytes_than_the_limit(void **state)
{
	struct outbox *outbox = *state;
	char *large = malloc(LIMIT_RESULT_BYTES + 1);

	assert_non_null(large);
	memset(large, ' ', LIMIT_RESULT_BYTES);
	large[LIMIT_RESULT_BYTES] = '\0';
	for (int i = 1; i <= 6; i++)
		add_done(outbox, i, large);
	assert_int_equal(batch_of(outbox)->count, LIMIT_COMPLETION_BYTES / LIMIT_RESULT_BYTES);
	outbox_settle(outbox, batch_of(outbox));
	assert_int_equal(batch_of(outbox)->count, 2);
	free(large);
}

static void a_text_over_its_limit_is_cut_between_characters(void **state)
{
	enum { TOO_LONG = LIMIT_ERROR_BYTES + 2 };
	struct outbox *outbox = *state;
	struct holding held = holding(1);
	char *text = malloc(TOO_LONG + 1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY };
	const struct ended *ended;

	assert_non_null(text);
	text[0] = 'x';
	for (int i = 1; i < TOO_LONG; i++)
		text[i] = i % 2 == 1 ? '\xc3' : '\xa4';
	text[TOO_LONG] = '\0';
	outcome.error = bytes(text);
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	free(text);
	ended = batch_of(outbox)->ended[0];
	assert_int_equal(ended->error_length, LIMIT_ERROR_BYTES - 1);
	assert_int_equal(strlen(ended->error), LIMIT_ERROR_BYTES - 1);
}

static void a_batch_stays_in_hand_until_it_is_settled(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct uuid completion_id;

	add_done(outbox, 1, NULL);
	batch = batch_of(outbox);
	completion_id = batch->completion_id;
	add_done(outbox, 2, NULL);
	assert_ptr_equal(batch_of(outbox), batch);
	assert_true(uuid_same(batch->completion_id, completion_id));
	assert_int_equal(batch->count, 1);
	outbox_settle(outbox, batch_of(outbox));
	batch = batch_of(outbox);
	assert_int_equal(batch->ended[0]->id, 2);
	assert_false(uuid_same(batch->completion_id, completion_id));
}

static void a_locked_job_comes_again_after_a_pause_and_is_not_settled(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct error err;
	int64_t due_ms;

	add_done(outbox, 1, "1");
	add_done(outbox, 2, "2");
	batch = outbox_send(outbox, 1000, &err);
	assert_false(batch->skip);
	outbox_again(outbox, batch, 0, 1000);
	assert_null(batch->ended[0]);
	outbox_settle(outbox, batch);
	assert_int_equal(outbox_count(outbox), 0);
	due_ms = outbox_due_ms(outbox);
	assert_true(due_ms > 1000);
	assert_null(outbox_send(outbox, due_ms - 1, &err));
	add_done(outbox, 3, "3");
	batch = outbox_send(outbox, due_ms - 1, &err);
	assert_int_equal(batch->ended[0]->id, 3);
	assert_false(batch->skip);
	outbox_settle(outbox, batch);
	batch = outbox_send(outbox, due_ms, &err);
	assert_int_equal(batch->ended[0]->id, 1);
	assert_string_equal(batch->ended[0]->result, "1");
	assert_true(batch->skip);
}

static void the_pauses_for_a_locked_job_grow_up_to_a_second(void **state)
{
	struct outbox *outbox = *state;
	int64_t former_ms = 0;
	int64_t now_ms = 0;
	struct error err;

	add_done(outbox, 1, NULL);
	for (int i = 0; i < 40; i++) {
		struct outbox_batch *batch = outbox_send(outbox, now_ms, &err);

		outbox_again(outbox, batch, 0, now_ms);
		outbox_settle(outbox, batch);
		assert_true(outbox_due_ms(outbox) - now_ms >= former_ms);
		former_ms = outbox_due_ms(outbox) - now_ms;
		now_ms = outbox_due_ms(outbox);
	}
	assert_int_equal(former_ms, 1000);
}

static void a_batch_held_up_is_sent_to_skip_then_taken_apart(void **state)
{
	enum { COUNT = 100, CULPRIT = 61 };
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct error err;
	int stored = 0;
	int sent = 0;

	for (int i = 1; i <= COUNT; i++)
		add_done(outbox, i, NULL);
	batch = outbox_send(outbox, 0, &err);
	assert_false(batch->skip);
	outbox_hold_up(outbox, batch, 0);
	assert_ptr_equal(outbox_send(outbox, 0, &err), batch);
	assert_true(batch->skip);
	outbox_unsent(batch);
	while ((batch = outbox_send(outbox, 0, &err)) != NULL) {
		bool waits = false;

		assert_true(++sent < 50);
		for (size_t i = 0; i < batch->count; i++)
			waits = waits || batch->ended[i]->id == CULPRIT;
		if (waits) {
			outbox_hold_up(outbox, batch, 0);
			continue;
		}
		stored += (int)batch->count;
		outbox_settle(outbox, batch);
	}
	assert_int_equal(stored, COUNT - 1);
	batch = outbox_send(outbox, outbox_due_ms(outbox), &err);
	assert_int_equal(batch->count, 1);
	assert_int_equal(batch->ended[0]->id, CULPRIT);
}

static void a_job_that_somebody_cancelled_does_not_go_on(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(1);
	struct wire_outcome outcome = { .verdict = VERDICT_RETRY };

	held.cancelled = true;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(batch_of(outbox)->ended[0]->outcome, "cancelled");
	outbox_settle(outbox, batch_of(outbox));
	assert_int_equal(outbox_add_plain(outbox, &held, "recover", "its agent died", NULL), 0);
	assert_string_equal(batch_of(outbox)->ended[0]->outcome, "cancelled");
	outbox_settle(outbox, batch_of(outbox));
	outcome.verdict = VERDICT_DONE;
	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_string_equal(batch_of(outbox)->ended[0]->outcome, "completed");
}

static void batches_on_their_way_are_apart_and_one_that_comes_back_goes_first(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *first;
	struct outbox_batch *second;
	struct error err;

	add_done(outbox, 1, NULL);
	first = outbox_send(outbox, 0, &err);
	assert_null(outbox_send(outbox, 0, &err));
	add_done(outbox, 2, NULL);
	second = outbox_send(outbox, 0, &err);
	assert_int_equal(second->ended[0]->id, 2);
	add_done(outbox, 3, NULL);
	outbox_unsent(first);
	assert_ptr_equal(outbox_send(outbox, 0, &err), first);
	outbox_settle(outbox, second);
	assert_int_equal(outbox_send(outbox, 0, &err)->ended[0]->id, 3);
	outbox_settle(outbox, first);
	assert_int_equal(outbox_count(outbox), 0);
}

static void a_refused_batch_is_halved_down_to_the_culprit_and_nobody_is_lost(void **state)
{
	enum { COUNT = 1000, CULPRIT = 613 };
	struct outbox *outbox = *state;
	bool stored[COUNT + 1] = { false };
	struct outbox_batch *batch;
	struct error err;
	int sent = 0;

	for (int i = 1; i <= COUNT; i++)
		add_done(outbox, i, i == CULPRIT ? "no json" : "1");
	while ((batch = outbox_send(outbox, 0, &err)) != NULL) {
		bool refused = false;

		assert_true(++sent < 100);
		for (size_t i = 0; i < batch->count; i++)
			refused = refused || (batch->ended[i]->result != NULL &&
					      strcmp(batch->ended[i]->result, "no json") == 0);
		if (refused) {
			assert_int_equal(outbox_bisect(outbox, batch, "invalid json", NULL), 0);
			continue;
		}
		for (size_t i = 0; i < batch->count; i++) {
			assert_false(stored[batch->ended[i]->id]);
			stored[batch->ended[i]->id] = true;
			assert_string_equal(batch->ended[i]->outcome, batch->ended[i]->id == CULPRIT
									      ? "failed"
									      : "completed");
		}
		outbox_settle(outbox, batch);
	}
	for (int i = 1; i <= COUNT; i++)
		assert_true(stored[i]);
}

static void a_half_is_another_completion(void **state)
{
	struct outbox *outbox = *state;
	struct uuid whole;

	add_done(outbox, 1, NULL);
	add_done(outbox, 2, NULL);
	whole = batch_of(outbox)->completion_id;
	assert_int_equal(outbox_bisect(outbox, batch_of(outbox), "no", NULL), 0);
	assert_int_equal(batch_of(outbox)->count, 1);
	assert_false(uuid_same(batch_of(outbox)->completion_id, whole));
}

static void the_culprit_says_what_the_server_said(void **state)
{
	struct outbox *outbox = *state;
	const struct ended *ended;

	add_done(outbox, 1, "no json");
	assert_int_equal(
		outbox_bisect(outbox, batch_of(outbox), "invalid input syntax for type json", NULL),
		0);
	ended = batch_of(outbox)->ended[0];
	assert_string_equal(ended->outcome, "failed");
	assert_string_equal(ended->error,
			    "the database refused the outcome: invalid input syntax for type json");
	assert_null(ended->result);
	assert_null(ended->log);
}

static void a_refused_text_does_not_fail_a_job_that_goes_on(void **state)
{
	struct outbox *outbox = *state;
	struct holding held = holding(1);
	struct wire_outcome outcome = {
		.verdict = VERDICT_RETRY,
		.delay_ms = -1,
		.error = bytes("\xff"),
	};

	assert_int_equal(outbox_add(outbox, &held, &outcome, NULL), 0);
	assert_int_equal(outbox_bisect(outbox, batch_of(outbox), "no UTF-8", NULL), 0);
	assert_string_equal(batch_of(outbox)->ended[0]->outcome, "retry");
	assert_int_equal(batch_of(outbox)->ended[0]->delay_ms, -1);
}

static void what_is_refused_even_when_blamed_is_reported_and_kept(void **state)
{
	struct outbox *outbox = *state;
	struct error err;

	add_done(outbox, 1, "no json");
	assert_int_equal(outbox_bisect(outbox, batch_of(outbox), "no", &err), 0);
	assert_int_equal(outbox_bisect(outbox, batch_of(outbox), "never", &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_string_equal(err.text, "never");
	assert_int_equal(batch_of(outbox)->count, 1);
}

static void a_clear_forgets_the_line_and_the_batch_in_hand(void **state)
{
	struct outbox *outbox = *state;
	struct error err;

	for (int i = 1; i <= LIMIT_COMPLETION_JOBS + 5; i++)
		add_done(outbox, i, "1");
	batch_of(outbox);
	outbox_clear(outbox);
	assert_int_equal(outbox_count(outbox), 0);
	assert_null(outbox_send(outbox, 0, &err));
	add_done(outbox, 77, NULL);
	assert_int_equal(batch_of(outbox)->ended[0]->id, 77);
}

#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, open_outbox, close_outbox)

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
		OUTBOX_TEST(batches_on_their_way_are_apart_and_one_that_comes_back_goes_first),
		OUTBOX_TEST(a_locked_job_comes_again_after_a_pause_and_is_not_settled),
		OUTBOX_TEST(the_pauses_for_a_locked_job_grow_up_to_a_second),
		OUTBOX_TEST(a_batch_held_up_is_sent_to_skip_then_taken_apart),
		OUTBOX_TEST(a_job_that_somebody_cancelled_does_not_go_on),
		OUTBOX_TEST(a_refused_batch_is_halved_down_to_the_culprit_and_nobody_is_lost),
		OUTBOX_TEST(a_half_is_another_completion),
		OUTBOX_TEST(the_culprit_says_what_the_server_said),
		OUTBOX_TEST(a_refused_text_does_not_fail_a_job_that_goes_on),
		OUTBOX_TEST(what_is_refused_even_when_blamed_is_reported_and_kept),
		OUTBOX_TEST(a_clear_forgets_the_line_and_the_batch_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
