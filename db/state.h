/* The states of a job, from db/states.def. */
#ifndef LOCUM_DB_STATE_H
#define LOCUM_DB_STATE_H

#include <stdbool.h>

enum state {
#define STATE(constant, name, class) STATE_##constant,
#define EDGE(from, event, to)
#include "db/states.def"
#undef STATE
#undef EDGE
};

/* Returns 0 and sets *state, or -1 when there is no state of that name. */
int state_read(const char *name, enum state *state);
const char *state_name(enum state state);
bool state_is_terminal(enum state state);

#endif
