/*
 * Frames of the socket protocol while they are being written: a 32-bit length, an 8-bit type, a body.
 * Only base/wire.c and base/wire_note.c use this. Owned by one thread.
 */
#ifndef LOCUM_BASE_FRAME_H
#define LOCUM_BASE_FRAME_H

#include <stddef.h>

#include "base/pack.h"
#include "base/wire.h"

enum { FRAME_HEADER_BYTES = 5 };

/* Frames are found again by their distance from the first unread byte: appending may move the rest. */
struct frame_writer {
	struct pack_writer to;
	enum wire_type type;
	size_t before; /* bytes in the buffer when the call began; a failing call goes back to it */
	size_t frame;  /* where the open frame begins */
};

struct frame_writer frame_begin(struct buffer *out, enum wire_type type, struct error *err);

/* Writes the length. Returns 0, or -1 with the buffer as it was before frame_begin. */
int frame_finish(struct frame_writer *writer);

/* Packs entries[index]. */
typedef void frame_entry(struct pack_writer *to, const void *entries, size_t index);

/* One frame that holds all entries, or more frames where WIRE_FRAME_MAX asks for them. */
int frame_list(struct buffer *out, enum wire_type type, frame_entry *put, const void *entries,
	       size_t count, struct error *err);

#endif
