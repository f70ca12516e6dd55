/* Injects an act's faults, one after the other and in pairs, heals them, and waits until the fleet is whole again. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_NEMESIS_H
#define LOCUM_TOOLS_CHAOS_PLAY_NEMESIS_H

#include "base/error.h"
#include "tools/chaos/stage/stage.h"

/* What to show while it goes on. */
typedef void nemesis_tell(void *to, int done, int all, const char *what);

/* Plays all bouts of stage->act. What does not bite is injected again, twice at most; what this machine cannot do is
 * noted as skipped. Returns when the last has settled, or the one that was on when *enough was set, or, in the middle
 * of one, when *stage->stop was; everything is healed then. */
int nemesis_play(struct stage *stage, const atomic_bool *enough, nemesis_tell *tell, void *to,
		 struct error *err);

#endif
