/* One act of a run, from its empty folder to its verdict. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_ACT_H
#define LOCUM_TOOLS_CHAOS_PLAY_ACT_H

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"
#include "tools/chaos/plan/plan.h"
#include "tools/chaos/play/forecast.h"
#include "tools/chaos/play/run.h"
#include "tools/chaos/undo/undo.h"

struct act {
	struct run *run;
	struct undo *undo;
	const struct plan_act *plan;
	const char *folder;
	struct forecast *forecast;
	struct run_progress progress;
};

/* What keeps an act from being played to its end makes its verdict unknown, and says why in it; -1 only when the folder
 * cannot be written. */
int act_play(struct act *act, struct verdict *verdict, struct error *err);

#endif
