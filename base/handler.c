#include "base/handler.h"

#include <stdlib.h>
#include <string.h>

static const char *const KIND_NAMES[] = {
#define HANDLER_KIND_NAME(constant, name) [HANDLER_##constant] = name,
	HANDLER_KINDS(HANDLER_KIND_NAME)
#undef HANDLER_KIND_NAME
};
enum { KIND_COUNT = sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0]) };

static void free_strings(char **strings)
{
	if (strings == NULL)
		return;
	for (size_t i = 0; strings[i] != NULL; i++)
		free(strings[i]);
	free(strings);
}

void handler_fini(struct handler *handler)
{
	free(handler->name);
	free_strings(handler->argv);
	free_strings(handler->environment);
	free(handler->path);
	free(handler->symbol);
	free(handler->function);
	free(handler->directory);
	free(handler->user);
	memset(handler, 0, sizeof(*handler));
}

const char *handler_kind_name(enum handler_kind kind)
{
	return KIND_NAMES[kind];
}

int handler_kind_read(const char *name, enum handler_kind *kind)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		if (strcmp(KIND_NAMES[i], name) != 0)
			continue;
		*kind = (enum handler_kind)i;
		return 0;
	}
	return -1;
}
