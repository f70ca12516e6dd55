/* Batches that are sent again, or in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/outbox_bench.h"

static void a_locked_job_comes_again_after_a_pause_and_is_not_settled(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct error err;
	int64_t due_ms;

	outbox_bench_add(outbox, 1, "1");
	outbox_bench_add(outbox, 2, "2");
	batch = outbox_send(outbox, 1000, &err);
	assert_false(batch->skip);
	outbox_again(outbox, batch, 0, 1000);
	assert_null(batch->ended[0]);
	outbox_settle(outbox, batch);
	assert_int_equal(outbox_count(outbox), 0);
	due_ms = outbox_due_ms(outbox);
	assert_true(due_ms > 1000);
	assert_null(outbox_send(outbox, due_ms - 1, &err));
	outbox_bench_add(outbox, 3, "3");
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

	outbox_bench_add(outbox, 1, NULL);
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
		outbox_bench_add(outbox, i, NULL);
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

static void a_refused_batch_is_halved_down_to_the_culprit_and_nobody_is_lost(void **state)
{
	enum { COUNT = 1000, CULPRIT = 613 };
	struct outbox *outbox = *state;
	bool stored[COUNT + 1] = { false };
	struct outbox_batch *batch;
	struct error err;
	int sent = 0;

	for (int i = 1; i <= COUNT; i++)
		outbox_bench_add(outbox, i, i == CULPRIT ? "no json" : "1");
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

/* An earlier sending of the whole, whose answer was lost, may be carried out yet: its receipt names them all. */
static void what_is_sent_again_keeps_its_completion_apart_from_others(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *batch;
	struct uuid whole;
	struct error err;

	for (int i = 1; i <= 4; i++)
		outbox_bench_add(outbox, i, NULL);
	whole = outbox_bench_batch(outbox)->completion_id;
	assert_int_equal(outbox_bisect(outbox, outbox_bench_batch(outbox), "no", NULL), 0);
	outbox_bench_add(outbox, 5, NULL);
	batch = outbox_send(outbox, 0, &err);
	assert_true(uuid_same(batch->completion_id, whole));
	outbox_again(outbox, batch, 0, 0);
	outbox_settle(outbox, batch);
	batch = outbox_send(outbox, 0, &err);
	assert_int_equal(batch->count, 2);
	assert_true(uuid_same(batch->completion_id, whole));
	outbox_settle(outbox, batch);
	assert_true(outbox_is_open(outbox, whole));
	batch = outbox_send(outbox, 0, &err);
	assert_int_equal(batch->ended[0]->id, 5);
	assert_false(uuid_same(batch->completion_id, whole));
	outbox_settle(outbox, batch);
	batch = outbox_send(outbox, outbox_due_ms(outbox), &err);
	assert_int_equal(batch->ended[0]->id, 1);
	assert_true(uuid_same(batch->completion_id, whole));
	outbox_settle(outbox, batch);
	assert_false(outbox_is_open(outbox, whole));
}

static void batches_on_their_way_are_apart_and_one_that_comes_back_goes_first(void **state)
{
	struct outbox *outbox = *state;
	struct outbox_batch *first;
	struct outbox_batch *second;
	struct error err;

	outbox_bench_add(outbox, 1, NULL);
	first = outbox_send(outbox, 0, &err);
	assert_null(outbox_send(outbox, 0, &err));
	outbox_bench_add(outbox, 2, NULL);
	second = outbox_send(outbox, 0, &err);
	assert_int_equal(second->ended[0]->id, 2);
	outbox_bench_add(outbox, 3, NULL);
	outbox_unsent(first);
	assert_ptr_equal(outbox_send(outbox, 0, &err), first);
	outbox_settle(outbox, second);
	assert_int_equal(outbox_send(outbox, 0, &err)->ended[0]->id, 3);
	outbox_settle(outbox, first);
	assert_int_equal(outbox_count(outbox), 0);
}

#define OUTBOX_TEST(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, outbox_bench_open, outbox_bench_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTBOX_TEST(batches_on_their_way_are_apart_and_one_that_comes_back_goes_first),
		OUTBOX_TEST(a_locked_job_comes_again_after_a_pause_and_is_not_settled),
		OUTBOX_TEST(the_pauses_for_a_locked_job_grow_up_to_a_second),
		OUTBOX_TEST(a_batch_held_up_is_sent_to_skip_then_taken_apart),
		OUTBOX_TEST(a_refused_batch_is_halved_down_to_the_culprit_and_nobody_is_lost),
		OUTBOX_TEST(what_is_sent_again_keeps_its_completion_apart_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
