#include "tools/chaos/relay/relay_request.h"

#include <string.h>

#define IN_TRANSACTION 'T'

/* --- the opening -------------------------------------------------------------------------------- */

/* Takes a first message; false: more must arrive. */
static bool take_opening(struct relay_line *line, int64_t now_ms)
{
	struct relay_pipe *up = &line->up;
	enum relay_opening kind = RELAY_OPENING_OTHER;
	size_t whole = 0;
	int known = relay_protocol_opening(buffer_bytes(&up->in), buffer_length(&up->in), &kind,
					   &whole);

	if (known == 0 || (known > 0 && buffer_length(&up->in) < whole))
		return false;
	if (known < 0 || kind == RELAY_OPENING_OTHER) {
		line->opaque = true;
		return true;
	}
	if (kind == RELAY_OPENING_ENCRYPTION) {
		line->replies++;
	} else {
		relay_protocol_name(buffer_bytes(&up->in), whole, line->name);
		line->typed = true;
		line->asked = 1;
	}
	relay_line_pass(line, up, whole, now_ms);
	return true;
}

/* --- harm at the trigger ------------------------------------------------------------------------ */

static bool is_idle_in_transaction(const struct relay_line *line)
{
	return line->status == IN_TRANSACTION && line->asked == line->answered &&
	       relay_pipe_is_empty(&line->down);
}

/* Nothing goes before a simple query that is a transaction of its own. */
static bool can_be_aborted(const struct relay_line *line)
{
	return !relay_protocol_ends(*buffer_bytes(&line->up.in)) || is_idle_in_transaction(line);
}

/* Whether the message at the head, of which `looked` bytes are there, is what the rule waits for. */
static bool is_meant(struct relay_line *line, size_t looked)
{
	const char *bytes = buffer_bytes(&line->up.in);
	const struct relay_rule *rule = &line->order->rule;

	if (line->at_end != RELAY_PASS || line->harm != RELAY_PASS)
		return false;
	/* A statement that is only prepared under a name does nothing yet. */
	if (*bytes == 'P' && looked > RELAY_PROTOCOL_HEAD && bytes[RELAY_PROTOCOL_HEAD] != '\0')
		return false;
	if (rule->harm == RELAY_ABORT && !can_be_aborted(line))
		return false;
	if (rule->trigger == NULL)
		return rule->harm >= RELAY_CUT_REQUEST && relay_line_is_hit(line);
	return memmem(bytes, looked, rule->trigger, strlen(rule->trigger)) != NULL &&
	       relay_line_is_hit(line);
}

/* Fails the transaction that is open; the request waits until the server has said so, to nobody. */
static void fail_transaction(struct relay_line *line)
{
	char fault[RELAY_PROTOCOL_FAULT];

	relay_pipe_put(&line->up, fault, relay_protocol_failing_query(fault));
	line->asked++;
	line->muted = line->asked;
	line->awaited = line->asked;
}

static void harm_request(struct relay_line *line, int64_t now_ms)
{
	enum relay_harm harm = line->order->rule.harm;

	switch (harm) {
	case RELAY_PASS:
		return;
	case RELAY_DELAY:
	case RELAY_RATE:
	case RELAY_HALF_OPEN:
	case RELAY_DROP_REQUESTS:
	case RELAY_DROP_ANSWERS:
	case RELAY_DROP_NOTIFICATIONS:
		line->harm = harm;
		return;
	case RELAY_CUT_REQUEST:
		line->over = true;
		return;
	case RELAY_HOLD:
		relay_line_hold(line, now_ms);
		return;
	case RELAY_HOLD_AND_CUT:
		line->keeping = true;
		line->at_end = harm;
		return;
	case RELAY_ABORT:
		if (is_idle_in_transaction(line))
			fail_transaction(line);
		else
			line->at_end = harm;
		return;
	case RELAY_RESET:
	case RELAY_CUT_ANSWER:
	case RELAY_HOLD_SYNC:
		line->at_end = harm;
		return;
	}
}

/* --- harm at the end of a request ---------------------------------------------------------------- */

/* What has to be done before its last message goes. */
static void harm_before_end(struct relay_line *line, int64_t now_ms)
{
	char fault[RELAY_PROTOCOL_FAULT];

	if (line->at_end == RELAY_HOLD_SYNC)
		relay_line_hold(line, now_ms);
	else if (line->at_end == RELAY_ABORT)
		relay_pipe_put(&line->up, fault, relay_protocol_failing_parse(fault));
	else
		return;
	line->at_end = RELAY_PASS;
}

/* And after it. */
static void harm_after_end(struct relay_line *line, int64_t now_ms)
{
	line->asked++;
	if (line->at_end == RELAY_CUT_ANSWER || line->at_end == RELAY_HOLD_AND_CUT) {
		line->muted = line->asked;
		line->cut_at = line->asked;
	}
	if (line->at_end == RELAY_HOLD_AND_CUT) {
		relay_line_hold(line, now_ms);
		relay_line_part(line);
	}
	line->resetting |= line->at_end == RELAY_RESET;
	line->at_end = RELAY_PASS;
}

/* --- message by message -------------------------------------------------------------------------- */

static bool may_go(const struct relay_line *line)
{
	return !line->over && !line->held && !line->resetting && line->client.fd >= 0 &&
	       line->harm != RELAY_HALF_OPEN && line->awaited <= line->answered &&
	       buffer_length(&line->up.in) > 0;
}

/* Looks at the message at the head, once; false: more of it must arrive, or it is to wait. */
static bool judge(struct relay_line *line, size_t whole, int64_t now_ms)
{
	size_t there = buffer_length(&line->up.in);
	size_t looked = whole < RELAY_PIPE_LOOK ? whole : RELAY_PIPE_LOOK;
	bool runs = relay_protocol_runs(*buffer_bytes(&line->up.in));

	if (line->judged)
		return true;
	if (runs && there < looked)
		return false;
	line->judged = true;
	if (runs && is_meant(line, looked))
		harm_request(line, now_ms);
	if (relay_protocol_ends(*buffer_bytes(&line->up.in)))
		harm_before_end(line, now_ms);
	return may_go(line);
}

/* Takes the message at the head, or begins to; false: more must arrive, or it is to wait. */
static bool take_message(struct relay_line *line, int64_t now_ms)
{
	const char *bytes = buffer_bytes(&line->up.in);
	size_t whole;

	if (buffer_length(&line->up.in) < RELAY_PROTOCOL_HEAD)
		return false;
	whole = relay_protocol_length(bytes);
	if (whole == 0) {
		line->opaque = true;
		return true;
	}
	if (!judge(line, whole, now_ms))
		return false;
	line->judged = false;
	line->up.rest = whole;
	line->ending = relay_protocol_ends(*bytes);
	return true;
}

static void take_part(struct relay_line *line, int64_t now_ms)
{
	size_t there = buffer_length(&line->up.in);
	size_t part = line->up.rest < there ? line->up.rest : there;

	line->up.rest -= part;
	relay_line_pass(line, &line->up, part, now_ms);
	if (line->up.rest == 0 && line->ending) {
		line->ending = false;
		harm_after_end(line, now_ms);
	}
}

void relay_request_pass(struct relay_line *line, int64_t now_ms)
{
	bool goes_on = true;

	while (goes_on && may_go(line)) {
		if (line->opaque)
			relay_line_pass(line, &line->up, buffer_length(&line->up.in), now_ms);
		else if (!line->typed)
			goes_on = take_opening(line, now_ms);
		else if (line->up.rest > 0)
			take_part(line, now_ms);
		else
			goes_on = take_message(line, now_ms);
	}
}
