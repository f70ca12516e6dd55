#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/wire.h"
#include "tests/support/wire_samples.h"

enum { FRAME_HEADER = 5, BUFFER_MAX = 256 * 1024 * 1024 };

static void assert_bytes(struct wire_bytes a, struct wire_bytes b)
{
	assert_int_equal(a.length, b.length);
	assert_int_equal(a.bytes == NULL, b.bytes == NULL);
	if (a.length > 0)
		assert_memory_equal(a.bytes, b.bytes, a.length);
}

/* The only frame in the buffer. */
static struct wire_frame only_frame(const struct buffer *buffer, enum wire_type type)
{
	struct wire_frame frame;
	struct error err;

	assert_int_equal(wire_next(buffer, &frame, &err), 1);
	assert_int_equal(frame.type, type);
	assert_int_equal(frame.body.length + FRAME_HEADER, buffer_length(buffer));
	return frame;
}

/* --- round trips ------------------------------------------------------------------------------- */

static void hello_arrives_as_it_was_sent(void **state)
{
	struct handler handlers[2];
	struct wire_hello sent = wire_samples_hello(handlers);
	struct wire_hello got;
	struct buffer buffer;
	struct wire_frame frame;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_hello(&buffer, &sent, NULL), 0);
	frame = only_frame(&buffer, WIRE_HELLO);
	assert_int_equal(wire_read_hello(&frame, &got, NULL), 0);
	assert_string_equal(got.agent, "main");
	assert_int_equal(got.slots, 8);
	assert_int_equal(got.kill_grace_ms, 5000);
	assert_int_equal(got.handler_count, 2);
	assert_string_equal(got.handlers[0].name, "thumb");
	assert_string_equal(got.handlers[0].argv[0], "/bin/true");
	assert_string_equal(got.handlers[0].argv[1], "");
	assert_null(got.handlers[0].argv[2]);
	assert_string_equal(got.handlers[0].environment[0], "A=b");
	assert_null(got.handlers[0].directory);
	assert_string_equal(got.handlers[0].user, "nobody");
	assert_int_equal(got.handlers[0].timeout_ms, 5);
	assert_int_equal(got.handlers[0].fence, HANDLER_FENCE_FINISH);
	assert_int_equal(got.handlers[0].limits.cpu_s, 4);
	assert_int_equal(got.handlers[0].limits.file_bytes, -1);
	assert_null(got.handlers[1].argv[0]);
	assert_int_equal(got.handlers[0].kind, HANDLER_SERVICE);
	assert_int_equal(got.handlers[0].concurrency, 16);
	assert_int_equal(got.handlers[0].instances, 2);
	assert_int_equal(got.handlers[0].max_jobs, 1000);
	assert_int_equal(got.handlers[0].progress_timeout_ms, 7000);
	assert_null(got.handlers[0].path);
	assert_string_equal(got.handlers[1].directory, "nobody");
	assert_int_equal(got.handlers[1].kind, HANDLER_PLUGIN);
	assert_string_equal(got.handlers[1].path, "/bin/true");
	assert_string_equal(got.handlers[1].symbol, "thumb");
	assert_string_equal(got.handlers[1].function, "nobody");
	wire_hello_fini(&got);
	buffer_free(&buffer);
}

static void jobs_arrive_as_they_were_sent(void **state)
{
	struct wire_job sent[2] = { wire_samples_job(1), wire_samples_job(-5) };
	struct wire_job got;
	struct buffer buffer;
	struct wire_frame frame;
	size_t at = 0;

	(void)state;
	sent[1].traceparent = wire_samples_text("00-1-2-3");
	sent[1].checkpoint = wire_samples_text("{}");
	sent[1].payload = wire_samples_text("");
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_run(&buffer, sent, 2, NULL), 0);
	frame = only_frame(&buffer, WIRE_RUN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wire_read_run(&frame, &at, &got, NULL), 1);
		assert_int_equal(got.id, sent[i].id);
		assert_true(uuid_same(got.claim_id, WIRE_SAMPLES_CLAIM));
		assert_int_equal(got.claim_seq, INT64_MAX);
		assert_int_equal(got.life, 2);
		assert_int_equal(got.attempt, 3);
		assert_int_equal(got.timeout_ms, 60000);
		assert_bytes(got.queue, sent[i].queue);
		assert_bytes(got.handler, sent[i].handler);
		assert_bytes(got.payload, sent[i].payload);
		assert_bytes(got.traceparent, sent[i].traceparent);
		assert_bytes(got.checkpoint, sent[i].checkpoint);
	}
	assert_int_equal(wire_read_run(&frame, &at, &got, NULL), 0);
	buffer_free(&buffer);
}

static void outcomes_arrive_as_they_were_sent(void **state)
{
	struct wire_outcome sent[2] = { wire_samples_outcome(1), wire_samples_outcome(2) };
	struct wire_outcome got;
	struct buffer buffer;
	struct wire_frame frame;
	size_t at = 0;

	(void)state;
	sent[1].log = wire_samples_text("a log\n");
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_outcome(&buffer, sent, 2, NULL), 0);
	frame = only_frame(&buffer, WIRE_OUTCOME);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wire_read_outcome(&frame, &at, &got, NULL), 1);
		assert_int_equal(got.id, sent[i].id);
		assert_int_equal(got.verdict, VERDICT_RETRY);
		assert_int_equal(got.exit_code, -1);
		assert_int_equal(got.signal, 9);
		assert_int_equal(got.started_ms, 1);
		assert_int_equal(got.ended_ms, INT64_MAX);
		assert_int_equal(got.delay_ms, 60000);
		assert_bytes(got.result, sent[i].result);
		assert_bytes(got.error, sent[i].error);
		assert_bytes(got.log, sent[i].log);
	}
	assert_int_equal(wire_read_outcome(&frame, &at, &got, NULL), 0);
	buffer_free(&buffer);
}

static void small_messages_arrive_as_they_were_sent(void **state)
{
	struct wire_cancel cancel = { 7, WIRE_SAMPLES_CLAIM, WIRE_CANCEL_LOST };
	struct wire_started started = { 8, WIRE_SAMPLES_CLAIM, 123 };
	struct wire_stop stop = { 25000 };
	struct wire_ready ready = { WIRE_PROTOCOL, 4711 };
	struct wire_broken broken = { wire_samples_text("thumb"), wire_samples_text("gone") };
	struct wire_mended mended = { wire_samples_text("thumb") };
	struct wire_frame frame;
	struct buffer buffer;
	size_t at = 0;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_cancel(&buffer, &cancel, 1, NULL), 0);
	assert_int_equal(wire_write_started(&buffer, &started, 1, NULL), 0);
	assert_int_equal(wire_write_stop(&buffer, &stop, NULL), 0);
	assert_int_equal(wire_write_ready(&buffer, &ready, NULL), 0);
	assert_int_equal(wire_write_broken(&buffer, &broken, NULL), 0);
	assert_int_equal(wire_write_mended(&buffer, &mended, NULL), 0);

	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	cancel.id = 0;
	assert_int_equal(wire_read_cancel(&frame, &at, &cancel, NULL), 1);
	assert_true(cancel.id == 7 && cancel.reason == WIRE_CANCEL_LOST);
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	at = 0;
	started.id = 0;
	assert_int_equal(wire_read_started(&frame, &at, &started, NULL), 1);
	assert_true(started.id == 8 && started.started_ms == 123);
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	stop.grace_ms = 0;
	assert_int_equal(wire_read_stop(&frame, &stop, NULL), 0);
	assert_int_equal(stop.grace_ms, 25000);
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	ready.pid = 0;
	assert_int_equal(wire_read_ready(&frame, &ready, NULL), 0);
	assert_int_equal(ready.pid, 4711);
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	assert_int_equal(wire_read_broken(&frame, &broken, NULL), 0);
	assert_bytes(broken.reason, wire_samples_text("gone"));
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 1);
	assert_int_equal(wire_read_mended(&frame, &mended, NULL), 0);
	assert_bytes(mended.handler, wire_samples_text("thumb"));
	wire_done(&buffer, &frame);
	assert_int_equal(wire_next(&buffer, &frame, NULL), 0);
	buffer_free(&buffer);
}

/* --- limits ------------------------------------------------------------------------------------ */

static void a_list_too_large_for_a_frame_is_split(void **state)
{
	enum { COUNT = 100 };
	char *payload = calloc(1, LIMIT_PAYLOAD_BYTES);
	struct wire_job jobs[COUNT];
	struct wire_job got;
	struct wire_frame frame;
	struct buffer buffer;
	int64_t id = 0;
	int frames = 0;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		jobs[i] = wire_samples_job(i);
		jobs[i].payload = (struct wire_bytes){ payload, LIMIT_PAYLOAD_BYTES };
	}
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_run(&buffer, jobs, COUNT, NULL), 0);
	while (wire_next(&buffer, &frame, NULL) == 1) {
		size_t at = 0;

		assert_true(frame.body.length <= WIRE_FRAME_MAX);
		while (wire_read_run(&frame, &at, &got, NULL) == 1) {
			assert_int_equal(got.id, id++);
			assert_int_equal(got.payload.length, LIMIT_PAYLOAD_BYTES);
		}
		frames++;
		wire_done(&buffer, &frame);
	}
	assert_int_equal(id, COUNT);
	assert_int_equal(frames, 2);
	buffer_free(&buffer);
	free(payload);
}

static void a_full_buffer_keeps_whole_frames_only(void **state)
{
	struct wire_job jobs[3] = { wire_samples_job(1), wire_samples_job(2), wire_samples_job(3) };
	struct buffer buffer;
	struct error err;
	size_t before;

	(void)state;
	buffer_init(&buffer, 300);
	assert_int_equal(wire_write_run(&buffer, jobs, 1, &err), 0);
	before = buffer_length(&buffer);
	assert_int_equal(wire_write_run(&buffer, jobs, 3, &err), -1);
	assert_int_equal(buffer_length(&buffer), before);
	only_frame(&buffer, WIRE_RUN);
	buffer_free(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_arrives_as_it_was_sent),
		cmocka_unit_test(jobs_arrive_as_they_were_sent),
		cmocka_unit_test(outcomes_arrive_as_they_were_sent),
		cmocka_unit_test(small_messages_arrive_as_they_were_sent),
		cmocka_unit_test(a_list_too_large_for_a_frame_is_split),
		cmocka_unit_test(a_full_buffer_keeps_whole_frames_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
