/* What the end of a service's process means. */
#ifndef LOCUM_AGENT_SERVER_END_H
#define LOCUM_AGENT_SERVER_END_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/run.h"

/* Writes how it ended; fault: the rule that it broke, when it was killed for one. */
void server_end_describe(const struct run *run, const char *fault, char *text, size_t size);

/* Whether nobody meant it to end. */
bool server_end_is_crash(const struct run *run);

#endif
