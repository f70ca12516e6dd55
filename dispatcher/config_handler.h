/* The handler sections of a configuration file. */
#ifndef LOCUM_DISPATCHER_CONFIG_HANDLER_H
#define LOCUM_DISPATCHER_CONFIG_HANDLER_H

#include <stdint.h>

#include "base/error.h"
#include "dispatcher/config.h"
#include "dispatcher/config_file.h"

enum {
	CONFIG_HANDLER_TIMEOUT_LEAST_MS = 10,
	CONFIG_HANDLER_COUNT_MOST = 1048576,   /* files, processes */
	CONFIG_HANDLER_MEMORY_LEAST = 1048576, /* no program starts with less */
};

/* Fills config->handlers. On failure config_fini frees what was made. */
int config_handler_read(struct config *config, const struct config_file *file, struct error *err);

/* The name of a level of log_failures. */
const char *config_handler_failure_name(enum log_level level);

/* The name of a fence, as written in the configuration. */
const char *config_handler_fence_name(enum handler_fence fence);

#endif
