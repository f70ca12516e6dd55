/* The harness's handler as a service (doc/handler-protocol.md). One thread. */
#ifndef LOCUM_TOOLS_CHAOS_HANDLER_WITNESS_SERVICE_H
#define LOCUM_TOOLS_CHAOS_HANDLER_WITNESS_SERVICE_H

#include "base/error.h"

/* Serves until its orders end. `path` is the effect log. Jobs run side by side, each as long as its payload says. */
int witness_service(const char *path, struct error *err);

#endif
