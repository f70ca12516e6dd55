#include "tests/support/agent_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fifo.h"

enum { EVENTS_BYTES_MAX = 256 * 1024 * 1024, READ_BYTES = 64 * 1024 };

void agent_events_init(struct agent_events *events)
{
	memset(events, 0, sizeof(*events));
	buffer_init(&events->in, EVENTS_BYTES_MAX);
	buffer_init(&events->started, EVENTS_BYTES_MAX);
	buffer_init(&events->outcomes, EVENTS_BYTES_MAX);
	buffer_init(&events->broken, EVENTS_BYTES_MAX);
	buffer_init(&events->mended, EVENTS_BYTES_MAX);
	buffer_init(&events->notes, EVENTS_BYTES_MAX);
}

void agent_events_fini(struct agent_events *events)
{
	buffer_free(&events->in);
	buffer_free(&events->started);
	buffer_free(&events->outcomes);
	buffer_free(&events->broken);
	buffer_free(&events->mended);
	buffer_free(&events->notes);
	for (size_t i = 0; i < events->body_count; i++)
		free(events->bodies[i]);
	free(events->bodies);
}

static char *keep_body(struct agent_events *events, const struct wire_frame *frame)
{
	char *copy = malloc((size_t)frame->body.length + 1);

	events->bodies = reallocarray(events->bodies, events->body_count + 1, sizeof(char *));
	assert_non_null(events->bodies);
	assert_non_null(copy);
	memcpy(copy, frame->body.bytes, frame->body.length);
	events->bodies[events->body_count++] = copy;
	return copy;
}

static void keep(struct buffer *to, const void *event, size_t size)
{
	assert_int_equal(buffer_append(to, event, size, NULL), 0);
}

static void take_ready(struct agent_events *events, const struct wire_frame *frame)
{
	struct wire_ready ready;

	assert_int_equal(frame->type, WIRE_READY);
	assert_int_equal(wire_read_ready(frame, &ready, NULL), 0);
	assert_int_equal(ready.protocol, WIRE_PROTOCOL);
	events->ready = true;
	events->ready_pid = ready.pid;
}

static void take_frame(struct agent_events *events, struct wire_frame frame)
{
	struct wire_started started;
	struct wire_outcome outcome;
	struct wire_broken broken;
	struct wire_mended mended;
	struct wire_note note;
	size_t at = 0;

	frame.body.bytes = keep_body(events, &frame);
	if (frame.type == WIRE_STARTED) {
		while (wire_read_started(&frame, &at, &started, NULL) == 1)
			keep(&events->started, &started, sizeof(started));
	} else if (frame.type == WIRE_OUTCOME) {
		while (wire_read_outcome(&frame, &at, &outcome, NULL) == 1)
			keep(&events->outcomes, &outcome, sizeof(outcome));
	} else if (frame.type == WIRE_BROKEN) {
		assert_int_equal(wire_read_broken(&frame, &broken, NULL), 0);
		keep(&events->broken, &broken, sizeof(broken));
	} else if (frame.type == WIRE_MENDED) {
		assert_int_equal(wire_read_mended(&frame, &mended, NULL), 0);
		keep(&events->mended, &mended, sizeof(mended));
	} else if (frame.type == WIRE_NOTE) {
		while (wire_note_read(&frame, &at, &note, NULL) == 1)
			keep(&events->notes, &note, sizeof(note));
	} else {
		take_ready(events, &frame);
	}
}

bool agent_events_take(struct agent_events *events, int socket)
{
	struct wire_frame frame;
	char *room = buffer_reserve(&events->in, READ_BYTES, NULL);
	ssize_t got;
	int status;

	assert_non_null(room);
	got = read(socket, room, READ_BYTES);
	if (got <= 0)
		return false;
	events->in.end += (size_t)got;
	while ((status = wire_next(&events->in, &frame, NULL)) == 1) {
		take_frame(events, frame);
		wire_done(&events->in, &frame);
	}
	assert_int_equal(status, 0);
	return true;
}

void agent_events_await(struct agent_events *events, int socket)
{
	fifo_await_readable(socket, "a frame of the agent");
	if (!agent_events_take(events, socket))
		fail_msg("the agent hung up");
}

/* Events about a job begin with its id. */
static const void *find(const struct buffer *events, size_t size, int64_t id)
{
	for (size_t at = 0; at + size <= buffer_length(events); at += size) {
		int64_t found;

		memcpy(&found, buffer_bytes(events) + at, sizeof(found));
		if (found == id)
			return buffer_bytes(events) + at;
	}
	return NULL;
}

bool agent_events_started(const struct agent_events *events, int64_t id)
{
	return find(&events->started, sizeof(struct wire_started), id) != NULL;
}

bool agent_events_outcome(const struct agent_events *events, int64_t id,
			  struct wire_outcome *outcome)
{
	const void *found = find(&events->outcomes, sizeof(*outcome), id);

	if (found == NULL)
		return false;
	memcpy(outcome, found, sizeof(*outcome));
	return true;
}

bool agent_events_broken(const struct agent_events *events, const char *handler,
			 struct wire_broken *broken)
{
	for (size_t at = 0; at < buffer_length(&events->broken); at += sizeof(*broken)) {
		memcpy(broken, buffer_bytes(&events->broken) + at, sizeof(*broken));
		if (broken->handler.length == strlen(handler) &&
		    memcmp(broken->handler.bytes, handler, broken->handler.length) == 0)
			return true;
	}
	return false;
}

size_t agent_events_notes(const struct agent_events *events, int64_t id, struct wire_note *note)
{
	size_t found = 0;

	for (size_t at = 0; at < buffer_length(&events->notes); at += sizeof(*note)) {
		struct wire_note one;

		memcpy(&one, buffer_bytes(&events->notes) + at, sizeof(one));
		if (one.id != id)
			continue;
		*note = one;
		found++;
	}
	return found;
}

bool agent_events_mended(const struct agent_events *events, const char *handler)
{
	struct wire_mended mended;

	for (size_t at = 0; at < buffer_length(&events->mended); at += sizeof(mended)) {
		memcpy(&mended, buffer_bytes(&events->mended) + at, sizeof(mended));
		if (mended.handler.length == strlen(handler) &&
		    memcmp(mended.handler.bytes, handler, mended.handler.length) == 0)
			return true;
	}
	return false;
}
