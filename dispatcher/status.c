#include "dispatcher/status.h"

#include <stdio.h>

#include "base/clock.h"

enum { INTERVAL_MS = 1000 };

void status_tell(struct pump *pump)
{
	const struct config *config = pump->options.config;
	int64_t now_ms = clock_monotonic_ms();
	int64_t busy = 0;
	int64_t slots = 0;
	char line[64];

	if (now_ms < pump->status_due_ms)
		return;
	pump->status_due_ms = now_ms + INTERVAL_MS;
	for (int i = 0; i < pump->agent_count; i++) {
		int64_t load = (int64_t)ledger_load(pump->ledger, i);
		int64_t size = config->agents[i].leaving ? 0 : config->agents[i].size;

		busy += load < size || config->agents[i].leaving ? load : size;
		slots += size;
	}
	if (busy == pump->status_busy)
		return;
	pump->status_busy = busy;
	snprintf(line, sizeof(line), "STATUS=%lld/%lld busy", (long long)busy, (long long)slots);
	notify_send(pump->options.notify, line);
}
