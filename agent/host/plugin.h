/* One run of a handler that is a function of a shared object. Owned by the main thread. */
#ifndef LOCUM_AGENT_HOST_PLUGIN_H
#define LOCUM_AGENT_HOST_PLUGIN_H

#include "agent/host/catalog.h"
#include "agent/host/locum_job.h"
#include "agent/host/settler.h"

/* Runs the job and sets its verdict. An entry that is loaded. */
void plugin_run(struct catalog_entry *entry, struct locum_job *job, struct settler *settler);

#endif
