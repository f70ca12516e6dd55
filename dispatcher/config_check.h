/* What must hold among the settings when each alone is right. */
#ifndef LOCUM_DISPATCHER_CONFIG_CHECK_H
#define LOCUM_DISPATCHER_CONFIG_CHECK_H

#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "dispatcher/config.h"

/* `user` is whom the dispatcher runs as. Returns 0, or -1 with ERROR_INPUT. */
int config_check(const struct config *config, uid_t user, struct error *err);

/* Writes a line for each handler whose program or shared object is not there for this process: it may be for the
 * handler's user, or come later. */
void config_check_handlers(const struct config *config, FILE *out);

/* Writes a line for each variable of the environment that is nearly called like the twin of a setting. */
void config_check_environment(FILE *out);

#endif
