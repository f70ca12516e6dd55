#include "dispatcher/config_key.h"

#include <string.h>

const struct config_key config_key_agent[] = {
	{ "size", false }, { "queues", true }, { "user", false }, { "handlers", true }, { 0 },
};

const struct config_key config_key_handler[] = {
	{ "kind", false },
	{ "argv", true },
	{ "timeout", false },
	{ "user", false },
	{ "fence", false },
	{ "log_failures", false },
	{ "directory", false },
	{ "memory", false },
	{ "environment", true },
	{ "files", false },
	{ "processes", false },
	{ "cpu", false },
	{ "file_size", false },
	{ "path", false },
	{ "symbol", false },
	{ "function", false },
	{ "concurrency", false },
	{ "instances", false },
	{ "max_jobs", false },
	{ "progress_timeout", false },
	{ 0 },
};

_Static_assert(sizeof(config_key_handler) / sizeof(config_key_handler[0]) <= CONFIG_KEY_MOST,
	       "CONFIG_KEY_MOST is too small");

int config_key_line(const struct config_key *keys, const struct config_key_lines *lines,
		    const char *name)
{
	for (int i = 0; keys[i].name != NULL; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return lines->of[i];
	}
	return 0;
}
