#include "dispatcher/heir.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "dispatcher/observer.h"

enum {
	SUSPECTS_MAX = 64,
	PINGS = 2, /* prove life; a single one may come late from a client that is dead */
};

struct heir {
	struct reaper *reaper;
	struct uuid id;
	struct uuid incarnation;
	struct observer *observer;
	struct sibling other; /* as first seen; no incarnation: not yet */
};

struct heir *heir_open(const struct config *config, struct reaper *reaper, struct uuid id,
		       struct uuid incarnation)
{
	struct heir *heir = calloc(1, sizeof(*heir));
	struct observer_settings settings = {
		.self = incarnation,
		.scan_interval_ms = config->scan_interval_ms,
		.ping_interval_ms = config->ping_interval_ms,
		.margin_ms = config->fence_margin_ms,
	};

	if (heir == NULL)
		return NULL;
	heir->reaper = reaper;
	heir->id = id;
	heir->incarnation = incarnation;
	heir->observer = observer_open(&settings);
	if (heir->observer == NULL) {
		free(heir);
		return NULL;
	}
	reaper_set_life(reaper, incarnation);
	return heir;
}

void heir_close(struct heir *heir)
{
	if (heir == NULL)
		return;
	observer_close(heir->observer);
	free(heir);
}

static bool is_alive(struct heir *heir, const struct sibling *siblings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sibling *sibling = &siblings[i];

		if (!uuid_same(sibling->id, heir->id))
			continue;
		if (uuid_is_none(heir->other.incarnation))
			heir->other = *sibling;
		return !uuid_same(sibling->incarnation, heir->other.incarnation) ||
		       sibling->seq >= heir->other.seq + PINGS;
	}
	return false;
}

/* It does not ping, and need not: that it could ask the database now proves as much. */
static int judge(struct heir *heir, struct db *db, const PGresult *rows, int64_t sent_boot_ms,
		 struct error *err)
{
	struct observer_suspect suspects[SUSPECTS_MAX];
	struct observer_scan scan = {
		.boot_ms = sent_boot_ms,
		.seen_boot_ms = clock_boottime_ms(),
		.ping_ack_boot_ms = sent_boot_ms,
	};
	struct sibling *siblings;
	size_t found;
	int status = 0;

	if (sibling_scan_rows(rows, &siblings, &scan.count, &scan.server, err) != 0)
		return -1;
	scan.siblings = siblings;
	if (scan.count > 0 && !scan.server.has_epoch)
		status = epoch_ensure(db, err);
	found = observer_take(heir->observer, &scan, suspects, SUSPECTS_MAX);
	for (size_t i = 0; i < found; i++)
		if (uuid_same(suspects[i].id, heir->id))
			reaper_accuse(heir->reaper, &suspects[i]);
	if (status == 0)
		status = is_alive(heir, siblings, scan.count);
	free(siblings);
	return status;
}

int heir_look(struct heir *heir, struct db *db, struct error *err)
{
	int64_t sent_boot_ms = clock_boottime_ms();
	PGresult *rows = NULL;
	struct db_call call;
	int status;

	sibling_scan_call(&call, heir->incarnation);
	status = db_run(db, &call, 1, &rows, err);
	if (status == 0)
		status = judge(heir, db, rows, sent_boot_ms, err);
	if (status < 0)
		observer_restart(heir->observer);
	PQclear(rows);
	return status;
}

void heir_evict(struct db *db, struct uuid former)
{
	struct error err = { ERROR_NONE, "", "" };

	if (!uuid_is_none(former) && backend_terminate(db, former, &err) < 0)
		log_warning("connections of the former life cannot be ended", log_err(&err));
}
