/*
 * Control groups (cgroups, version 2): one for each process that the agent starts, with all that comes of it, where
 * the agent may make them. What leaves its session, its parents and its environment cannot leave its group, so the
 * kernel kills all of it at once; memory and processes are limited for the whole of it where those controllers are
 * handed down. Without any of this the agent works as well, by sessions, strays and rlimits. Owned by the loop's thread.
 *
 * The groups are BASE/locum-agent-PID/N. BASE is the agent's own group or, when that one's parent was delegated to
 * this service (as by systemd's Delegate and DelegateSubgroup), the parent, which may hand controllers down.
 */
#ifndef LOCUM_AGENT_CGROUP_H
#define LOCUM_AGENT_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/handler.h"

enum { CGROUP_PATH_SIZE = 4096 };

struct cgroup {
	int fd; /* of the agent's directory; -1: groups are not used */
	uint64_t last;
	char path[CGROUP_PATH_SIZE];
};

/* Kills what agents that held the lock behind this descriptor have left and waits until it is gone, for two seconds each
 * at most: who has the lock knows that they are dead. Returns how many of them have still left something. */
int cgroup_end_left(int lock_fd);

/* Makes the directory of an agent with this lock (-1: none) and clears away what a killed agent left of its own. Returns -1 with the reason when
 * groups cannot be used; *cgroup is good for all the others then, which do nothing. */
int cgroup_open(struct cgroup *cgroup, int lock_fd, struct error *err);
void cgroup_close(struct cgroup *cgroup);

/* Makes a group and returns its number, or 0 when there is none. *enter_fd becomes a descriptor, the caller's to close,
 * by which a process that writes "0" enters it; -1: none. The limits that the group keeps are set to -1 in *limits. */
uint64_t cgroup_make(struct cgroup *cgroup, struct handler_limits *limits, int *enter_fd);

/* SIGKILL for all that is in it. */
void cgroup_kill(const struct cgroup *cgroup, uint64_t number);

/* Removes it. Returns false while something lives in it. */
bool cgroup_remove(const struct cgroup *cgroup, uint64_t number);

#endif
