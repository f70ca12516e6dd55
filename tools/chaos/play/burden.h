/* Work for those that a fault is to kill, so that there is something to reclaim. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_BURDEN_H
#define LOCUM_TOOLS_CHAOS_PLAY_BURDEN_H

#include "tools/chaos/stage/stage.h"

/* Submits jobs that last longer than any harm takes to bite, and waits a few seconds at most until the dispatcher at
 * `place` has claimed one. Returns who has: `place`, or when it gets none another one but `spared` (-1: all may be), or
 * `place` all the same when nobody has. A place of -1 is anybody, and stays so. */
int burden_lay(struct stage *stage, int place, int spared);

#endif
