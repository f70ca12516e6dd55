/* Jobs whose runs ended after a moment, by the database and by what dispatchers were answered. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_ENDED_H
#define LOCUM_TOOLS_CHAOS_FAULTS_ENDED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/limits.h"
#include "tools/chaos/faults/fault.h"

enum { ENDED_MOMENT_SIZE = 64, ENDED_TEXT_SIZE = 4096 };

struct ended {
	char since[ENDED_MOMENT_SIZE];          /* by the server's clock */
	off_t offsets[LIMIT_CHAOS_DISPATCHERS]; /* how long the trace of each dispatcher was */
	char jobs[ENDED_TEXT_SIZE];             /* " 17 18 19 ", the ids of some of them */
};

/* The moment is now. */
int ended_begin(struct bout *bout, struct ended *ended, struct error *err);

/* Whether the database knows of some dozen of them. */
bool ended_some(struct bout *bout, struct ended *ended);

/* After that: whether a dispatcher knows that one of them is stored. */
bool ended_is_known(const struct bout *bout, const struct ended *ended);

#endif
