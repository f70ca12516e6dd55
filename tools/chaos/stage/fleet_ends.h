/* How dispatchers and agents ended, written down for the judge. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_FLEET_ENDS_H
#define LOCUM_TOOLS_CHAOS_STAGE_FLEET_ENDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "tools/chaos/history/history.h"
#include "tools/chaos/stage/stage.h"

/* status as of waitpid; asked: the signal that was to end it, 0: nothing was, -1: a fault may end it in other ways. */
void fleet_ends_note(struct history *nemesis, const char *name, pid_t pid, int status, int asked);

/* Which `asked` one has that was sent that signal (0: none), or that a fault may end in other ways. One that has not been
 * ready since it was started may give up: a fault may keep it from the database, or what its former life left may still hold
 * its state. fleet_settle starts it anew, and finds out one that never gets ready. */
int fleet_ends_why(int asked, bool expected, bool settled, int status);

/* Those of the agents that did not end in good order, by the logs of their dispatchers. */
void fleet_ends_of_agents(struct stage *stage);

#endif
