#include "db/state.h"

#include <stddef.h>
#include <string.h>

enum class { UNFINISHED, TERMINAL };

static const struct {
	const char *name;
	enum class class;
} STATES[] = {
#define STATE(constant, text, kind) { text, kind },
#define EDGE(from, event, to)
#include "db/states.def"
#undef STATE
#undef EDGE
};

int state_read(const char *name, enum state *state)
{
	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
		if (strcmp(STATES[i].name, name) == 0) {
			*state = (enum state)i;
			return 0;
		}
	}
	return -1;
}

const char *state_name(enum state state)
{
	return STATES[state].name;
}

bool state_is_terminal(enum state state)
{
	return STATES[state].class == TERMINAL;
}
