/* All pools of plugin hosts of an agent. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_POOLS_H
#define LOCUM_AGENT_POOLS_H

#include "agent/agent.h"

/* At the start. */
int pools_open(struct agent *agent, struct error *err);

/* After HELLO and RELOAD: retires the pools whose handlers are not the same any more, and makes those that are
 * missing. */
int pools_change(struct agent *agent, struct error *err);
void pools_close(struct agent *agent);

/* Whether plugin hosts run this handler. */
bool pools_serve(const struct program *program);

/* Lets a job wait for a host. */
int pools_take(struct agent *agent, const struct program *program, const struct wire_job *job,
	       struct error *err);

/* Ends the job of this claim. Returns whether there is one. */
bool pools_cancel(struct agent *agent, const struct wire_cancel *cancel);

/* How many slots they take; how much waits. */
size_t pools_busy(const struct agent *agent);
size_t pools_waiting(const struct agent *agent);
size_t pools_waiting_bytes(const struct agent *agent);

/* Gives out what waits, and tells the dispatcher what broke and what may be tried again. Returns -1 when the agent
 * cannot go on. */
int pools_turn(struct agent *agent, bool may_start);

/* Hands back all that has not begun. */
void pools_recall(struct agent *agent, const char *why);

/* STOP, or the end: what waits and what comes back is released. */
void pools_stop(struct agent *agent);

#endif
