/* How each kind of thing is undone. Any thread. */
#ifndef LOCUM_TOOLS_CHAOS_UNDO_UNDO_THING_H
#define LOCUM_TOOLS_CHAOS_UNDO_UNDO_THING_H

#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/undo/undo.h"

/* Whether it may be noted: one line, and nothing that a mistake could make dangerous. */
int undo_thing_check(enum undo_kind kind, const char *what, struct error *err);

/* Undoes it and waits until it is gone: 1, or 0 when it was gone already. Processes are "PID BEGAN" here. */
int undo_thing_end(enum undo_kind kind, const char *what, struct error *err);

/* Where a database is, in words, without anything that is secret. */
void undo_thing_name_database(const char *conninfo, char *text, size_t size);

/* Lets the processes of a cgroup go on, so that they can be ended. */
void undo_thing_thaw(const char *cgroup);

/* SIGKILL for a process and all that came of it, and the wait for their end. */
int undo_thing_kill(pid_t pid, struct error *err);

/* The same for every process that has this "NAME=VALUE" in its environment; how many there were. */
int undo_thing_kill_marked(const char *mark, struct error *err);

#endif
