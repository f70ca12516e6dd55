/* Handlers that misbehave (handler/misdeed.h): they hang, leave, take too much, or go for others. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tools/chaos/faults/culprit.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum {
	END_MS = 120000,
	UNRULY_MS = 1000, /* time-outs of the handlers, as fleet_files.c sets them */
	GREEDY_MS = 5000,
	LEFT_MS = 20000, /* after the fleet has settled */
	LATE_MS = 2000,  /* how much later than promised a process may be dead */
	AGENT_KB_MOST = 64 * 1024,
	FUSE_MAGIC = 0x65735546,
};

static const struct culprit_deed DEEDS[] = {
	{ "handler-hangs", "hang", "unruly", NULL, 2, UNRULY_MS },
	{ "handler-ignores-term", "ignore-term", "unruly", NULL, 2, UNRULY_MS },
	{ "handler-daemonizes", "daemonize", "unruly", "left its session", 1, UNRULY_MS },
	{ "handler-forks", "fork", "greedy", "was refused after", 2, GREEDY_MS },
	{ "handler-floods", "flood", "noisy", "has written all", 1, 0 },
	{ "handler-babbles", "babble", "noisy", "writes what is no text", 2, 0 },
	{ "handler-kills-parent", "kill-parent", "noisy", "Operation not permitted", 1, 0 },
	{ "handler-kills-all", "kill-all", "noisy", "ended 3 processes", 1, 0 },
	{ "handler-hogs-memory", "hog", "greedy", "was refused more", 2, 0 },
	{ "handler-spins", "spin", "greedy", NULL, 2, GREEDY_MS },
	{ "handler-unkillable", "read", "unruly", NULL, 2, 0 },
};

static const struct culprit_deed *deed_of(const struct fault *fault)
{
	for (size_t i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++)
		if (strcmp(DEEDS[i].fault, fault->name) == 0)
			return &DEEDS[i];
	return NULL;
}

/* --- the harm ----------------------------------------------------------------------------------- */

static int inject(struct bout *bout, struct error *err)
{
	struct culprit *culprit = culprit_make(bout, deed_of(bout->fault), err);
	char state;

	if (culprit == NULL || culprit_commit(bout, err) != 0)
		return -1;
	state = process_state(culprit->pid);
	if (culprit->deed->proof == NULL && state == 0)
		return 0; /* it is gone, and nothing was seen of it */
	bout_witness(bout, "job %s, process %d (%c): %s", culprit->number, (int)culprit->pid,
		     state == 0 ? '-' : state, culprit->text);
	return 0;
}

static int64_t no_time(const struct bout *bout)
{
	(void)bout;
	return 0;
}

/* Nothing has to be healed; but when it is over is to be seen. */
static int see_the_end(struct bout *bout, struct error *err)
{
	struct culprit *culprit = bout->own;

	(void)err;
	if (culprit == NULL || culprit->pid == 0)
		return 0;
	if (bout_await(bout, culprit_is_gone, END_MS, "its end", NULL) == 0)
		culprit->gone_us = history_now_us() - bout->stalled_ms * 1000;
	return 0;
}

/* --- what must hold ----------------------------------------------------------------------------- */

static int judge_end(struct bout *bout, const struct culprit *culprit, struct error *err)
{
	const char *params[] = { culprit->number };
	int64_t attempts = 0;

	if (bout_await(bout, culprit_has_ended, END_MS, "the end of its job", err) != 0) {
		bout_broken(bout, "its job %s has not ended", culprit->number);
		return -1;
	}
	if (server_run(bout->stage->server, "fault_handler_attempt", params, 1, &attempts, err) !=
	    0)
		return -1;
	if (bout->paired || attempts == culprit->deed->attempts)
		return 0;
	bout_broken(bout, "its job %s was completed in attempt %" PRId64 " instead of %d",
		    culprit->number, attempts, culprit->deed->attempts);
	return error_set(err, ERROR_FATAL, "another attempt than foreseen");
}

static bool has_nothing_left(struct bout *bout)
{
	const struct culprit *culprit = bout->own;

	return culprit_is_gone(bout) && culprit_left(culprit->pid) == 0;
}

/* Nothing is left of it, and it went in time. */
static int judge_remains(struct bout *bout, const struct culprit *culprit, struct error *err)
{
	int64_t most_ms = culprit->deed->most_ms + bout->stage->act->intervals.grace_ms + LATE_MS;
	int64_t took_ms = (culprit->gone_us - culprit->noted_us) / 1000;

	if (bout_await(bout, has_nothing_left, LEFT_MS, "the end of its processes", err) != 0) {
		bout_broken(bout, "%d processes of job %s are left", culprit_left(culprit->pid),
			    culprit->number);
		return -1;
	}
	if (bout->paired || culprit->deed->most_ms == 0 || took_ms <= most_ms)
		return 0;
	bout_broken(bout, "process %d lived for %" PRId64 " ms instead of %" PRId64 " at most",
		    (int)culprit->pid, took_ms, most_ms);
	return error_set(err, ERROR_FATAL, "it lived too long");
}

/* The agents are those that were, and did not swallow what it wrote; no log took its words for its own. */
static int judge_others(struct bout *bout, const struct culprit *culprit, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;

	for (int i = 0; i < fleet_size(fleet) && i < CULPRIT_AGENTS; i++) {
		pid_t agent = fleet_agent(fleet, i);
		long kb = culprit_memory_kb(agent);

		if (fleet_logged(fleet, i, "\033[31mFORGED") > 0) {
			bout_broken(bout, "the log of dispatcher d%d has an escape sequence of it",
				    i + 1);
			return error_set(err, ERROR_FATAL, "a log was forged");
		}
		/* One that an earlier bout left without may have been about to start another. */
		if (!bout->paired && culprit->agents[i] > 0 && agent != culprit->agents[i]) {
			bout_broken(bout, "the agent of dispatcher d%d was replaced", i + 1);
			return error_set(err, ERROR_FATAL, "an agent died");
		}
		if (!bout->paired && kb > AGENT_KB_MOST) {
			bout_broken(bout, "the agent of dispatcher d%d took %ld KB", i + 1, kb);
			return error_set(err, ERROR_FATAL, "an agent grew");
		}
	}
	return 0;
}

static int judge(struct bout *bout, struct error *err)
{
	const struct culprit *culprit = bout->own;

	if (culprit == NULL || culprit->pid == 0)
		return 0;
	if (judge_end(bout, culprit, err) != 0 || judge_remains(bout, culprit, err) != 0)
		return -1;
	return judge_others(bout, culprit, err);
}

/* --- one that nobody can kill ------------------------------------------------------------------- */

static bool is_mounted(struct bout *bout)
{
	const struct culprit *culprit = bout->own;
	struct statfs about;

	return statfs(culprit->mount, &about) == 0 && about.f_type == FUSE_MAGIC;
}

static int mount_stall(struct bout *bout, struct culprit *culprit, struct error *err)
{
	const struct stage *stage = bout->stage;
	char witness[PATH_MAX];
	const char *argv[] = { witness, "--stall", culprit->mount, NULL };
	const struct undo_spawn spawn = { .argv = argv };

	stage_support(stage, "witness", witness, sizeof(witness));
	snprintf(culprit->mount, sizeof(culprit->mount), "%s/stall", stage->scratch);
	if (mkdir(culprit->mount, 0755) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "%s", culprit->mount);
	if (undo_add(stage->undo, UNDO_MOUNT, culprit->mount, err) != 0 ||
	    undo_spawn(stage->undo, &spawn, &culprit->stall, err) != 0)
		return -1;
	return bout_await(bout, is_mounted, END_MS, "a mount", err);
}

static bool is_unkillable(struct bout *bout)
{
	const struct culprit *culprit = bout->own;

	return process_state(culprit->pid) == 'D';
}

static int inject_unkillable(struct bout *bout, struct error *err)
{
	struct culprit *culprit = culprit_make(bout, deed_of(bout->fault), err);

	if (culprit == NULL || mount_stall(bout, culprit, err) != 0 ||
	    culprit_commit(bout, err) != 0 ||
	    bout_await(bout, is_unkillable, END_MS, "a read that cannot be interrupted", err) != 0)
		return -1;
	bout_witness(bout,
		     "job %s, process %d (D) was told to end, and waits for an answer that never "
		     "comes",
		     culprit->number, (int)culprit->pid);
	return 0;
}

/* As long as SIGKILL is of no use, nobody else may have its job. */
static int heal_unkillable(struct bout *bout, struct error *err)
{
	struct culprit *culprit = bout->own;
	const char *params[1];
	int64_t held = 0;
	int status;

	if (culprit == NULL || culprit->stall == 0)
		return 0;
	params[0] = culprit->number;
	if (culprit->pid != 0 && is_unkillable(bout))
		culprit->held = server_run(bout->stage->server, "fault_handler_held", params, 1,
					   &held, NULL) != 0 ||
				held == 1;
	kill(culprit->stall, SIGKILL);
	undo_wait(bout->stage->undo, culprit->stall, END_MS, &status, NULL);
	culprit->stall = 0;
	see_the_end(bout, err);
	return undo_now(bout->stage->undo, UNDO_MOUNT, culprit->mount, err);
}

static int64_t three_intervals(const struct bout *bout)
{
	return 3 * bout->stage->act->intervals.ping_ms + bout->stage->act->intervals.grace_ms +
	       UNRULY_MS;
}

static int judge_unkillable(struct bout *bout, struct error *err)
{
	const struct culprit *culprit = bout->own;

	if (culprit != NULL && culprit->pid != 0 && !bout->paired && !culprit->held) {
		bout_broken(bout, "job %s was given back while its process could not be killed",
			    culprit->number);
		return error_set(err, ERROR_FATAL, "its job was given back");
	}
	return judge(bout, err);
}

/* --- what the machine can do -------------------------------------------------------------------- */

static int needs_root(struct error *err)
{
	return geteuid() == 0 ? 0
			      : error_set(err, ERROR_INPUT,
					  "needs root, so that handlers run as somebody else");
}

static int needs_fuse(struct error *err)
{
	if (geteuid() != 0)
		return error_set(err, ERROR_INPUT, "needs root, to mount a file system");
	return access("/dev/fuse", R_OK | W_OK) == 0
		       ? 0
		       : error_set_errno(err, ERROR_INPUT, errno, "/dev/fuse");
}

/* Whether others than root may have namespaces of their own. */
static int needs_namespaces(struct error *err)
{
	static const char *const SWITCHES[] = { "/proc/sys/user/max_user_namespaces",
						"/proc/sys/kernel/unprivileged_userns_clone" };
	int allowed = 1;

	if (needs_root(err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(SWITCHES) / sizeof(SWITCHES[0]) && allowed > 0; i++) {
		FILE *file = fopen(SWITCHES[i], "re");

		if (file != NULL && fscanf(file, "%d", &allowed) != 1)
			allowed = 1;
		if (file != NULL)
			fclose(file);
	}
	return allowed > 0 ? 0
			   : error_set(err, ERROR_INPUT,
				       "others than root may not have a namespace of their own");
}

/* ------------------------------------------------------------------------------------------------ */

#define QUIET (FAULT_NO_DEATH | FAULT_NO_CONFLICT | FAULT_NO_OVERLAP)
#define MISBEHAVES(number, name_, what_, pass_, possible_)                                         \
	HURTS(number, name_, QUIET, what_, pass_, possible_)
#define HURTS(number, name_, demands_, what_, pass_, possible_)                                    \
	{                                                                                          \
		.row = (number), .name = (name_), .stage = STAGE_PLAIN, .demands = (demands_),     \
		.what = (what_), .tool = "a handler of the harness",                               \
		.witness = "the run's own note, and its process in /proc",                         \
		.heals = "the agent ends it", .pass = (pass_), .untargeted = true,                 \
		.possible = (possible_), .inject = inject, .hold_ms = no_time,                     \
		.heal = see_the_end, .judge = judge,                                               \
	}

const struct fault fault_handler[] = {
	MISBEHAVES(67, "handler-hangs", "a run goes on for ever",
		   "it is dead soon after its time-out; the next attempt completes the job", NULL),
	MISBEHAVES(68, "handler-ignores-term", "a run goes on for ever and ignores SIGTERM",
		   "it is dead soon after time-out and grace; the next attempt completes the job",
		   NULL),
	MISBEHAVES(69, "handler-daemonizes",
		   "a run leaves a process behind in a session of its own, with the output open",
		   "the job is completed, and the process is dead soon after", NULL),
	MISBEHAVES(70, "handler-forks", "every process of a run forks until it is refused",
		   "pings go on; nothing is left of it; the next attempt completes the job",
		   needs_root),
	MISBEHAVES(71, "handler-floods", "a run writes 1 GB without a line break",
		   "the agent never has more than 64 MB; the job is completed", NULL),
	MISBEHAVES(72, "handler-babbles",
		   "a run writes NULs, control sequences, line breaks and what is no UTF-8",
		   "no log takes its words for its own; the next attempt completes the job", NULL),
	MISBEHAVES(73, "handler-kills-parent", "a run sends SIGKILL to its agent and ends well",
		   "the agent lives on; the job is completed", needs_root),
	MISBEHAVES(73, "handler-kills-all",
		   "a run sends SIGKILL to all that it can reach, in a namespace of its own",
		   "the agents live on; the job is completed", needs_namespaces),
	HURTS(76, "handler-hogs-memory", QUIET | FAULT_QUICK_ENDS,
	      "a run takes memory until it is refused more",
	      "the agents live on, and other jobs take at most twice as long as usual, or 2 s; the next attempt completes the job",
	      NULL),
	HURTS(76, "handler-spins", QUIET | FAULT_QUICK_ENDS,
	      "a run takes all the processor time that it gets",
	      "it is dead soon after its limit, and other jobs take at most twice as long as usual, or 2 s; the next attempt completes the job",
	      NULL),
	{
		.row = 77,
		.name = "handler-unkillable",
		.stage = STAGE_PLAIN,
		.demands = QUIET,
		.what = "a run reads a file whose file system never answers, and cannot be killed",
		.tool = "a FUSE file system of the harness",
		.witness = "its process is in state D after SIGTERM",
		.heals = "the file system ends, and the read with it",
		.pass = "its job is not given to others while it lives; the next attempt completes "
			"it",
		.untargeted = true,
		.possible = needs_fuse,
		.inject = inject_unkillable,
		.hold_ms = three_intervals,
		.heal = heal_unkillable,
		.judge = judge_unkillable,
	},
	{ 0 },
};
