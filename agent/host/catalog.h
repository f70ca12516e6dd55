/* The handlers of a host, loaded when a job first asks for them. Owned by the main thread. */
#ifndef LOCUM_AGENT_HOST_CATALOG_H
#define LOCUM_AGENT_HOST_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/handler.h"
#include "base/wire.h"
#include "include/locum/plugin.h"

enum { CATALOG_REASON_SIZE = 512 };

struct catalog_entry {
	const struct handler *handler;
	locum_handler *function; /* of a plugin, once it is loaded */
	int64_t runs;
	bool broken;
	char reason[CATALOG_REASON_SIZE]; /* why, for a broken one */
};

struct catalog {
	struct catalog_entry *entries;
	size_t count;
	size_t last; /* found last */
};

/* Borrows the handlers of *hello. */
int catalog_open(struct catalog *catalog, const struct wire_hello *hello, struct error *err);
void catalog_close(struct catalog *catalog);

/* NULL: there is none of that name. */
struct catalog_entry *catalog_find(struct catalog *catalog, struct wire_bytes name);

/* Loads a plugin that is not loaded. On failure the entry is broken and says why. */
int catalog_load(struct catalog_entry *entry);

/* Marks an entry as broken. */
void catalog_break(struct catalog_entry *entry, const char *reason);

#endif
