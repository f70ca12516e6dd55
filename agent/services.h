/* All services of an agent. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_SERVICES_H
#define LOCUM_AGENT_SERVICES_H

#include "agent/agent.h"

/* After HELLO and RELOAD: retires the services of programs that are retired, and makes those of programs that have
 * none yet. */
int services_change(struct agent *agent, struct error *err);
void services_close(struct agent *agent);

/* The service of a program, or NULL when it is of another kind. */
struct service *services_of(struct agent *agent, const struct program *program);

/* The service whose first waiting job came before this one (NULL: before all) and can start now, or NULL. */
struct service *services_next(struct agent *agent, const struct arrival *arrival);

/* Hands back what waits for any of them. */
void services_recall(struct agent *agent, const char *why);

/* Lets each take its turn, and tells the dispatcher what broke and what works again. */
void services_turn(struct agent *agent);

void services_flush(struct agent *agent);

/* STOP: releases what waits and tells all processes. */
void services_stop(struct agent *agent, int64_t grace_ms);

#endif
