/*
 * The catalogue of faults. A row names what is done, with what tool, how it is known that it bit, how it heals, and
 * what must hold besides the invariants. fault.c lists them; fault_*.c do them, one file per kind.
 */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_FAULT_H
#define LOCUM_TOOLS_CHAOS_FAULTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct bout;
struct stage;

/* What a fault has to be played on. Those of one stage share an act. */
#define STAGES(X)                                                                                  \
	X(PLAIN, "plain", "dispatchers and a server, through its Unix socket")                     \
	X(RELAY, "relay", "the same, through the fault proxy")                                     \
	X(NETWORK, "network", "each dispatcher in a network namespace of its own, over TCP")       \
	X(CLOCK, "clock", "a server whose clock can be moved")                                     \
	X(REPLICA, "replica", "a server and a standby that follows it")                            \
	X(POOLER, "pooler", "through PgBouncer in transaction mode")                               \
	X(DISK, "disk", "a server whose disk is small")                                            \
	X(ALONE, "alone", "a server of its own, for a fault that ends it or takes long")

#define STAGE_KIND(name, text, help) STAGE_##name,
enum stage_kind { STAGES(STAGE_KIND) STAGE_KINDS };
#undef STAGE_KIND

/* What must hold from injection to settling, besides the invariants; the checker looks. */
enum fault_demand {
	FAULT_NO_DEATH = 1 << 0,      /* nobody is declared dead */
	FAULT_NO_CONFLICT = 1 << 1,   /* nothing is reassigned */
	FAULT_NO_OVERLAP = 1 << 2,    /* no two runs of a job at once */
	FAULT_OVERLAP_100MS = 1 << 3, /* or at most that long after the thaw */
	FAULT_RECLAIM = 1 << 4,       /* what died is reclaimed within D + 2S */
	FAULT_MASS = 1 << 5,          /* a mass death: D + 2S + 5 s, one D more when most died */
	FAULT_NO_ATTEMPT = 1 << 6,    /* no run is counted against a job */
	FAULT_MAY_LOSE =
		1 << 7, /* acknowledged work may be lost, and is reported as lost by failover */
	FAULT_FORGETS = 1 << 9,      /* finished jobs may be gone at the end */
	FAULT_OWNS_SERVER = 1 << 8,  /* hurts the server itself: not for a database of the user's */
	FAULT_QUICK_PINGS = 1 << 10, /* 99 % of the pings take at most 5 times as long as usual */
	FAULT_QUICK_CLAIMS = 1 << 11, /* of the claims, too */
	FAULT_QUICK_ENDS =
		1 << 12,        /* of the jobs at most twice as long; check_latency.c tells usual */
	FAULT_POLLED = 1 << 13, /* jobs are picked up within a poll interval all the same */
};

struct fault {
	int row;          /* of the catalogue, 1 to 78 */
	const char *name; /* "dispatcher-killed" */
	enum stage_kind stage;
	unsigned demands;    /* enum fault_demand */
	const char *what;    /* one sentence: what is done */
	const char *tool;    /* "kill", "strace", "nftables" … */
	const char *witness; /* how it is known that it bit */
	const char *heals;   /* how it is healed */
	const char *pass;    /* what must hold besides the invariants, in words */
	bool shortened;      /* a long-running row, played short */
	bool lonely;         /* what it stops, others are done with: it overlaps with none */
	bool punctual;   /* more comes of it when it stays too long: the last of a pair to begin */
	bool untargeted; /* it hurts no dispatcher in particular: bout->target is -1 */
	bool widespread; /* it hurts others than its target too */

	/* Whether this machine can do it; a reason in *err when not. NULL: always. */
	int (*possible)(struct error *err);

	/* Does the harm. Calls bout_witness when it knows that it bit, here or in heal. */
	int (*inject)(struct bout *bout, struct error *err);

	/* How long it stays, in milliseconds; NULL: until twice the death interval has passed for faults that are to
	 * cause a death, else one ping interval. */
	int64_t (*hold_ms)(const struct bout *bout);

	/* Takes the harm away. Also called when the run is cut off. NULL: nothing is left of it. */
	int (*heal)(struct bout *bout, struct error *err);

	/* After settling: its own criterion. Returns 0; -1 calls bout_broken first if it is not met. NULL: none. */
	int (*judge)(struct bout *bout, struct error *err);
};

/* The files of the catalogue. Each fault_NAME.c has the array fault_NAME of its faults, which ends with a row of
 * zeroes; a new fault is a row there, a new file a word here. */
/* clang-format off */
#define FAULT_FILES(X) \
	X(commit) \
	X(dispatcher) \
	X(failover) \
	X(fleet) \
	X(handler) \
	X(held) \
	X(host) \
	X(instant) \
	X(job) \
	X(limits) \
	X(memory) \
	X(network) \
	X(notify) \
	X(pooler) \
	X(probe) \
	X(relay) \
	X(restore) \
	X(server) \
	X(session) \
	X(skew) \
	X(store) \
	X(sweep) \
	X(wraparound)
/* clang-format on */

#define FAULT_FILE(name) extern const struct fault fault_##name[];
FAULT_FILES(FAULT_FILE)
#undef FAULT_FILE

/* The one that follows in the order of the catalogue; the first after NULL, NULL after the last. A row of the catalogue
 * that splits into several faults has several. */
const struct fault *fault_next(const struct fault *previous);

/* By name; NULL when there is none. */
const struct fault *fault_find(const char *name);

/* The closest name to a wrong one, for the error; NULL when none is near. */
const char *fault_nearest(const char *name);

const char *fault_stage_name(enum stage_kind kind);

/* --- one injection ------------------------------------------------------------------------------ */

struct bout {
	int number;
	const struct fault *fault;
	struct stage *stage;
	uint64_t chance; /* random bits for it, from the seed */
	int witnesses;
	bool paired; /* with another that overlaps */
	int target;  /* a dispatcher, by its place in the fleet; -1: none */
	int64_t began_us;
	int64_t stalled_ms; /* for how long the machine let the last bout_await oversleep */
	void *own;          /* the fault's; freed after heal */
};

/* Draws from 0 to below `below`; the same for the same seed and the same calls before. */
unsigned bout_draw(struct bout *bout, unsigned below);

/* Writes the proof that it bit. */
void bout_witness(struct bout *bout, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes that its criterion was not met. */
void bout_broken(struct bout *bout, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes that it stayed longer than it was to, so that deaths and conflicts may come of it. */
void bout_late(struct bout *bout);

/* Waits until the condition holds, at most that long, looking at growing pauses up to 50 ms; 0, or -1 with "… did not
 * happen within …". Returns early when the run is cut off. */
int bout_await(struct bout *bout, bool (*holds)(struct bout *bout), int64_t timeout_ms,
	       const char *what, struct error *err);

#endif
