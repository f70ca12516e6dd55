/* The runs that began, as the effect log tells. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_RUN_BEGUN_H
#define LOCUM_TOOLS_CHAOS_FAULTS_RUN_BEGUN_H

#include <stdint.h>
#include <sys/types.h>

#include "tools/chaos/faults/fault.h"

/* The process of the first run of this job, or 0: none has begun yet. */
pid_t run_begun(const struct bout *bout, int64_t job);

#endif
