/* Settings of a server that a fault changes while it runs, each fault's in a file of its own beside the server's. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_TUNE_H
#define LOCUM_TOOLS_CHAOS_FAULTS_TUNE_H

#include "base/error.h"

struct server;

/* Makes these lines of configuration hold from now on; `name` is the fault's. */
int tune_set(struct server *server, const char *name, const char *lines, struct error *err);

/* Takes them back. No error where there are none. */
int tune_unset(struct server *server, const char *name, struct error *err);

#endif
