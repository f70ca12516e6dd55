/* The `user` of an agent or handler section. */
#ifndef LOCUM_DISPATCHER_CONFIG_USER_H
#define LOCUM_DISPATCHER_CONFIG_USER_H

#include "base/error.h"
#include "dispatcher/config_file.h"

/* Sets *user to a copy of the name, or to NULL when the section names none. Fails when the system knows
 * no such user. */
int config_user_read(const struct config_section *section, char **user, struct error *err);

#endif
