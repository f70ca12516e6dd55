/* Judges what was played anew, by what its folder holds (run.h). One thread. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_RETRIAL_H
#define LOCUM_TOOLS_CHAOS_PLAY_RETRIAL_H

#include "base/error.h"
#include "tools/chaos/judge/verdict.h"

/* Judges a run's folder, or that of one of its acts, and writes nothing into it. NULL on error; the caller's. */
struct verdict_run *retrial_judge(const char *folder, struct error *err);

#endif
