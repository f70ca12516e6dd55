/* What the server says, and who hears it. */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_ANSWER_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_ANSWER_H

#include "tools/chaos/relay/relay_line.h"

/* Looks at what has arrived from the server, passes on what may go, and counts the ends of answers. */
void relay_answer_pass(struct relay_line *line, int64_t now_ms);

#endif
