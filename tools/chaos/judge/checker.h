/*
 * The judge: reads the histories of an act and says which invariants held. It knows locum only through what the
 * witnesses wrote (history.h). Streams; at most 32 bytes a job.
 */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_CHECKER_H
#define LOCUM_TOOLS_CHAOS_JUDGE_CHECKER_H

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"

/* Judges the act in FOLDER (its files: history.h; its settings: FOLDER/act, see run.h). A history that is cut or
 * cannot be read makes the verdict unknown, and says why. -1 only when there is nothing to judge. */
int checker_judge(const char *folder, struct verdict *verdict, struct error *err);

#endif
