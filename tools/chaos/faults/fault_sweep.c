/* A dispatcher that is killed at each of its system calls, one after the other: the points between claim and answer. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/fleet.h"
#include "tools/chaos/stage/stage.h"

enum { END_MS = 60000, SETTLE_MS = 120000, POINTS = 32, STRACE_MS = 30000 };

/* bout->own. */
struct sweep {
	struct victim victim;
	pid_t strace;
	char log[PATH_MAX];
	int killed; /* points at which it was */
};

static int can_trace(struct error *err)
{
	static const char *const PLACES[] = { "/usr/bin/strace", "/usr/local/bin/strace" };

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++)
		if (access(PLACES[i], X_OK) == 0)
			return 0;
	return error_set(err, ERROR_FATAL, "strace is missing");
}

/* --- one point ---------------------------------------------------------------------------------- */

/* strace says so when it has attached to every thread. */
static bool is_attached(struct bout *bout)
{
	const struct sweep *sweep = bout->own;
	FILE *file = fopen(sweep->log, "re");
	char line[256];
	bool attached = false;

	while (file != NULL && !attached && fgets(line, sizeof(line), file) != NULL)
		attached = strstr(line, "attached") != NULL;
	if (file != NULL)
		fclose(file);
	return attached;
}

static int attach(struct bout *bout, const char *call, int number, struct error *err)
{
	struct sweep *sweep = bout->own;
	char inject[64];
	char pid[24];
	char trace[32];
	const char *const argv[] = { "strace", "-f",   "-o", "/dev/null", "-e", trace,
				     "-e",     inject, "-p", pid,         NULL };
	const struct undo_spawn spawn = { .argv = argv, .output = sweep->log };

	snprintf(sweep->log, sizeof(sweep->log), "%s/strace-%d-%d", bout->stage->scratch,
		 bout->number, number);
	snprintf(trace, sizeof(trace), "trace=%s", call);
	snprintf(inject, sizeof(inject), "inject=%s:signal=SIGKILL:when=%d", call, number);
	snprintf(pid, sizeof(pid), "%d", (int)sweep->victim.pid);
	if (undo_spawn(bout->stage->undo, &spawn, &sweep->strace, err) != 0)
		return -1;
	return bout_await(bout, is_attached, STRACE_MS, "the tracing", err);
}

/* It ends with what it traces. */
static int detach(struct bout *bout, struct error *err)
{
	struct sweep *sweep = bout->own;
	char pid[24];
	int ended;

	if (sweep == NULL || sweep->strace == 0)
		return 0;
	ended = undo_wait(bout->stage->undo, sweep->strace, STRACE_MS, NULL, err);
	snprintf(pid, sizeof(pid), "%d", (int)sweep->strace);
	sweep->strace = 0;
	return ended == 0  ? undo_now(bout->stage->undo, UNDO_PROCESS, pid, err)
	       : ended < 0 ? -1
			   : 0;
}

/* Takes one life; 1: it ended at this call, 0: in another way. */
static int take_life(struct bout *bout, const char *call, int number, struct error *err)
{
	int status = 0;

	fleet_expect_end(bout->stage->fleet, bout->target);
	if (victim_look(bout, err) != 0 || attach(bout, call, number, err) != 0 ||
	    fleet_await_end(bout->stage->fleet, bout->target, END_MS, &status, err) != 0)
		return -1;
	if (detach(bout, err) != 0)
		return -1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* --- the sweep ---------------------------------------------------------------------------------- */

static int sweep_over(struct bout *bout, const char *call, struct error *err)
{
	struct sweep *sweep = victim_take(bout, sizeof(*sweep), err);

	if (sweep == NULL)
		return -1;
	for (int number = 1; number <= POINTS && !atomic_load(bout->stage->stop); number++) {
		int taken = take_life(bout, call, number, err);

		if (taken < 0 || fleet_settle(bout->stage->fleet, SETTLE_MS, err) != 0)
			return -1;
		sweep->killed += taken;
	}
	if (sweep->killed == POINTS)
		bout_witness(bout, "the dispatcher was killed at its %s number 1 to %d", call,
			     POINTS);
	return 0;
}

static int sweep_sends(struct bout *bout, struct error *err)
{
	return sweep_over(bout, "sendto", err);
}

static int sweep_receipts(struct bout *bout, struct error *err)
{
	return sweep_over(bout, "recvfrom", err);
}

static int sweep_writes(struct bout *bout, struct error *err)
{
	return sweep_over(bout, "write", err);
}

static int stop_tracing(struct bout *bout, struct error *err)
{
	const struct sweep *sweep = bout->own;

	if (sweep != NULL && sweep->strace > 0)
		kill(sweep->strace, SIGTERM);
	return detach(bout, err);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

#define SWEEP(word, call, harm)                                                                    \
	{                                                                                          \
		.row = 2, .name = "killed-at-" word, .stage = STAGE_ALONE,                         \
		.demands = FAULT_NO_OVERLAP,                                                       \
		.what = "a dispatcher is killed at its first, second … " call, .tool = "strace",   \
		.witness = "each of its lives ends by SIGKILL while strace counts",                \
		.heals = "it is started again after each", .pass = "every point recovers",         \
		.possible = can_trace, .inject = harm, .hold_ms = victim_no_ms,                    \
		.heal = stop_tracing,                                                              \
	}

const struct fault fault_sweep[] = {
	SWEEP("send", "sendto", sweep_sends),
	SWEEP("receipt", "recvfrom", sweep_receipts),
	SWEEP("write", "write", sweep_writes),
	{ 0 },
};
