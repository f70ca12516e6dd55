/*
 * What a run leaves on the machine while it goes on: processes, namespaces, firewall tables, mounts, cgroups, folders.
 * Each is noted in a file on disk BEFORE it is made, so that a run that was killed is cleaned up by the next one.
 * A process is noted with its start time, and is ended only if it is still that process.
 *
 * The file is the ledger: /run/locum-chaos/PID for root, else $XDG_RUNTIME_DIR or /tmp/locum-chaos-UID, with the pid of
 * the harness that owns it, whose lock (flock) says whether it lives.
 */
#ifndef LOCUM_TOOLS_CHAOS_UNDO_UNDO_H
#define LOCUM_TOOLS_CHAOS_UNDO_UNDO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum undo_kind {
	UNDO_PROCESS,   /* pid: SIGKILL to it and its descendants, if it still is the one noted */
	UNDO_NAMESPACE, /* the name of a network namespace: its processes, then itself */
	UNDO_TABLE,     /* an nftables table: FAMILY NAME */
	UNDO_LINK,      /* a network device */
	UNDO_MOUNT,     /* a path: unmounted, lazily if need be */
	UNDO_CGROUP,    /* a path: thawed, emptied, removed */
	UNDO_FOLDER,    /* a path with "/locum-chaos" in it: removed with all that it holds */
	UNDO_SCRATCH, /* a database given by the user: the harness's own triggers and slot in it are dropped; CONNINFO */
};

struct undo;

/* Opens a ledger of this process's own, and makes it the one that orphans of its descendants come to. Cleans up first
 * what harnesses that are no more left, and tells how many things that were. What of it cannot be undone is no error: *left
 * says what it is, or has the kind ERROR_NONE, and later calls try it again. NULL on error. */
struct undo *undo_open(int *cleaned, struct error *left, struct error *err);

/* Undoes everything in reverse, waits until it is undone, ends what else came of this process, and removes the
 * ledger. What could not be undone stays in it for the next undo_open. Frees undo in any case. */
int undo_close(struct undo *undo, struct error *err);

/* Notes; call it before the thing is made (a process: at once after the fork, see undo_spawn). Any thread. */
int undo_add(struct undo *undo, enum undo_kind kind, const char *what, struct error *err);
int undo_add_process(struct undo *undo, pid_t pid, struct error *err);

/* Undoes this one thing now and forgets it. Undoing what is gone already is no error. */
int undo_now(struct undo *undo, enum undo_kind kind, const char *what, struct error *err);

/* "NAME=VALUE" in the environment of everything that was started under this ledger. */
const char *undo_mark(const struct undo *undo);

/* Forgets a process that has been waited for. */
void undo_forget_process(struct undo *undo, pid_t pid);

/* --- processes ---------------------------------------------------------------------------------- */

struct undo_spawn {
	const char *const *argv; /* argv[0] is a path or a name in PATH */
	const char *const *env; /* "NAME=value" besides the environment, NULL-terminated, or NULL */
	const char *user;       /* to run as when this process is root, or NULL */
	const char *
		output; /* file that gets stdout and stderr behind what it holds, or NULL: /dev/null */
	const char *namespace; /* the network namespace to enter, or NULL */
	const char *cgroup;    /* the cgroup (v1 freezer or v2 path) to enter, or NULL */
	int death_signal;      /* that it gets when the harness dies; 0: SIGKILL */
};

/* Starts a program in a process group of its own, noted in the ledger before it does anything; it dies with the
 * thread that calls this (PDEATHSIG). Of the environment it gets neither PG… nor LOCUM_… variables. Sets *pid. The
 * caller waits for it: undo_wait. */
int undo_spawn(struct undo *undo, const struct undo_spawn *spawn, pid_t *pid, struct error *err);

/* Waits for its end, at most that long; 1 with *status as of waitpid, 0: it still runs. Forgets it when it ended. */
int undo_wait(struct undo *undo, pid_t pid, int64_t timeout_ms, int *status, struct error *err);

/* Runs a program to its end; an exit code other than 0 is an error with the last line of what it said. */
int undo_run(struct undo *undo, const char *const *argv, int64_t timeout_ms, struct error *err);

#endif
