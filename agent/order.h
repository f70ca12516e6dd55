/* What the dispatcher tells the agent: HELLO, RUN, CANCEL, STOP. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_ORDER_H
#define LOCUM_AGENT_ORDER_H

#include "agent/agent.h"

/* Obeys one frame. A frame that cannot be obeyed ends the agent. */
void order_obey(struct agent *agent, const struct wire_frame *frame);

/* Marks a handler as one that cannot be executed here, tells the dispatcher, and releases its waiting
 * jobs. */
void order_break(struct agent *agent, struct program *program, const char *reason);

/* It works again. */
void order_mend(struct agent *agent, struct program *program);

#endif
