/*
 * What a service says of a job that goes on, to be kept in the database: its last checkpoint, its progress. A job
 * that says nothing has no note. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_GUEST_NOTE_H
#define LOCUM_AGENT_GUEST_NOTE_H

#include "agent/run.h"
#include "base/rpc.h"

/* Takes in a job.progress, which is also a line of the job's log, or a job.checkpoint. Only the last one of each is
 * kept; a checkpoint that is too large is not, and the log says so. */
void guest_note_take(struct run *guest, const struct rpc_notice *notice, bool is_progress);

/* The guest has ended: what was noted is due at once, for another run may come. */
void guest_note_end(struct run *guest);

/* Writes the notes that are due as one NOTE frame. */
int guest_note_report(struct guest_note_list *notes, struct buffer *out, struct error *err);

void guest_note_free(struct run *guest);

#endif
