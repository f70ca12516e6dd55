/* One run of the user's own handler before an act, so that a broken one is not taken for a broken locum. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_REHEARSAL_H
#define LOCUM_TOOLS_CHAOS_PLAY_REHEARSAL_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* Runs it as a dispatcher would, with the payload of the load. ERROR_INPUT names the program and what it did, unless it
 * exits with 0 in good time. Nothing to do when there is none. */
int rehearsal_play(struct stage *stage, struct error *err);

#endif
