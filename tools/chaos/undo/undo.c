#include "tools/chaos/undo/undo.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/children.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/undo/undo_ledger.h"
#include "tools/chaos/undo/undo_thing.h"

struct undo {
	int ledger;
	char path[PATH_MAX];
	char mark[UNDO_LEDGER_MARK_SIZE];
	pthread_mutex_t lock; /* of what follows */
	struct undo_ledger_list list;
};

/* --- opening and closing ------------------------------------------------------------------------ */

struct undo *undo_open(int *cleaned, struct error *left, struct error *err)
{
	struct undo *undo = calloc(1, sizeof(*undo));

	if (undo == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	*left = (struct error){ .kind = ERROR_NONE };
	*cleaned = undo_ledger_clean(left, err);
	undo->ledger = *cleaned < 0 ? -1 : undo_ledger_make(undo->path, undo->mark, err);
	if (undo->ledger < 0) {
		free(undo);
		return NULL;
	}
	pthread_mutex_init(&undo->lock, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return undo;
}

/* Orphans, and what nobody waited for. */
static int end_children(struct error *err)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = children_list(pids, PROCESS_TREE_MAX);
	int status = 0;

	for (size_t i = 0; i < count; i++)
		if (undo_thing_kill(pids[i], err) != 0)
			status = -1;
	return status;
}

int undo_close(struct undo *undo, struct error *err)
{
	int status = 0;

	if (undo == NULL)
		return 0;
	if (undo_ledger_end(&undo->list, undo->ledger, err) < 0)
		status = -1;
	if (end_children(err) != 0)
		status = -1;
	if (status == 0)
		unlink(undo->path);
	close(undo->ledger);
	undo_ledger_free(&undo->list);
	pthread_mutex_destroy(&undo->lock);
	free(undo);
	return status;
}

const char *undo_mark(const struct undo *undo)
{
	return undo->mark;
}

/* --- notes -------------------------------------------------------------------------------------- */

/* First on disk. */
static int note(struct undo *undo, enum undo_kind kind, const char *what, struct error *err)
{
	int status;

	if (undo_thing_check(kind, what, err) != 0 ||
	    undo_ledger_write(undo->ledger, '+', kind, what, err) != 0)
		return -1;
	pthread_mutex_lock(&undo->lock);
	status = undo_ledger_add(&undo->list, kind, what, err);
	pthread_mutex_unlock(&undo->lock);
	return status;
}

static void forget(struct undo *undo, enum undo_kind kind, const char *what)
{
	pthread_mutex_lock(&undo->lock);
	undo_ledger_drop(&undo->list, kind, what);
	pthread_mutex_unlock(&undo->lock);
	undo_ledger_write(undo->ledger, '-', kind, what, NULL);
}

/* How a process is noted: "PID BEGAN". False: it is not. */
static bool find_process(struct undo *undo, pid_t pid, char what[static UNDO_LEDGER_PROCESS_SIZE])
{
	bool found;

	pthread_mutex_lock(&undo->lock);
	found = undo_ledger_find_process(&undo->list, pid, what);
	pthread_mutex_unlock(&undo->lock);
	return found;
}

int undo_add(struct undo *undo, enum undo_kind kind, const char *what, struct error *err)
{
	return note(undo, kind, what, err);
}

int undo_add_process(struct undo *undo, pid_t pid, struct error *err)
{
	char what[UNDO_LEDGER_PROCESS_SIZE];
	uint64_t began = process_began(pid);

	if (began == 0)
		return error_set(err, ERROR_FATAL, "there is no process %d", (int)pid);
	snprintf(what, sizeof(what), "%d %llu", (int)pid, (unsigned long long)began);
	return note(undo, UNDO_PROCESS, what, err);
}

int undo_now(struct undo *undo, enum undo_kind kind, const char *what, struct error *err)
{
	char process[UNDO_LEDGER_PROCESS_SIZE];

	if (kind == UNDO_PROCESS) {
		if (!find_process(undo, (pid_t)strtol(what, NULL, 10), process))
			return 0;
		what = process;
	}
	if (undo_thing_check(kind, what, err) != 0 || undo_thing_end(kind, what, err) < 0)
		return -1;
	forget(undo, kind, what);
	return 0;
}

void undo_forget_process(struct undo *undo, pid_t pid)
{
	char what[UNDO_LEDGER_PROCESS_SIZE];

	if (find_process(undo, pid, what))
		forget(undo, UNDO_PROCESS, what);
}

/* --- waiting ------------------------------------------------------------------------------------ */

/* Orphans came here to be waited for. */
static void reap_orphans(struct undo *undo)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = children_list(pids, PROCESS_TREE_MAX);
	char what[UNDO_LEDGER_PROCESS_SIZE];

	for (size_t i = 0; i < count; i++)
		if (process_state(pids[i]) == 'Z' && !find_process(undo, pids[i], what))
			waitpid(pids[i], NULL, WNOHANG);
}

int undo_wait(struct undo *undo, pid_t pid, int64_t timeout_ms, int *status, struct error *err)
{
	int ended;

	reap_orphans(undo);
	if (!process_await_end(pid, timeout_ms))
		return 0;
	while (waitpid(pid, &ended, 0) < 0)
		if (errno != EINTR)
			return error_set_errno(err, ERROR_FATAL, errno, "cannot wait for %d",
					       (int)pid);
	undo_forget_process(undo, pid);
	if (status != NULL)
		*status = ended;
	return 1;
}
