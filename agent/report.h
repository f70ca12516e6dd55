/*
 * What the agent tells the dispatcher: collected over one turn of the loop, written as one frame of each
 * kind. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_REPORT_H
#define LOCUM_AGENT_REPORT_H

#include <stddef.h>

#include "agent/program.h"
#include "agent/roster.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/wire.h"

struct report {
	struct buffer started;         /* struct wire_started, of this turn */
	struct buffer *out;            /* where frames go */
	struct guest_note_list *notes; /* borrowed */
};

void report_init(struct report *report, struct guest_note_list *notes, struct buffer *out);
void report_fini(struct report *report);

/* READY, at once. */
int report_ready(struct report *report, struct error *err);

/* BROKEN, at once. */
int report_broken(struct report *report, const struct program *program, const char *reason,
		  struct error *err);

/* MENDED, at once. */
int report_mended(struct report *report, const struct program *program, struct error *err);

/* Remembers a start for the next frame of starts. */
int report_start(struct report *report, const struct run *run, struct error *err);

/* Writes the STARTED frame of what is remembered, if anything is. */
int report_starts(struct report *report, struct error *err);

/* Writes this turn's STARTED and OUTCOME frames, and frees the done runs of the roster. */
int report_turn(struct report *report, struct roster *roster, struct error *err);

#endif
