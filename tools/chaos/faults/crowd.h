/* Dispatchers beside those of the fleet, for as long as a bout lasts: another of one that is there, or many more. One
 * thread. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_CROWD_H
#define LOCUM_TOOLS_CHAOS_FAULTS_CROWD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/faults/fault.h"

enum { CROWD_MAX = 32 };

/* bout->own. */
struct crowd {
	int size;
	pid_t pids[CROWD_MAX]; /* by place; 0: not started */
};

/* Starts another dispatcher, named for the bout and `place`, with these words behind its command line (at most two), NULL:
 * none. Its trace is one of the act's histories. */
int crowd_start(struct bout *bout, int place, const char *const *words, struct error *err);

/* How many of them are registered and take jobs. */
int crowd_ready(struct bout *bout, int64_t *ready, struct error *err);

/* SIGTERM to all that run, and their end. */
int crowd_end(struct bout *bout, struct error *err);

/* Whether the log of one holds the text. */
bool crowd_logged(const struct bout *bout, int place, const char *text);

#endif
