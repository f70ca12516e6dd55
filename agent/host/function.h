/* One run of a handler that is a function of the database. Owned by the main thread. */
#ifndef LOCUM_AGENT_HOST_FUNCTION_H
#define LOCUM_AGENT_HOST_FUNCTION_H

#include "agent/host/catalog.h"
#include "agent/host/locum_job.h"
#include "agent/host/settler.h"

/* Runs the job and sets its verdict. A function that is not there breaks the entry. */
void function_run(struct catalog_entry *entry, struct locum_job *job, struct settler *settler);

#endif
