#include "dispatcher/recall.h"

#include "base/clock.h"
#include "dispatcher/courier.h"

enum { AGAIN_MS = 1000 };

static void expect(struct pump *pump, int64_t recall_ms)
{
	if (recall_ms < pump->recall_due_ms)
		pump->recall_due_ms = recall_ms;
}

void recall_plan(struct pump *pump, struct holding *holding, int64_t expires_in_ms)
{
	if (expires_in_ms < 0)
		return;
	holding->recall_ms = clock_monotonic_ms() + expires_in_ms;
	expect(pump, holding->recall_ms);
}

struct round {
	struct pump *pump;
	int64_t now_ms;
};

static void look_at(struct holding *holding, void *context)
{
	const struct round *round = context;

	if (holding->recall_ms == 0 || holding->stage != HOLDING_SENT || holding->started_ms > 0)
		return;
	if (holding->recall_ms <= round->now_ms) {
		courier_cancel(round->pump, holding, WIRE_CANCEL_RECALL);
		holding->recalled = true;
		holding->recall_ms = round->now_ms + AGAIN_MS;
	}
	expect(round->pump, holding->recall_ms);
}

void recall_run(struct pump *pump, int64_t now_ms)
{
	struct round round = { pump, now_ms };

	if (now_ms < pump->recall_due_ms)
		return;
	pump->recall_due_ms = INT64_MAX;
	ledger_each(pump->ledger, look_at, &round);
}
