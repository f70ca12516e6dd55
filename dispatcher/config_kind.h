/* The kind of a handler's section, and the keys that only some kinds have. */
#ifndef LOCUM_DISPATCHER_CONFIG_KIND_H
#define LOCUM_DISPATCHER_CONFIG_KIND_H

#include "base/error.h"
#include "base/handler.h"
#include "dispatcher/config_file.h"

/* Fills the kind of *handler and what belongs to it. On failure handler_fini frees what was made. */
int config_kind_read(const struct config_section *section, struct handler *handler,
		     struct error *err);

#endif
