#include "base/frame.h"

#include <string.h>

static void open_frame(struct frame_writer *writer)
{
	writer->frame = buffer_length(writer->to.out);
	pack_u32(&writer->to, 0);
	pack_u8(&writer->to, writer->type);
}

struct frame_writer frame_begin(struct buffer *out, enum wire_type type, struct error *err)
{
	struct frame_writer writer = {
		.to = { .out = out, .err = err },
		.type = type,
		.before = buffer_length(out),
	};

	open_frame(&writer);
	return writer;
}

static size_t body_length(const struct frame_writer *writer)
{
	return buffer_length(writer->to.out) - writer->frame - FRAME_HEADER_BYTES;
}

static void close_frame(struct frame_writer *writer, size_t length)
{
	char *header = writer->to.out->data + writer->to.out->start + writer->frame;

	for (size_t i = 0; i < sizeof(uint32_t); i++)
		header[i] = (char)(unsigned char)(length >> (8 * i));
}

int frame_finish(struct frame_writer *writer)
{
	struct buffer *out = writer->to.out;

	if (!writer->to.failed && body_length(writer) > WIRE_FRAME_MAX) {
		error_set(writer->to.err, ERROR_INPUT, "a frame is larger than %d bytes",
			  WIRE_FRAME_MAX);
		writer->to.failed = true;
	}
	if (writer->to.failed) {
		out->end = out->start + writer->before;
		return -1;
	}
	close_frame(writer, body_length(writer));
	return 0;
}

/* The entry behind `entry` bytes of body made the frame too large: it begins the next frame. */
static void split_before(struct frame_writer *writer, size_t entry)
{
	struct buffer *out = writer->to.out;
	size_t moved = body_length(writer) - entry;
	char *from;

	if (buffer_reserve(out, FRAME_HEADER_BYTES, writer->to.err) == NULL) {
		writer->to.failed = true;
		return;
	}
	close_frame(writer, entry);
	from = out->data + out->end - moved;
	memmove(from + FRAME_HEADER_BYTES, from, moved);
	out->end -= moved;
	open_frame(writer);
	out->end += moved;
}

int frame_list(struct buffer *out, enum wire_type type, frame_entry *put, const void *entries,
	       size_t count, struct error *err)
{
	struct frame_writer writer = frame_begin(out, type, err);

	for (size_t i = 0; i < count && !writer.to.failed; i++) {
		size_t entry = body_length(&writer);

		put(&writer.to, entries, i);
		if (!writer.to.failed && entry > 0 && body_length(&writer) > WIRE_FRAME_MAX)
			split_before(&writer, entry);
	}
	return frame_finish(&writer);
}
