#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/handler_pack.h"
#include "base/limits.h"
#include "base/pack.h"
#include "base/unpack.h"

/* --- fields ------------------------------------------------------------------------------------ */

static void put_bytes(struct pack_writer *to, struct wire_bytes bytes)
{
	pack_bytes(to, bytes.bytes, bytes.length);
}

static const char *type_name(enum wire_type type)
{
	switch (type) {
	case WIRE_HELLO:
		return "HELLO";
	case WIRE_RUN:
		return "RUN";
	case WIRE_CANCEL:
		return "CANCEL";
	case WIRE_STOP:
		return "STOP";
	case WIRE_READY:
		return "READY";
	case WIRE_STARTED:
		return "STARTED";
	case WIRE_OUTCOME:
		return "OUTCOME";
	case WIRE_BROKEN:
		return "BROKEN";
	case WIRE_MENDED:
		return "MENDED";
	case WIRE_RELOAD:
		return "RELOAD";
	case WIRE_RECALL:
		return "RECALL";
	case WIRE_NOTE:
		return "NOTE";
	}
	return NULL;
}

static int malformed(const struct wire_frame *frame, struct error *err)
{
	return error_set(err, ERROR_FATAL, "a malformed %s frame", type_name(frame->type));
}

int wire_next(const struct buffer *in, struct wire_frame *frame, struct error *err)
{
	struct pack_reader from = { .bytes = in->data, .left = buffer_length(in) };
	uint32_t length;
	uint8_t type;

	if (from.left < FRAME_HEADER_BYTES)
		return 0;
	from.bytes = buffer_bytes(in);
	length = unpack_u32(&from);
	type = unpack_u8(&from);
	if (length > WIRE_FRAME_MAX)
		return error_set(err, ERROR_FATAL, "a frame of %u bytes", length);
	if (type_name((enum wire_type)type) == NULL)
		return error_set(err, ERROR_FATAL, "a frame of unknown type %u", type);
	if (from.left < length)
		return 0;
	frame->type = (enum wire_type)type;
	frame->body = (struct wire_bytes){ .bytes = from.bytes, .length = length };
	return 1;
}

void wire_done(struct buffer *in, const struct wire_frame *frame)
{
	buffer_consume(in, FRAME_HEADER_BYTES + (size_t)frame->body.length);
}

int wire_relay(struct buffer *out, const struct wire_frame *frame, struct error *err)
{
	return buffer_append(out, frame->body.bytes - FRAME_HEADER_BYTES,
			     FRAME_HEADER_BYTES + (size_t)frame->body.length, err);
}

static struct pack_reader read_from(const struct wire_frame *frame, size_t at)
{
	return (struct pack_reader){
		.bytes = frame->body.bytes + at,
		.left = frame->body.length - at,
	};
}

/* Ends the reading of one entry of a list: as the wire_read_* functions return. */
static int end_entry(const struct wire_frame *frame, const struct pack_reader *from, size_t *at,
		     struct error *err)
{
	if (from->failed)
		return malformed(frame, err);
	*at = frame->body.length - from->left;
	return 1;
}

/* Ends the reading of a single frame, which must be used up. */
static int end_single(const struct wire_frame *frame, const struct pack_reader *from,
		      struct error *err)
{
	return from->failed || from->left > 0 ? malformed(frame, err) : 0;
}

static struct wire_bytes take_bytes(struct pack_reader *from)
{
	struct wire_bytes bytes;

	bytes.bytes = unpack_bytes(from, &bytes.length);
	return bytes;
}

static struct wire_bytes take_present(struct pack_reader *from)
{
	struct wire_bytes bytes = take_bytes(from);

	from->failed |= bytes.bytes == NULL;
	return bytes;
}

static int64_t take_duration(struct pack_reader *from)
{
	int64_t duration_ms = unpack_i64(from);

	from->failed |= duration_ms < 0;
	return duration_ms;
}

static unsigned take_between(struct pack_reader *from, unsigned least, unsigned most)
{
	unsigned value = unpack_u8(from);

	from->failed |= value < least || value > most;
	return value;
}

/* --- HELLO, RELOAD ----------------------------------------------------------------------------- */

static int write_terms(struct buffer *out, enum wire_type type, const struct wire_hello *hello,
		       struct error *err)
{
	struct frame_writer writer = frame_begin(out, type, err);
	struct pack_writer *to = &writer.to;

	pack_u32(to, WIRE_PROTOCOL);
	pack_string(to, hello->agent);
	pack_u32(to, hello->slots);
	pack_i64(to, hello->kill_grace_ms);
	pack_string(to, hello->database);
	pack_u8(to, hello->log_level);
	pack_u8(to, hello->log_format);
	pack_u32(to, hello->handler_count);
	for (uint32_t i = 0; i < hello->handler_count; i++)
		handler_pack_write(to, &hello->handlers[i]);
	return frame_finish(&writer);
}

int wire_write_hello(struct buffer *out, const struct wire_hello *hello, struct error *err)
{
	return write_terms(out, WIRE_HELLO, hello, err);
}

int wire_write_reload(struct buffer *out, const struct wire_hello *terms, struct error *err)
{
	return write_terms(out, WIRE_RELOAD, terms, err);
}

static void take_handlers(struct pack_reader *from, struct wire_hello *hello)
{
	uint32_t count = unpack_u32(from);

	if (from->failed || count > from->left / HANDLER_PACK_BYTES_MIN) {
		from->failed = true;
		return;
	}
	hello->handlers = calloc(count == 0 ? 1 : count, sizeof(*hello->handlers));
	if (hello->handlers == NULL) {
		from->failed = true;
		return;
	}
	hello->handler_count = count;
	for (uint32_t i = 0; i < count && !from->failed; i++)
		handler_pack_read(from, &hello->handlers[i]);
}

int wire_read_hello(const struct wire_frame *frame, struct wire_hello *hello, struct error *err)
{
	struct pack_reader from = read_from(frame, 0);
	struct wire_hello read = { 0 };
	uint32_t protocol = unpack_u32(&from);

	if (!from.failed && protocol != WIRE_PROTOCOL)
		return error_set(err, ERROR_FATAL,
				 "the dispatcher speaks protocol %u, this agent speaks %d",
				 protocol, WIRE_PROTOCOL);
	read.agent = unpack_string(&from);
	read.slots = unpack_u32(&from);
	read.kill_grace_ms = take_duration(&from);
	read.database = unpack_string(&from);
	read.log_level = (enum log_level)take_between(&from, LOG_LEVEL_DEBUG, LOG_LEVEL_ERROR);
	read.log_format = (enum log_format)take_between(&from, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON);
	take_handlers(&from, &read);
	from.failed |= read.agent == NULL || read.slots == 0 || read.slots > LIMIT_AGENT_SIZE;
	if (end_single(frame, &from, err) != 0) {
		wire_hello_fini(&read);
		return -1;
	}
	*hello = read;
	return 0;
}

void wire_hello_fini(struct wire_hello *hello)
{
	for (uint32_t i = 0; i < hello->handler_count; i++)
		handler_fini(&hello->handlers[i]);
	free(hello->handlers);
	free(hello->agent);
	free(hello->database);
	memset(hello, 0, sizeof(*hello));
}

/* --- RUN, CANCEL, STOP, RECALL ----------------------------------------------------------------- */

static void put_job(struct pack_writer *to, const void *entries, size_t index)
{
	const struct wire_job *job = (const struct wire_job *)entries + index;

	pack_i64(to, job->id);
	pack_uuid(to, job->claim_id);
	pack_i64(to, job->claim_seq);
	pack_i64(to, job->life);
	pack_i32(to, job->attempt);
	pack_i64(to, job->timeout_ms);
	put_bytes(to, job->queue);
	put_bytes(to, job->handler);
	put_bytes(to, job->payload);
	put_bytes(to, job->traceparent);
	put_bytes(to, job->checkpoint);
}

int wire_write_run(struct buffer *out, const struct wire_job *jobs, size_t count, struct error *err)
{
	return frame_list(out, WIRE_RUN, put_job, jobs, count, err);
}

int wire_read_run(const struct wire_frame *frame, size_t *at, struct wire_job *entry,
		  struct error *err)
{
	struct pack_reader from = read_from(frame, *at);

	if (from.left == 0)
		return 0;
	entry->id = unpack_i64(&from);
	entry->claim_id = unpack_uuid(&from);
	entry->claim_seq = unpack_i64(&from);
	entry->life = unpack_i64(&from);
	entry->attempt = unpack_i32(&from);
	entry->timeout_ms = take_duration(&from);
	entry->queue = take_present(&from);
	entry->handler = take_present(&from);
	entry->payload = take_present(&from);
	entry->traceparent = take_bytes(&from);
	entry->checkpoint = take_bytes(&from);
	return end_entry(frame, &from, at, err);
}

static void put_cancel(struct pack_writer *to, const void *entries, size_t index)
{
	const struct wire_cancel *cancel = (const struct wire_cancel *)entries + index;

	pack_i64(to, cancel->id);
	pack_uuid(to, cancel->claim_id);
	pack_u8(to, cancel->reason);
}

int wire_write_cancel(struct buffer *out, const struct wire_cancel *cancels, size_t count,
		      struct error *err)
{
	return frame_list(out, WIRE_CANCEL, put_cancel, cancels, count, err);
}

int wire_read_cancel(const struct wire_frame *frame, size_t *at, struct wire_cancel *entry,
		     struct error *err)
{
	struct pack_reader from = read_from(frame, *at);

	if (from.left == 0)
		return 0;
	entry->id = unpack_i64(&from);
	entry->claim_id = unpack_uuid(&from);
	entry->reason = (enum wire_cancel_reason)take_between(&from, WIRE_CANCEL_REQUESTED,
							      WIRE_CANCEL_RECALL);
	return end_entry(frame, &from, at, err);
}

int wire_write_stop(struct buffer *out, const struct wire_stop *stop, struct error *err)
{
	struct frame_writer writer = frame_begin(out, WIRE_STOP, err);

	pack_i64(&writer.to, stop->grace_ms);
	return frame_finish(&writer);
}

int wire_read_stop(const struct wire_frame *frame, struct wire_stop *stop, struct error *err)
{
	struct pack_reader from = read_from(frame, 0);

	stop->grace_ms = take_duration(&from);
	return end_single(frame, &from, err);
}

int wire_write_recall(struct buffer *out, struct error *err)
{
	struct frame_writer writer = frame_begin(out, WIRE_RECALL, err);

	return frame_finish(&writer);
}

/* --- READY, STARTED, OUTCOME, BROKEN, MENDED --------------------------------------------------- */

int wire_write_ready(struct buffer *out, const struct wire_ready *ready, struct error *err)
{
	struct frame_writer writer = frame_begin(out, WIRE_READY, err);

	pack_u32(&writer.to, ready->protocol);
	pack_i64(&writer.to, ready->pid);
	return frame_finish(&writer);
}

int wire_read_ready(const struct wire_frame *frame, struct wire_ready *ready, struct error *err)
{
	struct pack_reader from = read_from(frame, 0);

	ready->protocol = unpack_u32(&from);
	ready->pid = unpack_i64(&from);
	return end_single(frame, &from, err);
}

static void put_started(struct pack_writer *to, const void *entries, size_t index)
{
	const struct wire_started *started = (const struct wire_started *)entries + index;

	pack_i64(to, started->id);
	pack_uuid(to, started->claim_id);
	pack_i64(to, started->started_ms);
}

int wire_write_started(struct buffer *out, const struct wire_started *started, size_t count,
		       struct error *err)
{
	return frame_list(out, WIRE_STARTED, put_started, started, count, err);
}

int wire_read_started(const struct wire_frame *frame, size_t *at, struct wire_started *entry,
		      struct error *err)
{
	struct pack_reader from = read_from(frame, *at);

	if (from.left == 0)
		return 0;
	entry->id = unpack_i64(&from);
	entry->claim_id = unpack_uuid(&from);
	entry->started_ms = unpack_i64(&from);
	return end_entry(frame, &from, at, err);
}

static void put_outcome(struct pack_writer *to, const void *entries, size_t index)
{
	const struct wire_outcome *outcome = (const struct wire_outcome *)entries + index;

	pack_i64(to, outcome->id);
	pack_uuid(to, outcome->claim_id);
	pack_u8(to, outcome->verdict);
	pack_i32(to, outcome->exit_code);
	pack_i32(to, outcome->signal);
	pack_i64(to, outcome->started_ms);
	pack_i64(to, outcome->ended_ms);
	pack_i64(to, outcome->delay_ms);
	put_bytes(to, outcome->result);
	put_bytes(to, outcome->error);
	put_bytes(to, outcome->log);
}

int wire_write_outcome(struct buffer *out, const struct wire_outcome *outcomes, size_t count,
		       struct error *err)
{
	return frame_list(out, WIRE_OUTCOME, put_outcome, outcomes, count, err);
}

int wire_read_outcome(const struct wire_frame *frame, size_t *at, struct wire_outcome *entry,
		      struct error *err)
{
	struct pack_reader from = read_from(frame, *at);

	if (from.left == 0)
		return 0;
	entry->id = unpack_i64(&from);
	entry->claim_id = unpack_uuid(&from);
	entry->verdict = (enum verdict)take_between(&from, VERDICT_DONE, VERDICT_LOST);
	entry->exit_code = unpack_i32(&from);
	entry->signal = unpack_i32(&from);
	entry->started_ms = unpack_i64(&from);
	entry->ended_ms = unpack_i64(&from);
	entry->delay_ms = unpack_i64(&from);
	entry->result = take_bytes(&from);
	entry->error = take_bytes(&from);
	entry->log = take_bytes(&from);
	return end_entry(frame, &from, at, err);
}

int wire_write_broken(struct buffer *out, const struct wire_broken *broken, struct error *err)
{
	struct frame_writer writer = frame_begin(out, WIRE_BROKEN, err);

	put_bytes(&writer.to, broken->handler);
	put_bytes(&writer.to, broken->reason);
	return frame_finish(&writer);
}

int wire_read_broken(const struct wire_frame *frame, struct wire_broken *broken, struct error *err)
{
	struct pack_reader from = read_from(frame, 0);

	broken->handler = take_present(&from);
	broken->reason = take_present(&from);
	return end_single(frame, &from, err);
}

int wire_write_mended(struct buffer *out, const struct wire_mended *mended, struct error *err)
{
	struct frame_writer writer = frame_begin(out, WIRE_MENDED, err);

	put_bytes(&writer.to, mended->handler);
	return frame_finish(&writer);
}

int wire_read_mended(const struct wire_frame *frame, struct wire_mended *mended, struct error *err)
{
	struct pack_reader from = read_from(frame, 0);

	mended->handler = take_present(&from);
	return end_single(frame, &from, err);
}
