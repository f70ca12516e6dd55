#include "dispatcher/lookout.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "dispatcher/scout.h"

enum { SUSPECTS_MAX = 64, SWEEP_SCANS = 5 };

/* The larger the fleet, the less each need sweep, that all together sweep as often. */
static int64_t sweep_interval_ms(const struct pump *pump)
{
	int64_t share = pump->watch.size / LIMIT_SIBLINGS_WATCHED;

	return SWEEP_SCANS * pump->options.config->scan_interval_ms * (share > 1 ? share : 1);
}

static void judge(struct pump *pump, const struct observer_scan *scan)
{
	struct observer_suspect suspects[SUSPECTS_MAX];
	struct error err = { ERROR_NONE, "", "" };
	size_t found;

	if (scan->count > 0 && !scan->server.has_epoch && epoch_ensure(pump->main.db, &err) != 0)
		log_warning("the epoch cannot be made", log_err(&err));
	found = observer_take(pump->observer, scan, suspects, SUSPECTS_MAX);
	for (size_t i = 0; i < found; i++)
		reaper_accuse(pump->options.reaper, &suspects[i]);
}

/* Scans, with the look of an agent if one is about due. */
static int scan(struct pump *pump, int64_t now_ms, struct error *err)
{
	struct watch_scan seen = { .self = pump->incarnation, .now_ms = now_ms };
	struct observer_scan scan = { .boot_ms = clock_boottime_ms() };
	int agent = scout_find(pump, now_ms);
	int status;

	if (agent >= 0) {
		scout_call(pump, agent, &seen.calls[1]);
		seen.shared = true;
	}
	status = watch_scan(&pump->watch, pump->main.db, &seen, err);
	if (agent >= 0 && scout_take(pump, agent, now_ms, seen.rows, err) != 0)
		status = -1;
	PQclear(seen.rows);
	if (status != 0)
		goto out;
	reaper_set_fleet(pump->options.reaper, pump->watch.size);
	scan.siblings = seen.siblings;
	scan.count = seen.count;
	scan.server = seen.server;
	scan.seen_boot_ms = clock_boottime_ms();
	scan.ping_ack_boot_ms = pinger_ack_boot_ms(pump->options.pinger);
	judge(pump, &scan);
out:
	free(seen.siblings);
	return status;
}

static int sweep(struct pump *pump, struct error *err)
{
	struct uuid *owners;
	size_t count;

	if (orphan_owners(pump->main.db, &owners, &count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		reaper_sweep(pump->options.reaper, owners[i]);
	free(owners);
	return 0;
}

void lookout_run(struct pump *pump, int64_t now_ms)
{
	const struct config *config = pump->options.config;
	struct error err = { ERROR_NONE, "", "" };

	if (pump->main.db == NULL || !pump->alive)
		return;
	if (now_ms >= pump->scan_due_ms) {
		pump->scan_due_ms = now_ms + config->scan_interval_ms;
		if (scan(pump, now_ms, &err) != 0) {
			pump_fail(pump, &pump->main, &err);
			return;
		}
	}
	if (now_ms >= pump->sweep_due_ms) {
		pump->sweep_due_ms = now_ms + sweep_interval_ms(pump);
		if (sweep(pump, &err) != 0)
			pump_fail(pump, &pump->main, &err);
	}
}
