/* The network of a stage on which each dispatcher has a namespace of its own. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_NETWORK_H
#define LOCUM_TOOLS_CHAOS_STAGE_NETWORK_H

#include "base/error.h"
#include "tools/chaos/stage.h"

/* Makes the namespaces and what connects them with this one, before the server is made. */
int stage_network_make(struct stage *stage, struct error *err);

/* For the server: the addresses to listen on as a line of postgresql.conf, and who may connect as lines of pg_hba.conf.
 * The caller's to free; NULL: out of memory. */
char *stage_network_settings(const struct stage *stage);
char *stage_network_access(const struct stage *stage);

/* Moves the dispatchers there. */
int stage_network_settle(struct stage *stage, struct error *err);

/* Takes it away, once nothing uses it. */
int stage_network_remove(struct stage *stage, struct error *err);

enum { STAGE_NETWORK_PORT = 25432 };

#endif
