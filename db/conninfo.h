/* Connection strings for another process. Any thread. */
#ifndef LOCUM_DB_CONNINFO_H
#define LOCUM_DB_CONNINFO_H

#include "base/error.h"

/* Returns key='value' pairs that mean in any environment what conninfo means in that of this process, the
 * caller's to free; NULL for a malformed one (ERROR_INPUT) and when memory ends. What db_open has a default of its own for
 * stays open. */
char *conninfo_resolve(const char *conninfo, struct error *err);

/* Returns -1 for a malformed one (ERROR_INPUT). Connects to nothing. */
int conninfo_check(const char *conninfo, struct error *err);

#endif
