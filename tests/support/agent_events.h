/* What an agent under test has said so far: its frames, kept and found again by job. */
#ifndef LOCUM_TESTS_SUPPORT_AGENT_EVENTS_H
#define LOCUM_TESTS_SUPPORT_AGENT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/wire.h"
#include "base/wire_note.h"

struct agent_events {
	bool ready;
	int64_t ready_pid;
	struct buffer in;       /* not a whole frame yet */
	struct buffer started;  /* struct wire_started */
	struct buffer outcomes; /* struct wire_outcome */
	struct buffer broken;   /* struct wire_broken */
	struct buffer mended;   /* struct wire_mended */
	struct buffer notes;    /* struct wire_note */
	char **bodies;          /* of frames, copied; events point into them */
	size_t body_count;
};

void agent_events_init(struct agent_events *events);
void agent_events_fini(struct agent_events *events);

/* Waits for bytes on the socket, and keeps the frames that are whole. */
void agent_events_await(struct agent_events *events, int socket);

/* Takes what has come or still comes, without a deadline. Returns whether there may be more: not at the end. */
bool agent_events_take(struct agent_events *events, int socket);

/* Each returns whether there is such an event; the outcome's bytes are valid until the end. */
bool agent_events_started(const struct agent_events *events, int64_t id);
bool agent_events_outcome(const struct agent_events *events, int64_t id,
			  struct wire_outcome *outcome);
bool agent_events_broken(const struct agent_events *events, const char *handler,
			 struct wire_broken *broken);
/* How many notes about a job came; *note becomes the last of them. */
size_t agent_events_notes(const struct agent_events *events, int64_t id, struct wire_note *note);
bool agent_events_mended(const struct agent_events *events, const char *handler);

#endif
