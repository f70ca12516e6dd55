/* The keys of the sections of a configuration file, and where each stands in one section. */
#ifndef LOCUM_DISPATCHER_CONFIG_KEY_H
#define LOCUM_DISPATCHER_CONFIG_KEY_H

#include <stdbool.h>

struct config_key {
	const char *name;
	bool is_list;
};

enum { CONFIG_KEY_MOST = 32 };

/* Those of `agent` and of `handler`; an entry without a name ends each. */
extern const struct config_key config_key_agent[];
extern const struct config_key config_key_handler[];

/* The lines of the keys of one section, in the order of its table; 0: the key has its default. */
struct config_key_lines {
	int of[CONFIG_KEY_MOST];
};

/* The line of a key that is in the table. */
int config_key_line(const struct config_key *keys, const struct config_key_lines *lines,
		    const char *name);

#endif
