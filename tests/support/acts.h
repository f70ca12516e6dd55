/*
 * What a process does first when it goes on after a stop, as strace saw it: an order of acts holds on a machine of any
 * speed, a time does not.
 */
#ifndef LOCUM_TESTS_SUPPORT_ACTS_H
#define LOCUM_TESTS_SUPPORT_ACTS_H

#include <sys/types.h>

#include "tests/support/command.h"
#include "tests/support/scenario.h"

struct acts {
	struct command strace;
	char path[SCENARIO_PATH * 2];
};

/* Watches the main thread of a process that runs, from now on. */
void acts_watch(struct acts *acts, struct scenario *s, pid_t pid);

/* Leaves it. Fails unless it has sent so many SIGKILLs since it went on, and until then neither heard, said nor started
 * anything. One that was stopped in the middle of something else than waiting finishes that first. */
void acts_assert_kills_first(struct acts *acts, struct scenario *s, int kills);

#endif
