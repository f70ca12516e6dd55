/*
 * The observer: what this dispatcher has seen of its siblings' pings, and whom it may accuse.
 *
 * A sibling is suspect only if (a) by the database's clock its last ping is older than the death interval
 * written in it, which is waived when that clock moved against CLOCK_BOOTTIME by more than the margin during
 * the observation; (b) the same ping was seen for that long of our own CLOCK_BOOTTIME, over scans without a
 * gap; (c) our own ping is fresh; (d) the server and the epoch are older than that. A changed epoch or a lost
 * connection starts (b) anew.
 *
 * Pure: no I/O, no clock of its own. Owned by one thread.
 */
#ifndef LOCUM_DISPATCHER_OBSERVER_H
#define LOCUM_DISPATCHER_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/dispatcher.h"

struct observer;

struct observer_settings {
	struct uuid self; /* our incarnation, never suspect */
	int64_t scan_interval_ms;
	int64_t ping_interval_ms; /* ours */
	int64_t margin_ms;        /* fence_margin */
};

/* One scan, and when it was made. */
struct observer_scan {
	const struct sibling *siblings;
	size_t count;
	struct sibling_server server;
	int64_t boot_ms;      /* CLOCK_BOOTTIME when it was sent */
	int64_t seen_boot_ms; /* and when its answer was there: the database was read in between */
	int64_t ping_ack_boot_ms; /* our own last acknowledged ping, by the same clock */
};

/* A sibling that may be declared dead, and the evidence for its certificate. */
struct observer_suspect {
	struct uuid incarnation;
	struct uuid id;
	int64_t seq;
	int64_t age_ms;      /* by the database's clock */
	int64_t observed_ms; /* by ours */
	int64_t death_interval_ms;
	bool clock_waived;
};

/* Writes what speaks against a suspect, as a JSON object, for its death certificate. */
void observer_write_evidence(const struct observer_suspect *suspect, char *text, size_t size);

/* NULL when memory ends. */
struct observer *observer_open(const struct observer_settings *settings);
void observer_close(struct observer *observer);

/* Forgets what was seen: the connection was lost. */
void observer_restart(struct observer *observer);

/* Takes in a scan and writes the suspects, at most `most`, into out. Returns how many. */
size_t observer_take(struct observer *observer, const struct observer_scan *scan,
		     struct observer_suspect *out, size_t most);

#endif
