#include "dispatcher/gathering.h"

#include "dispatcher/turn.h"

enum {
	GATHER_MS = 10,   /* from one completion to the next, */
	GATHER_JOBS = 100 /* unless so many have ended */
};

static bool may_claim(const struct pump *pump, int64_t now_ms)
{
	for (int i = 0; i < pump->agent_count; i++)
		if (turn_may_claim(pump, i, now_ms))
			return true;
	return false;
}

/* Only while others are still to end. */
static bool waits(const struct pump *pump, int64_t now_ms)
{
	size_t ended = outbox_count(pump->outbox);

	return ended > 0 && ended < GATHER_JOBS && ended < ledger_count(pump->ledger) &&
	       now_ms < pump->completed_ms + GATHER_MS && !outbox_has_due(pump->outbox, now_ms) &&
	       !pump->careful && !pump->draining && !may_claim(pump, now_ms);
}

struct outbox_batch *gathering_send(struct pump *pump, int64_t now_ms)
{
	struct error err = { ERROR_NONE, "", "" };
	struct outbox_batch *batch;

	if (waits(pump, now_ms))
		return NULL;
	batch = outbox_send(pump->outbox, now_ms, &err);
	if (batch != NULL)
		pump->completed_ms = now_ms;
	return batch;
}

int64_t gathering_due_ms(const struct pump *pump)
{
	int64_t due_ms = outbox_due_ms(pump->outbox);
	int64_t gathered_ms = pump->completed_ms + GATHER_MS;

	return outbox_count(pump->outbox) > 0 && gathered_ms < due_ms ? gathered_ms : due_ms;
}
