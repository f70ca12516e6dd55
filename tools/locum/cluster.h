/* The private PostgreSQL of `locum up`. The callers hold the place's lock. */
#ifndef LOCUM_TOOLS_LOCUM_CLUSTER_H
#define LOCUM_TOOLS_LOCUM_CLUSTER_H

#include <stdbool.h>

#include "base/error.h"
#include "tools/locum/place.h"

/* Makes it if there is none. A run that is cut off leaves nothing that the next one minds. */
int cluster_make(const struct place *place, bool *made, struct error *err);

/* Whether the server runs, whatever an old pid file says. */
bool cluster_is_running(const struct place *place);

/* Starts the server if need be, and waits until it takes connections. */
int cluster_start(const struct place *place, struct error *err);

/* Stops it: connections are cut, everything committed is kept. */
int cluster_stop(const struct place *place, struct error *err);

/* Makes the database of locum if there is none. */
int cluster_make_database(const struct place *place, struct error *err);

#endif
