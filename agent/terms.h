/*
 * What the dispatcher's configuration asks of this agent: HELLO brings it, RELOAD changes it. Owned by the loop's
 * thread.
 */
#ifndef LOCUM_AGENT_TERMS_H
#define LOCUM_AGENT_TERMS_H

#include "agent/agent.h"

/* HELLO or RELOAD: answers READY, keeps the handlers that are the same and work, and replaces the rest. What runs
 * goes on under the handler that it began with; what waits for a handler that is gone or different is handed back.
 * -1 when the agent cannot go on. */
int terms_take(struct agent *agent, const struct wire_frame *frame, struct error *err);

/* RECALL: hands back all that has not started. */
void terms_recall(struct agent *agent);

#endif
