/*
 * NOTE, from the agent to the dispatcher: what a run that goes on wants to be kept. Not often: the agent sends at
 * most one for each job and second.
 */
#ifndef LOCUM_BASE_WIRE_NOTE_H
#define LOCUM_BASE_WIRE_NOTE_H

#include "base/wire.h"

/* One job of a NOTE frame. Both are JSON; what is absent stays as it was. */
struct wire_note {
	int64_t id;
	struct uuid claim_id;
	struct wire_bytes checkpoint; /* what the job's next run gets */
	struct wire_bytes progress;   /* {"percent": …, "message": …} */
};

/* As the functions of base/wire.h for lists. */
int wire_note_write(struct buffer *out, const struct wire_note *notes, size_t count,
		    struct error *err);
int wire_note_read(const struct wire_frame *frame, size_t *at, struct wire_note *entry,
		   struct error *err);

#endif
