/*
 * The exec shim: what happens between the birth of a handler's process and its program.
 *
 * The child shares the agent's memory until it executes (as vfork does), so starting costs the same
 * however large the agent is, and a failure is reported in the plan itself. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_SHIM_H
#define LOCUM_AGENT_SHIM_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "agent/program.h"
#include "base/error.h"

enum { SHIM_STACK_BYTES = 64 * 1024 };

struct shim {
	char *stack;         /* of the child, until it executes */
	pid_t self;          /* the agent, whose death kills the child */
	struct rlimit files; /* RLIMIT_NOFILE as the agent found it; its own is higher */
};

/* What is wanted for one process. */
struct shim_plan {
	const struct program *program;
	char *const *environment;
	struct handler_limits limits;
	int group;  /* of cgroup_make, -1: none */
	int input;  /* becomes descriptor 0 */
	int output; /* becomes 1 and 2 */
	int third;  /* becomes 3 */
	int fourth; /* becomes 4; -1: none */
};

/* Also raises the agent's own limit of open files. */
int shim_open(struct shim *shim, struct error *err);
void shim_close(struct shim *shim);

/* Starts a process: leader of its own session and process group, with nothing open but the plan's
 * descriptors, which must be above 4. Returns its pid when the program was executed. Otherwise -1, and
 * no process is left: ERROR_RETRY for a shortage, ERROR_INPUT when the program cannot be executed. */
pid_t shim_spawn(const struct shim *shim, const struct shim_plan *plan, struct error *err);

#endif
