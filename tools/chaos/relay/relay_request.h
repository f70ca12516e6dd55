/* What a client asks, and the harm that is done to it at a rule's trigger. */
#ifndef LOCUM_TOOLS_CHAOS_RELAY_RELAY_REQUEST_H
#define LOCUM_TOOLS_CHAOS_RELAY_RELAY_REQUEST_H

#include "tools/chaos/relay/relay_line.h"

/* Looks at what has arrived from the client, and passes on what may go. */
void relay_request_pass(struct relay_line *line, int64_t now_ms);

#endif
