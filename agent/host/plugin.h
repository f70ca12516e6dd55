/* One run of a handler that is a function of a shared object. Owned by the main thread. */
#ifndef LOCUM_AGENT_HOST_PLUGIN_H
#define LOCUM_AGENT_HOST_PLUGIN_H

#include "agent/host/locum_job.h"
#include "agent/host/settler.h"

/* Runs the job and sets its verdict. */
void plugin_run(locum_handler *function, struct locum_job *job, struct settler *settler);

#endif
