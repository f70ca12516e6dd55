#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/wire.h"
#include "base/wire_note.h"
#include "tests/support/wire_samples.h"

enum { FRAME_HEADER = 5, BUFFER_MAX = 256 * 1024 * 1024 };

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

static void read_anything(const struct wire_frame *frame)
{
	struct wire_started started;
	struct wire_outcome outcome;
	struct wire_cancel cancel;
	struct wire_broken broken;
	struct wire_mended mended;
	struct wire_note note;
	struct wire_hello hello;
	struct wire_ready ready;
	struct wire_stop stop;
	struct wire_job job;
	size_t at = 0;

	if (wire_read_hello(frame, &hello, NULL) == 0)
		wire_hello_fini(&hello);
	wire_read_stop(frame, &stop, NULL);
	wire_read_ready(frame, &ready, NULL);
	wire_read_broken(frame, &broken, NULL);
	wire_read_mended(frame, &mended, NULL);
	while (wire_read_run(frame, &at, &job, NULL) == 1) {
	}
	for (at = 0; wire_read_cancel(frame, &at, &cancel, NULL) == 1;) {
	}
	for (at = 0; wire_read_started(frame, &at, &started, NULL) == 1;) {
	}
	for (at = 0; wire_read_outcome(frame, &at, &outcome, NULL) == 1;) {
	}
	for (at = 0; wire_note_read(frame, &at, &note, NULL) == 1;) {
	}
}

/* A copy of exactly that size on the heap, so that a sanitizer sees the first byte too far. */
static void read_copy(enum wire_type type, const char *bytes, size_t length)
{
	char *copy = malloc(length == 0 ? 1 : length);
	struct wire_frame frame = { type, { copy, (uint32_t)length } };

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	read_anything(&frame);
	free(copy);
}

/* One frame of each kind that is worth tearing up. */
static void write_samples(struct buffer *buffer)
{
	struct wire_job jobs[2] = { wire_samples_job(1), wire_samples_job(2) };
	struct wire_outcome outcomes[2] = { wire_samples_outcome(1), wire_samples_outcome(2) };
	struct wire_cancel cancel = { 7, WIRE_SAMPLES_CLAIM, WIRE_CANCEL_REQUESTED };
	struct wire_broken broken = { wire_samples_text("thumb"), wire_samples_text("gone") };
	struct handler handlers[2];
	struct wire_hello hello = wire_samples_hello(handlers);

	assert_int_equal(wire_write_hello(buffer, &hello, NULL), 0);
	assert_int_equal(wire_write_run(buffer, jobs, 2, NULL), 0);
	assert_int_equal(wire_write_outcome(buffer, outcomes, 2, NULL), 0);
	assert_int_equal(wire_write_cancel(buffer, &cancel, 1, NULL), 0);
	assert_int_equal(wire_write_broken(buffer, &broken, NULL), 0);
}

static void torn_bodies_are_refused_and_never_crash(void **state)
{
	struct buffer buffer;
	struct wire_frame frame;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	write_samples(&buffer);
	while (wire_next(&buffer, &frame, NULL) == 1) {
		for (size_t length = 0; length <= frame.body.length; length++)
			read_copy(frame.type, frame.body.bytes, length);
		wire_done(&buffer, &frame);
	}
	buffer_free(&buffer);
}

static void changed_bodies_never_crash(void **state)
{
	static const unsigned char VALUES[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct buffer buffer;
	struct wire_frame frame;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	write_samples(&buffer);
	while (wire_next(&buffer, &frame, NULL) == 1) {
		char *body = buffer.data + buffer.start + FRAME_HEADER;

		for (size_t at = 0; at < frame.body.length; at++) {
			char kept = body[at];

			for (size_t i = 0; i < sizeof(VALUES); i++) {
				body[at] = (char)VALUES[i];
				read_copy(frame.type, body, frame.body.length);
			}
			body[at] = kept;
		}
		wire_done(&buffer, &frame);
	}
	buffer_free(&buffer);
}

static void a_torn_list_says_so_after_its_whole_entries(void **state)
{
	struct wire_job jobs[2] = { wire_samples_job(1), wire_samples_job(2) };
	struct wire_job got;
	struct buffer buffer;
	struct wire_frame frame;
	struct error err;
	size_t at = 0;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_run(&buffer, jobs, 2, NULL), 0);
	frame = only_frame(&buffer, WIRE_RUN);
	frame.body.length--;
	assert_int_equal(wire_read_run(&frame, &at, &got, &err), 1);
	assert_int_equal(wire_read_run(&frame, &at, &got, &err), -1);
	assert_int_equal(err.kind, ERROR_FATAL);
	assert_string_equal(err.text, "a malformed RUN frame");
	buffer_free(&buffer);
}

static void a_frame_is_taken_only_when_it_is_whole(void **state)
{
	struct wire_stop stop = { 1 };
	struct wire_frame frame;
	struct buffer whole;
	struct buffer part;

	(void)state;
	buffer_init(&whole, BUFFER_MAX);
	buffer_init(&part, BUFFER_MAX);
	assert_int_equal(wire_next(&part, &frame, NULL), 0);
	assert_int_equal(wire_write_stop(&whole, &stop, NULL), 0);
	for (size_t i = 0; i < buffer_length(&whole); i++) {
		assert_int_equal(wire_next(&part, &frame, NULL), 0);
		assert_int_equal(buffer_append(&part, buffer_bytes(&whole) + i, 1, NULL), 0);
	}
	assert_int_equal(wire_next(&part, &frame, NULL), 1);
	buffer_free(&whole);
	buffer_free(&part);
}

static void bytes_that_are_no_frame_are_refused_at_once(void **state)
{
	static const char *const BAD[] = { "\xff\xff\xff\xff\x01", "\x01\x00\x00\x04\x01",
					   "\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x0d",
					   "\x00\x00\x00\x00\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		struct wire_frame frame;
		struct buffer buffer;
		struct error err;

		buffer_init(&buffer, BUFFER_MAX);
		assert_int_equal(buffer_append(&buffer, BAD[i], FRAME_HEADER, NULL), 0);
		assert_int_equal(wire_next(&buffer, &frame, &err), -1);
		assert_int_equal(err.kind, ERROR_FATAL);
		buffer_free(&buffer);
	}
}

static void another_protocol_is_refused_with_both_numbers(void **state)
{
	static const char BODY[] = { 99, 0, 0, 0 };
	struct wire_frame frame = { WIRE_HELLO, { BODY, sizeof(BODY) } };
	struct wire_hello hello;
	struct error err;

	(void)state;
	assert_int_equal(wire_read_hello(&frame, &hello, &err), -1);
	assert_string_equal(err.text, "the dispatcher speaks protocol 99, this agent speaks 4");
}

static void negative_durations_and_no_slots_are_refused(void **state)
{
	struct wire_hello hello = { .agent = (char[]){ "a" }, .slots = 0 };
	struct wire_stop stop = { -1 };
	struct wire_hello got;
	struct wire_frame frame;
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, BUFFER_MAX);
	assert_int_equal(wire_write_hello(&buffer, &hello, NULL), 0);
	frame = only_frame(&buffer, WIRE_HELLO);
	assert_int_equal(wire_read_hello(&frame, &got, NULL), -1);
	wire_done(&buffer, &frame);
	assert_int_equal(wire_write_stop(&buffer, &stop, NULL), 0);
	frame = only_frame(&buffer, WIRE_STOP);
	assert_int_equal(wire_read_stop(&frame, &stop, NULL), -1);
	buffer_free(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torn_bodies_are_refused_and_never_crash),
		cmocka_unit_test(changed_bodies_never_crash),
		cmocka_unit_test(a_torn_list_says_so_after_its_whole_entries),
		cmocka_unit_test(a_frame_is_taken_only_when_it_is_whole),
		cmocka_unit_test(bytes_that_are_no_frame_are_refused_at_once),
		cmocka_unit_test(another_protocol_is_refused_with_both_numbers),
		cmocka_unit_test(negative_durations_and_no_slots_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
