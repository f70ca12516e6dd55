/* The dispatcher of the private cluster. */
#ifndef LOCUM_TOOLS_LOCUM_RUNNER_H
#define LOCUM_TOOLS_LOCUM_RUNNER_H

#include <stdbool.h>

#include "base/error.h"
#include "tools/locum/place.h"

/* The pid of the dispatcher that runs here, or 0. A number that another program has by now is not it. */
int runner_pid(const struct place *place);

/* Chooses the configuration: the given one, or the user's, or the machine's, or the starter file in the
 * place, which is made if need be. The caller's to free. */
char *runner_config(const struct place *place, const char *given, struct error *err);

/* Becomes the dispatcher, whose program is at that path, with this process's pid. Comes back only with an
 * error. */
int runner_become(const struct place *place, const char *program, const char *config,
		  const char *conninfo, struct error *err);

/* Drains the dispatcher and waits for its end. */
int runner_stop(int pid, struct error *err);

#endif
