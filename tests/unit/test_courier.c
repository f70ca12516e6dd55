#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatcher/courier.h"
#include "dispatcher/recall.h"
#include "tests/support/config_text.h"

/* A pump without a database, and the agent's end of its only link. */
struct bench {
	struct config config;
	struct pump pump;
	struct buffer sent;
	int agent_fd;
};

enum { BUFFER_MAX = 1024 * 1024 };

static const struct uuid CLAIM = { { 1, 2, 3 } };

static int open_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct error err;
	int ends[2];

	assert_non_null(bench);
	assert_int_equal(config_text_load(&bench->config, CONFIG_TEXT_HANDLER, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	bench->pump.options.config = &bench->config;
	bench->pump.agent_count = 1;
	bench->pump.ledger = ledger_open();
	bench->pump.outbox = outbox_open();
	bench->pump.recent = recent_open();
	bench->pump.claimers[0] = claimer_open(&bench->config, &bench->config.agents[0]);
	link_init(&bench->pump.links[0]);
	link_open(&bench->pump.links[0], ends[0]);
	bench->agent_fd = ends[1];
	buffer_init(&bench->sent, BUFFER_MAX);
	*state = bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	link_close(&bench->pump.links[0]);
	claimer_close(bench->pump.claimers[0]);
	outbox_close(bench->pump.outbox);
	recent_close(bench->pump.recent);
	ledger_close(bench->pump.ledger);
	config_fini(&bench->config);
	buffer_free(&bench->sent);
	close(bench->agent_fd);
	free(bench);
	return 0;
}

static void hold(struct bench *bench, int64_t id)
{
	struct holding holding = {
		.id = id, .claim_id = CLAIM, .attempt = 1, .max_attempts = 5, .stage = HOLDING_SENT
	};

	assert_non_null(ledger_add(bench->pump.ledger, &holding));
}

static void deliver(struct bench *bench)
{
	ssize_t length = (ssize_t)buffer_length(&bench->sent);

	assert_int_equal(write(bench->agent_fd, buffer_bytes(&bench->sent), (size_t)length),
			 length);
	courier_receive(&bench->pump, 0);
}

static void report(struct bench *bench, int64_t id, enum verdict verdict)
{
	struct wire_outcome outcome = { .id = id, .claim_id = CLAIM, .verdict = verdict };

	assert_int_equal(wire_write_outcome(&bench->sent, &outcome, 1, NULL), 0);
	deliver(bench);
}

static void a_done_job_waits_to_be_completed(void **state)
{
	struct bench *bench = *state;

	hold(bench, 7);
	report(bench, 7, VERDICT_DONE);
	assert_int_equal(outbox_count(bench->pump.outbox), 1);
	assert_int_equal(ledger_find(bench->pump.ledger, 7, CLAIM)->stage, HOLDING_ENDED);
	assert_int_equal(bench->pump.counts.completed, 0);
}

static void a_settled_job_counts_as_completed_without_any_statement(void **state)
{
	struct bench *bench = *state;

	hold(bench, 7);
	report(bench, 7, VERDICT_SETTLED);
	assert_int_equal(outbox_count(bench->pump.outbox), 0);
	assert_null(ledger_find(bench->pump.ledger, 7, CLAIM));
	assert_int_equal(ledger_load(bench->pump.ledger, 0), 0);
	assert_int_equal(bench->pump.counts.completed, 1);
	assert_int_equal(bench->pump.counts.reassigned, 0);
}

static void a_job_lost_at_its_gate_is_dropped_and_counted_as_reassigned(void **state)
{
	struct bench *bench = *state;

	hold(bench, 7);
	report(bench, 7, VERDICT_LOST);
	assert_int_equal(outbox_count(bench->pump.outbox), 0);
	assert_null(ledger_find(bench->pump.ledger, 7, CLAIM));
	assert_int_equal(bench->pump.counts.completed, 0);
	assert_int_equal(bench->pump.counts.reassigned, 1);
	/* Its agent knows: there is nothing to cancel. */
	assert_int_equal(buffer_length(&bench->pump.links[0].out), 0);
}

static void an_outcome_of_no_job_of_ours_is_ignored(void **state)
{
	struct bench *bench = *state;

	report(bench, 7, VERDICT_SETTLED);
	assert_int_equal(bench->pump.counts.completed, 0);
}

/* Takes a cancel out of what is to be sent; false when there is none. */
static bool takes_recall(struct bench *bench, int64_t id)
{
	struct buffer *out = &bench->pump.links[0].out;
	struct wire_cancel cancel;
	struct wire_frame frame;
	size_t at = 0;

	if (wire_next(out, &frame, NULL) != 1)
		return false;
	assert_int_equal(frame.type, WIRE_CANCEL);
	assert_int_equal(wire_read_cancel(&frame, &at, &cancel, NULL), 1);
	assert_int_equal(cancel.id, id);
	assert_int_equal(cancel.reason, WIRE_CANCEL_RECALL);
	wire_done(out, &frame);
	return true;
}

static void a_job_that_expires_before_it_starts_is_called_back(void **state)
{
	struct bench *bench = *state;
	struct pump *pump = &bench->pump;
	struct holding *holding;
	int64_t due_ms;

	pump->recall_due_ms = INT64_MAX;
	pump->due_due_ms = INT64_MAX;
	hold(bench, 7);
	holding = ledger_find(pump->ledger, 7, CLAIM);
	recall_plan(pump, holding, -1);
	assert_true(pump->recall_due_ms == INT64_MAX);
	recall_plan(pump, holding, 5000);
	due_ms = pump->recall_due_ms;
	recall_run(pump, due_ms - 1);
	assert_false(takes_recall(bench, 7));
	recall_run(pump, due_ms);
	assert_true(takes_recall(bench, 7));
	assert_true(pump->recall_due_ms > due_ms); /* asked again later */
	recall_run(pump, pump->recall_due_ms);
	assert_true(takes_recall(bench, 7));
	report(bench, 7, VERDICT_RELEASED);
	assert_int_equal(pump->due_due_ms, 0); /* a sweep ends it at once */
	recall_run(pump, pump->recall_due_ms);
	assert_false(takes_recall(bench, 7));
	assert_true(pump->recall_due_ms == INT64_MAX);
}

static void a_job_that_has_started_is_not_called_back(void **state)
{
	struct bench *bench = *state;
	struct wire_started started = { .id = 7, .claim_id = CLAIM, .started_ms = 1 };

	hold(bench, 7);
	recall_plan(&bench->pump, ledger_find(bench->pump.ledger, 7, CLAIM), 0);
	assert_int_equal(wire_write_started(&bench->sent, &started, 1, NULL), 0);
	deliver(bench);
	recall_run(&bench->pump, INT64_MAX - 1);
	assert_false(takes_recall(bench, 7));
}

static void a_handler_is_broken_until_it_is_mended(void **state)
{
	struct bench *bench = *state;
	struct wire_broken broken = { { "noop", 4 }, { "it crashed", 10 } };
	struct wire_mended mended = { { "noop", 4 } };
	size_t count;

	assert_int_equal(wire_write_broken(&bench->sent, &broken, NULL), 0);
	deliver(bench);
	claimer_handlers(bench->pump.claimers[0], &count);
	assert_int_equal(count, 0);
	assert_true(bench->pump.agents_dirty);
	bench->pump.agents_dirty = false;
	buffer_consume(&bench->sent, buffer_length(&bench->sent));
	assert_int_equal(wire_write_mended(&bench->sent, &mended, NULL), 0);
	deliver(bench);
	claimer_handlers(bench->pump.claimers[0], &count);
	assert_int_equal(count, 1);
	assert_true(bench->pump.agents_dirty);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_done_job_waits_to_be_completed),
		BENCH_TEST(a_settled_job_counts_as_completed_without_any_statement),
		BENCH_TEST(a_job_lost_at_its_gate_is_dropped_and_counted_as_reassigned),
		BENCH_TEST(an_outcome_of_no_job_of_ours_is_ignored),
		BENCH_TEST(a_job_that_expires_before_it_starts_is_called_back),
		BENCH_TEST(a_job_that_has_started_is_not_called_back),
		BENCH_TEST(a_handler_is_broken_until_it_is_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
