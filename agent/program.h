/*
 * A handler as this machine can run it: the user and the groups it gets, its environment, and whether
 * it can be executed at all. It lives as long as anybody uses it: a run goes on under the definition that it began
 * with when the configuration has another. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_PROGRAM_H
#define LOCUM_AGENT_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/handler.h"

struct program {
	struct handler *handler; /* never changes */
	int users;
	bool owns_texts; /* of the handler */
	bool resolved;
	bool retired;       /* the configuration has another, or none: no job is to come */
	bool switches_user; /* the fields below are of another user than the agent's */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
	char **environment; /* what every run gets (agent/environment.h) */
	bool broken;        /* set here and when an execution fails */
};

/* A program that is not resolved, with one user. owns_texts: takes what the handler owns and leaves it empty;
 * otherwise the texts must outlive the program. NULL when memory ends. */
struct program *program_make(struct handler *handler, bool owns_texts, struct error *err);

/* One user more; one less, and the last one frees it. NULL is allowed. */
struct program *program_hold(struct program *program);
void program_drop(struct program *program);

/* Finds out what it takes to run it. Returns -1 with the reason when it cannot run here; it is then marked broken. */
int program_resolve(struct program *program, struct error *err);

#endif
