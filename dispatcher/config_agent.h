/* The agent sections of a configuration file. */
#ifndef LOCUM_DISPATCHER_CONFIG_AGENT_H
#define LOCUM_DISPATCHER_CONFIG_AGENT_H

#include "base/error.h"
#include "dispatcher/config.h"
#include "dispatcher/config_file.h"

enum { CONFIG_AGENT_SIZE_DEFAULT = 4, CONFIG_AGENT_QUEUES_MOST = 1000 };

/* Fills config->agents; config->handlers must be filled. Without a file (NULL) or an agent in it there
 * is one agent of defaults. On failure config_fini frees what was made. */
int config_agent_read(struct config *config, const struct config_file *file, struct error *err);

/* The index of the handler of this name, if that agent runs it, or -1. */
int config_agent_handler(const struct config *config, int agent, const char *name);

/* Frees what *agent owns. */
void config_agent_fini(struct config_agent *agent);

#endif
