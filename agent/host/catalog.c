#include "agent/host/catalog.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int catalog_open(struct catalog *catalog, const struct wire_hello *hello, struct error *err)
{
	*catalog = (struct catalog){ .count = hello->handler_count };
	catalog->entries = calloc(catalog->count + 1, sizeof(*catalog->entries));
	if (catalog->entries == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for the handlers");
	for (size_t i = 0; i < catalog->count; i++)
		catalog->entries[i].handler = &hello->handlers[i];
	return 0;
}

/* Plugins stay loaded: what they left running would otherwise have no code any more. */
void catalog_close(struct catalog *catalog)
{
	free(catalog->entries);
	catalog->entries = NULL;
}

static bool has_name(const struct catalog_entry *entry, struct wire_bytes name)
{
	return strlen(entry->handler->name) == name.length &&
	       memcmp(entry->handler->name, name.bytes, name.length) == 0;
}

struct catalog_entry *catalog_find(struct catalog *catalog, struct wire_bytes name)
{
	if (catalog->last < catalog->count && has_name(&catalog->entries[catalog->last], name))
		return &catalog->entries[catalog->last];
	for (size_t i = 0; i < catalog->count; i++) {
		if (!has_name(&catalog->entries[i], name))
			continue;
		catalog->last = i;
		return &catalog->entries[i];
	}
	return NULL;
}

void catalog_break(struct catalog_entry *entry, const char *reason)
{
	entry->broken = true;
	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
}

static int fail(struct catalog_entry *entry)
{
	const char *reason = dlerror();

	catalog_break(entry, reason == NULL ? "the plugin cannot be loaded" : reason);
	return -1;
}

int catalog_load(struct catalog_entry *entry)
{
	const struct handler *handler = entry->handler;
	void *library;
	void *symbol;

	if (entry->function != NULL)
		return 0;
	library = dlopen(handler->path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return fail(entry);
	symbol = dlsym(library, handler->symbol);
	if (symbol == NULL)
		return fail(entry);
	memcpy(&entry->function, &symbol, sizeof(symbol));
	return 0;
}
