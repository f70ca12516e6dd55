#include "tools/locum/colour.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *state;
	const char *sequence;
} STATES[] = {
	{ "waiting", "\033[2m" },   { "scheduled", "\033[2m" },  { "assigned", "\033[36m" },
	{ "active", "\033[1;36m" }, { "held", "\033[35m" },      { "completed", "\033[32m" },
	{ "failed", COLOUR_BAD },   { "cancelled", "\033[33m" }, { "expired", "\033[33m" },
	{ "running", "\033[32m" },  { "draining", "\033[33m" },  { "stopped", "\033[2m" },
	{ "dead", COLOUR_BAD },     { "paused", "\033[33m" },
};

bool colour_wanted(const struct cli *cli)
{
	const char *terminal = getenv("TERM");
	const char *refused = getenv("NO_COLOR");

	switch (cli->colour) {
	case CLI_COLOUR_ALWAYS:
		return true;
	case CLI_COLOUR_NEVER:
		return false;
	case CLI_COLOUR_AUTO:
		break;
	}
	return isatty(STDOUT_FILENO) != 0 && (refused == NULL || refused[0] == '\0') &&
	       terminal != NULL && strcmp(terminal, "dumb") != 0;
}

const char *colour_of_state(const char *state)
{
	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (strcmp(STATES[i].state, state) == 0)
			return STATES[i].sequence;
	return NULL;
}
