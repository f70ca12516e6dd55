#include "dispatcher/lookout.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "db/house.h"

enum { SUSPECTS_MAX = 64, SWEEP_SCANS = 5 };

static void judge(struct pump *pump, const PGresult *rows, int64_t sent_boot_ms)
{
	struct observer_suspect suspects[SUSPECTS_MAX];
	struct observer_scan scan = {
		.boot_ms = sent_boot_ms,
		.seen_boot_ms = clock_boottime_ms(),
		.ping_ack_boot_ms = pinger_ack_boot_ms(pump->options.pinger),
	};
	struct sibling *siblings;
	struct error err = { ERROR_NONE, "", "" };
	size_t found;

	if (sibling_scan_rows(rows, &siblings, &scan.count, &scan.server, &err) != 0) {
		log_error("the siblings cannot be read", log_err(&err));
		return;
	}
	scan.siblings = siblings;
	if (scan.count > 0 && !scan.server.has_epoch && epoch_ensure(pump->main.db, &err) != 0)
		log_warning("the epoch cannot be made", log_err(&err));
	found = observer_take(pump->observer, &scan, suspects, SUSPECTS_MAX);
	for (size_t i = 0; i < found; i++)
		reaper_accuse(pump->options.reaper, &suspects[i]);
	free(siblings);
}

static int scan(struct pump *pump, struct error *err)
{
	struct db_call call;
	PGresult *rows = NULL;
	int64_t sent_boot_ms = clock_boottime_ms();

	sibling_scan_call(&call, pump->incarnation);
	if (db_run(pump->main.db, &call, 1, &rows, err) != 0)
		return -1;
	judge(pump, rows, sent_boot_ms);
	PQclear(rows);
	return 0;
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
		if (scan(pump, &err) != 0) {
			pump_fail(pump, &pump->main, &err);
			return;
		}
	}
	if (now_ms >= pump->sweep_due_ms) {
		pump->sweep_due_ms = now_ms + SWEEP_SCANS * config->scan_interval_ms;
		if (sweep(pump, &err) != 0)
			pump_fail(pump, &pump->main, &err);
	}
}
