/*
 * A handler as this machine can run it: the user and the groups it gets, its environment, and whether
 * it can be executed at all. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_PROGRAM_H
#define LOCUM_AGENT_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/handler.h"

struct program {
	const struct handler *handler; /* borrowed */
	bool switches_user;            /* the fields below are of another user than the agent's */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
	char **environment; /* what every run gets (agent/environment.h) */
	bool broken;        /* set here and when an execution fails */
};

/* Fills *program. Returns -1 with the reason when the handler cannot run here; *program is then marked
 * broken, and is still to be given to program_fini. */
int program_resolve(struct program *program, const struct handler *handler, struct error *err);

void program_fini(struct program *program);

#endif
