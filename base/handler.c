#include "base/handler.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

static bool same_limits(const struct handler_limits *a, const struct handler_limits *b)
{
	return a->memory_bytes == b->memory_bytes && a->files == b->files &&
	       a->processes == b->processes && a->cpu_s == b->cpu_s &&
	       a->file_bytes == b->file_bytes;
}

static bool same_program(const struct handler *a, const struct handler *b)
{
	return a->kind == b->kind && text_same_list(a->argv, b->argv) &&
	       text_same(a->path, b->path) && text_same(a->symbol, b->symbol) &&
	       text_same(a->function, b->function);
}

static bool same_place(const struct handler *a, const struct handler *b)
{
	return text_same_list(a->environment, b->environment) &&
	       text_same(a->directory, b->directory) && text_same(a->user, b->user);
}

static bool same_counts(const struct handler *a, const struct handler *b)
{
	return a->concurrency == b->concurrency && a->instances == b->instances &&
	       a->max_jobs == b->max_jobs && a->progress_timeout_ms == b->progress_timeout_ms &&
	       a->timeout_ms == b->timeout_ms;
}

bool handler_same(const struct handler *a, const struct handler *b)
{
	return text_same(a->name, b->name) && same_program(a, b) && same_place(a, b) &&
	       same_counts(a, b) && a->fence == b->fence && same_limits(&a->limits, &b->limits);
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
