/* A run's folder (run.h) as a report needs it: its acts with their verdicts and what was injected. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_REPORT_DIGEST_H
#define LOCUM_TOOLS_CHAOS_REPORT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/history/facts.h"
#include "tools/chaos/judge/verdict.h"

enum { DIGEST_NO_TIME = -1 };

/* One injection, as the nemesis wrote it down. Times are CLOCK_MONOTONIC in microseconds, or DIGEST_NO_TIME. */
struct digest_bout {
	int number;
	char *fault;
	char *target; /* or "" */
	int64_t injected_us;
	int64_t healed_us;
	int64_t settled_us;
	int witnesses;
	char *witness; /* the first proof, or NULL */
	char *broken;  /* its criterion that was not met, or NULL */
};

struct digest_skip {
	char *fault;
	char *reason;
};

struct digest_act {
	char *folder; /* of the act, with the run's before it */
	char *name;
	struct facts *facts;
	bool judged; /* verdict holds what the judge said; else the act was cut off */
	struct verdict verdict;
	int64_t began_us; /* by the nemesis; DIGEST_NO_TIME: it has written nothing */
	int64_t ended_us;
	struct digest_bout *bouts;
	size_t bout_count;
	struct digest_skip *skips;
	size_t skip_count;
};

struct digest {
	char *folder;
	struct facts *facts; /* NULL: the run has not written them */
	bool judged;         /* as of an act */
	struct verdict verdict;
	struct digest_act *acts;
	size_t act_count;
};

/* The verdicts are those of `judged`, or where that is NULL those in the folder, which may be an act's too. NULL with
 * ERROR_INPUT when it holds neither. */
struct digest *digest_open(const char *folder, const struct verdict_run *judged, struct error *err);
void digest_close(struct digest *digest);

#endif
