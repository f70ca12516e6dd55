#include "tools/chaos/relay/relay_answer.h"

enum { READY_BYTES = 6 };

#define READY 'Z'
#define NOTIFICATION 'A'

/* The server's word on encryption: it stands alone. A yes makes all that follows unreadable. */
static void take_reply(struct relay_line *line, int64_t now_ms)
{
	char word = *buffer_bytes(&line->down.in);

	line->opaque |= word == 'S' || word == 'G';
	line->replies--;
	relay_line_pass(line, &line->down, 1, now_ms);
}

static bool is_for_nobody(const struct relay_line *line)
{
	return line->muted > 0 && line->answered + 1 >= line->muted;
}

static void take_part(struct relay_line *line, int64_t now_ms)
{
	size_t there = buffer_length(&line->down.in);
	size_t part = line->down.rest < there ? line->down.rest : there;

	line->down.rest -= part;
	if (line->unheard)
		line->order->bytes += (int64_t)part;
	if (line->unheard || is_for_nobody(line))
		relay_pipe_drop(&line->down, part);
	else
		relay_line_pass(line, &line->down, part, now_ms);
}

static void take_ready(struct relay_line *line, int64_t now_ms)
{
	line->status = buffer_bytes(&line->down.in)[READY_BYTES - 1];
	line->down.rest = READY_BYTES;
	take_part(line, now_ms);
	line->answered++;
	if (line->muted == line->answered)
		line->muted = 0;
	if (line->cut_at > 0 && line->answered >= line->cut_at)
		line->over = true;
}

/* Begins a message; false: more must arrive, or it is none. */
static bool take_message(struct relay_line *line, int64_t now_ms)
{
	size_t there = buffer_length(&line->down.in);
	const char *bytes = buffer_bytes(&line->down.in);

	if (there < RELAY_PROTOCOL_HEAD)
		return false;
	if (*bytes == READY && there < READY_BYTES)
		return false;
	line->down.rest = relay_protocol_length(bytes);
	line->unheard = *bytes == NOTIFICATION && line->harm == RELAY_DROP_NOTIFICATIONS;
	if (*bytes == READY)
		take_ready(line, now_ms);
	else if (line->down.rest == 0)
		line->opaque = true;
	return true;
}

void relay_answer_pass(struct relay_line *line, int64_t now_ms)
{
	bool goes_on = true;

	while (goes_on && !line->over && buffer_length(&line->down.in) > 0) {
		if (line->opaque)
			relay_line_pass(line, &line->down, buffer_length(&line->down.in), now_ms);
		else if (line->replies > 0)
			take_reply(line, now_ms);
		else if (line->down.rest > 0)
			take_part(line, now_ms);
		else
			goes_on = take_message(line, now_ms);
	}
}
