#include "agent/guest_note.h"

#include <stdlib.h>
#include <string.h>

#include "agent/guest_log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/wire_note.h"

enum { INTERVAL_MS = 1000, PROGRESS_BYTES_MAX = 2 * LIMIT_PROGRESS_BYTES };

struct guest_note {
	TAILQ_ENTRY(guest_note) link; /* of those that wait to be reported */
	bool waits;
	struct run *guest;
	int64_t due_ms;
	struct buffer checkpoint;
	struct buffer progress;
};

static struct guest_note *note_of(struct run *guest)
{
	struct guest_note *note = guest->note;

	if (note != NULL)
		return note;
	note = calloc(1, sizeof(*note));
	if (note == NULL)
		return NULL;
	note->guest = guest;
	buffer_init(&note->checkpoint, LIMIT_CHECKPOINT_BYTES);
	buffer_init(&note->progress, PROGRESS_BYTES_MAX);
	guest->note = note;
	return note;
}

static void queue(struct guest_note *note)
{
	if (!note->waits)
		TAILQ_INSERT_TAIL(&note->guest->shared->notes, note, link);
	note->waits = true;
}

static void unqueue(struct guest_note *note)
{
	if (note->waits)
		TAILQ_REMOVE(&note->guest->shared->notes, note, link);
	note->waits = false;
}

static void say(struct run *guest, const char *line)
{
	output_add(&guest->output, line, strlen(line));
}

static void take_checkpoint(struct run *guest, const struct rpc_notice *notice)
{
	struct guest_note *note = note_of(guest);

	if (note == NULL || notice->state.bytes == NULL)
		return;
	if (notice->state.length > LIMIT_CHECKPOINT_BYTES || notice->state_is_deep) {
		say(guest, "a checkpoint was too large to be kept\n");
		return;
	}
	buffer_consume(&note->checkpoint, buffer_length(&note->checkpoint));
	if (buffer_append(&note->checkpoint, notice->state.bytes, notice->state.length, NULL) == 0)
		queue(note);
}

static void add_member(struct buffer *to, const char *start, struct json_span value)
{
	if (value.bytes == NULL)
		return;
	buffer_append(to, start, strlen(start), NULL);
	buffer_append(to, value.bytes, value.length, NULL);
}

/* {"percent":50,"message":"half"}, with what there is; the buffer has room for the longest. */
static void write_progress(struct buffer *to, const struct rpc_notice *notice)
{
	buffer_consume(to, buffer_length(to));
	add_member(to, "{\"percent\":", notice->percent);
	add_member(to, notice->percent.bytes == NULL ? "{\"message\":" : ",\"message\":",
		   notice->message);
	if (buffer_length(to) > 0)
		buffer_append(to, "}", 1, NULL);
}

static void take_progress(struct run *guest, const struct rpc_notice *notice)
{
	struct guest_note *note = note_of(guest);
	struct rpc_notice kept = *notice;

	if (note == NULL || notice->percent.length > LIMIT_PROGRESS_BYTES / 2)
		return;
	if (notice->message.length > LIMIT_PROGRESS_BYTES)
		kept.message = (struct json_span){ .bytes = NULL };
	write_progress(&note->progress, &kept);
	queue(note);
}

void guest_note_take(struct run *guest, const struct rpc_notice *notice, bool is_progress)
{
	if (!is_progress) {
		take_checkpoint(guest, notice);
		return;
	}
	guest_log_add(guest, "progress ", notice);
	take_progress(guest, notice);
}

void guest_note_end(struct run *guest)
{
	if (guest->note == NULL)
		return;
	guest->note->due_ms = 0;
	if (guest->verdict == VERDICT_DONE)
		unqueue(guest->note);
}

static struct wire_bytes bytes_of(const struct buffer *buffer)
{
	if (buffer_length(buffer) == 0)
		return (struct wire_bytes){ .bytes = NULL };
	return (struct wire_bytes){ buffer_bytes(buffer), (uint32_t)buffer_length(buffer) };
}

static int report(struct guest_note *note, struct buffer *out, struct error *err)
{
	const struct wire_note wire = {
		.id = note->guest->job.id,
		.claim_id = note->guest->job.claim_id,
		.checkpoint = bytes_of(&note->checkpoint),
		.progress = bytes_of(&note->progress),
	};
	int status = wire_note_write(out, &wire, 1, err);

	buffer_free(&note->checkpoint);
	buffer_free(&note->progress);
	return status;
}

int guest_note_report(struct guest_note_list *notes, struct buffer *out, struct error *err)
{
	int64_t now_ms = TAILQ_EMPTY(notes) ? 0 : clock_monotonic_ms();
	struct guest_note *note;
	struct guest_note *next;

	for (note = TAILQ_FIRST(notes); note != NULL; note = next) {
		next = TAILQ_NEXT(note, link);
		if (now_ms < note->due_ms)
			continue;
		unqueue(note);
		note->due_ms = now_ms + INTERVAL_MS;
		if (report(note, out, err) != 0)
			return -1;
	}
	return 0;
}

void guest_note_free(struct run *guest)
{
	if (guest->note == NULL)
		return;
	unqueue(guest->note);
	buffer_free(&guest->note->checkpoint);
	buffer_free(&guest->note->progress);
	free(guest->note);
	guest->note = NULL;
}
