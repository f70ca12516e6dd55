#include "base/wire_note.h"

#include "base/frame.h"
#include "base/pack.h"
#include "base/unpack.h"

static void put_note(struct pack_writer *to, const void *entries, size_t index)
{
	const struct wire_note *note = (const struct wire_note *)entries + index;

	pack_i64(to, note->id);
	pack_uuid(to, note->claim_id);
	pack_bytes(to, note->checkpoint.bytes, note->checkpoint.length);
	pack_bytes(to, note->progress.bytes, note->progress.length);
}

int wire_note_write(struct buffer *out, const struct wire_note *notes, size_t count,
		    struct error *err)
{
	return frame_list(out, WIRE_NOTE, put_note, notes, count, err);
}

int wire_note_read(const struct wire_frame *frame, size_t *at, struct wire_note *entry,
		   struct error *err)
{
	struct pack_reader from = { .bytes = frame->body.bytes + *at,
				    .left = frame->body.length - *at };

	if (from.left == 0)
		return 0;
	entry->id = unpack_i64(&from);
	entry->claim_id = unpack_uuid(&from);
	entry->checkpoint.bytes = unpack_bytes(&from, &entry->checkpoint.length);
	entry->progress.bytes = unpack_bytes(&from, &entry->progress.length);
	if (from.failed)
		return error_set(err, ERROR_FATAL, "a malformed NOTE frame");
	*at = frame->body.length - from.left;
	return 1;
}
