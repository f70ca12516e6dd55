/* Processes as /proc shows them. Any thread may call everything here. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_PROCESS_H
#define LOCUM_TOOLS_CHAOS_STAGE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_TREE_MAX = 4096 };

/* Its state as the kernel's letter: R runs, S sleeps, D cannot be interrupted, T stopped, t traced, Z ended and not waited
 * for; 0: there is none. */
char process_state(pid_t pid);

/* Whether it stands still after a SIGSTOP: stopped, or waiting for a child that was stopped before it became a program. */
bool process_stands(pid_t pid);

/* Whether there is such a process that has not ended. */
bool process_lives(pid_t pid);

/* When it began, in clock ticks since the machine did; with its pid that names it for good. 0: there is none. */
uint64_t process_began(pid_t pid);

/* Itself and all that came of it, parents before their children; how many. */
size_t process_tree(pid_t pid, pid_t *pids, size_t room);

/* The process that it is a child of, if that has this name, or 0. */
pid_t process_parent(pid_t pid, const char *name);

/* A child with this name (as in /proc/PID/comm), or 0. */
pid_t process_child(pid_t parent, const char *name);

/* Waits until a process has ended, whoever its parent is; false: it has not within that time. */
bool process_await_end(pid_t pid, int64_t timeout_ms);

#endif
