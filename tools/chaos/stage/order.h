/*
 * Orders for the processes of a stage (base/probe.h): what one of them is to do to itself when it gets to a named instant.
 * Only builds for tests obey. One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_ORDER_H
#define LOCUM_TOOLS_CHAOS_STAGE_ORDER_H

#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/faults/fault.h"

/* Makes the folder of a stage's orders, and names it to all that this process starts. Other builds do nothing. */
int order_open(const struct stage *stage, struct error *err);

/* "NAME=FOLDER" for the environment of handlers; "" in other builds. Returns text. */
const char *order_variable(const struct stage *stage, char *text, size_t size);

/* For the `possible` of a fault: whether this is such a build. */
int order_possible(struct error *err);

/* "kill" or "stop" at the instant of that name: for the process, or for the first that gets there when pid is 0. */
int order_give(const struct bout *bout, const char *name, const char *what, pid_t pid,
	       struct error *err);

/* The process that obeyed, or 0. */
pid_t order_taken_by(const struct bout *bout, const char *name);

/* Nobody is to obey any more, and nobody has. */
void order_withdraw(const struct bout *bout, const char *name);

#endif
