#include "dispatcher/observer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest silence of one sibling that we have seen without a break. */
struct sight {
	struct uuid incarnation;
	int64_t seq;
	int64_t since_boot_ms;
	int64_t since_server_ms; /* the database's clock at the same instant */
	bool present;            /* in the scan at hand */
};

struct observer {
	struct observer_settings settings;
	struct sight *sights;
	size_t count;
	size_t room;
	bool has_epoch;
	struct uuid epoch;
	int64_t last_boot_ms; /* of the last scan; 0: none since the restart */
};

struct observer *observer_open(const struct observer_settings *settings)
{
	struct observer *observer = calloc(1, sizeof(*observer));

	if (observer != NULL)
		observer->settings = *settings;
	return observer;
}

void observer_close(struct observer *observer)
{
	if (observer == NULL)
		return;
	free(observer->sights);
	free(observer);
}

void observer_restart(struct observer *observer)
{
	observer->count = 0;
	observer->last_boot_ms = 0;
}

static struct sight *sight_find(struct observer *observer, struct uuid incarnation)
{
	for (size_t i = 0; i < observer->count; i++)
		if (uuid_same(observer->sights[i].incarnation, incarnation))
			return &observer->sights[i];
	return NULL;
}

/* A sight for a sibling that was not there before; NULL when memory ends, then it is seen next time. */
static struct sight *sight_add(struct observer *observer)
{
	if (observer->count == observer->room) {
		size_t room = observer->room == 0 ? 8 : observer->room * 2;
		struct sight *grown = realloc(observer->sights, room * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		observer->sights = grown;
		observer->room = room;
	}
	return &observer->sights[observer->count++];
}

/* A gap means that pings may have come and gone unseen: every observation starts anew. The same after a
 * crash recovery of the database, which shows as another epoch; and while our own pings do not arrive, for what keeps
 * them away may keep away those of others. */
static void check_continuity(struct observer *observer, const struct observer_scan *scan)
{
	int64_t gap_ms = scan->boot_ms - observer->last_boot_ms;
	bool same_epoch = observer->has_epoch == scan->server.has_epoch &&
			  uuid_same(observer->epoch, scan->server.epoch);

	if (!same_epoch ||
	    scan->boot_ms - scan->ping_ack_boot_ms >= 2 * observer->settings.ping_interval_ms ||
	    gap_ms > 2 * observer->settings.scan_interval_ms + observer->settings.margin_ms)
		observer_restart(observer);
	observer->has_epoch = scan->server.has_epoch;
	observer->epoch = scan->server.epoch;
	observer->last_boot_ms = scan->boot_ms;
}

static void look(struct observer *observer, const struct sibling *sibling,
		 const struct observer_scan *scan)
{
	struct sight *sight = sight_find(observer, sibling->incarnation);

	if (sight != NULL && sight->seq == sibling->seq) {
		sight->present = true;
		return;
	}
	if (sight == NULL)
		sight = sight_add(observer);
	if (sight == NULL)
		return;
	*sight = (struct sight){
		.incarnation = sibling->incarnation,
		.seq = sibling->seq,
		.since_boot_ms = scan->seen_boot_ms,
		.since_server_ms = scan->server.now_ms,
		.present = true,
	};
}

static void forget_absent(struct observer *observer)
{
	size_t kept = 0;

	for (size_t i = 0; i < observer->count; i++) {
		if (!observer->sights[i].present)
			continue;
		observer->sights[kept] = observer->sights[i];
		observer->sights[kept++].present = false;
	}
	observer->count = kept;
}

/*
 * The database's clock has leapt while we watched, or went back before: what was written lies in the future. Its
 * times mean nothing then, and the watch alone decides: over one connection and of one epoch, so that server and
 * epoch are as old.
 */
static bool has_leapt(const struct observer *observer, const struct sibling *sibling,
		      const struct observer_scan *scan, int64_t drift_ms)
{
	int64_t margin_ms = observer->settings.margin_ms;

	return llabs(drift_ms) > margin_ms || sibling->age_ms < -margin_ms ||
	       scan->server.age_ms < -margin_ms || scan->server.epoch_age_ms < -margin_ms;
}

static bool is_suspect(const struct observer *observer, const struct sight *sight,
		       const struct sibling *sibling, const struct observer_scan *scan,
		       struct observer_suspect *suspect)
{
	int64_t interval_ms = sibling->death_interval_ms;
	int64_t observed_ms = scan->boot_ms - sight->since_boot_ms;
	int64_t drift_ms = scan->server.now_ms - sight->since_server_ms - observed_ms;
	bool waived = has_leapt(observer, sibling, scan, drift_ms);

	*suspect = (struct observer_suspect){
		.incarnation = sibling->incarnation,
		.id = sibling->id,
		.seq = sibling->seq,
		.age_ms = sibling->age_ms,
		.observed_ms = observed_ms,
		.death_interval_ms = interval_ms,
		.clock_waived = waived,
	};
	return observed_ms >= interval_ms && scan->server.has_epoch &&
	       (waived || (sibling->age_ms > interval_ms && scan->server.age_ms >= interval_ms &&
			   scan->server.epoch_age_ms >= interval_ms));
}

void observer_write_evidence(const struct observer_suspect *suspect, char *text, size_t size)
{
	snprintf(text, size,
		 "{\"seq\": %" PRId64 ", \"silent_by_database_ms\": %" PRId64
		 ", \"silent_by_observer_ms\": %" PRId64 ", \"death_interval_ms\": %" PRId64
		 ", \"database_clock_moved\": %s}",
		 suspect->seq, suspect->age_ms, suspect->observed_ms, suspect->death_interval_ms,
		 suspect->clock_waived ? "true" : "false");
}

size_t observer_take(struct observer *observer, const struct observer_scan *scan,
		     struct observer_suspect *out, size_t most)
{
	size_t found = 0;

	check_continuity(observer, scan);
	for (size_t i = 0; i < scan->count; i++)
		look(observer, &scan->siblings[i], scan);
	forget_absent(observer);
	for (size_t i = 0; i < scan->count && found < most; i++) {
		const struct sibling *sibling = &scan->siblings[i];
		const struct sight *sight = sight_find(observer, sibling->incarnation);

		if (sight == NULL || uuid_same(sibling->incarnation, observer->settings.self))
			continue;
		if (is_suspect(observer, sight, sibling, scan, &out[found]))
			found++;
	}
	return found;
}
