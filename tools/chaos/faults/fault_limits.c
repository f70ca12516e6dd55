/* What a process may have, and ends: descriptors, pids, room on the disk of its state. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/chaos/faults/run_begun.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 30000, END_MS = 20000, TRIES = 200, STRANGER_MS = 8000 };

/* bout->own of all. */
struct squeeze {
	struct victim victim;
	int complaints; /* that the log held before */
	bool mounted;
	char folder[PATH_MAX]; /* of the state */
	int64_t job;
	pid_t stranger;
	pid_t handler;
};

static bool has_complained(struct bout *bout, const char *words)
{
	const struct squeeze *squeeze = bout->own;

	return fleet_logged(bout->stage->fleet, bout->target, words) > squeeze->complaints;
}

static struct squeeze *begin(struct bout *bout, const char *words, struct error *err)
{
	struct squeeze *squeeze = victim_take(bout, sizeof(*squeeze), err);

	if (squeeze != NULL && words != NULL)
		squeeze->complaints = fleet_logged(bout->stage->fleet, bout->target, words);
	return squeeze;
}

/* --- descriptors -------------------------------------------------------------------------------- */

static const char DESCRIPTORS[] = "Too many open files";

static bool misses_descriptors(struct bout *bout)
{
	return has_complained(bout, DESCRIPTORS);
}

static int allow_descriptors(pid_t pid, rlim_t count, struct error *err)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot read the limits of %d",
				       (int)pid);
	limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
	if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) != 0)
		return error_set_errno(err, ERROR_FATAL, errno,
				       "cannot limit the descriptors of %d", (int)pid);
	return 0;
}

/* The first that it does not have. A limit below those that it has would keep it from waiting for them, too. */
static rlim_t free_descriptor(pid_t pid)
{
	char path[64];
	rlim_t number = 0;

	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)number);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && ++number > 0);
	return number;
}

/* An agent that was killed more than once comes back later each time. */
static bool has_agent(struct bout *bout)
{
	return fleet_agent(bout->stage->fleet, bout->target) > 0;
}

/* What it has open stays open. It needs more for another agent than the former one leaves. */
static int take_descriptors(struct bout *bout, struct error *err)
{
	const struct squeeze *squeeze = begin(bout, DESCRIPTORS, err);
	pid_t pid = squeeze == NULL ? 0 : squeeze->victim.pid;
	pid_t agent;

	if (squeeze == NULL || bout_await(bout, has_agent, BITE_MS, "an agent", err) != 0)
		return -1;
	agent = fleet_agent(bout->stage->fleet, bout->target);
	if (allow_descriptors(pid, free_descriptor(pid), err) != 0)
		return -1;
	if (agent > 0)
		kill(agent, SIGKILL);
	if (bout_await(bout, misses_descriptors, BITE_MS, "a want of descriptors", err) != 0)
		return -1;
	bout_witness(bout, "process %d logged \"%s\"", (int)squeeze->victim.pid, DESCRIPTORS);
	return 0;
}

static int64_t descriptors_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int give_descriptors(struct bout *bout, struct error *err)
{
	const struct squeeze *squeeze = bout->own;

	if (squeeze == NULL || !process_lives(squeeze->victim.pid))
		return 0;
	return allow_descriptors(squeeze->victim.pid, RLIM_INFINITY, err);
}

/* --- a disk that is full ------------------------------------------------------------------------ */

static const char DISK[] = "No space left on device";

static int can_mount(struct error *err)
{
	return geteuid() == 0 ? 0 : error_set(err, ERROR_FATAL, "only root can mount a disk");
}

static bool misses_room(struct bout *bout)
{
	return has_complained(bout, DISK);
}

/* Its state on a small disk, with nothing on it yet. */
static int move_state(struct bout *bout, struct squeeze *squeeze, struct error *err)
{
	int status;

	snprintf(squeeze->folder, sizeof(squeeze->folder), "%s/state",
		 fleet_folder(bout->stage->fleet, bout->target));
	if (fleet_signal(bout->stage->fleet, bout->target, SIGTERM, err) != 0 ||
	    fleet_await_end(bout->stage->fleet, bout->target, END_MS, &status, err) != 0 ||
	    undo_add(bout->stage->undo, UNDO_MOUNT, squeeze->folder, err) != 0)
		return -1;
	if (mount("locum-chaos", squeeze->folder, "tmpfs", 0, "size=64k,mode=0700") != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot mount a disk on %s",
				       squeeze->folder);
	squeeze->mounted = true;
	return 0;
}

/* To the last page. */
static int fill_disk(const struct squeeze *squeeze, struct error *err)
{
	static const char PIECE[4096];
	char path[PATH_MAX + 8];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), "%s/filler", squeeze->folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
	while ((written = write(fd, PIECE, sizeof(PIECE))) > 0)
		continue;
	close(fd);
	return written < 0 && errno == ENOSPC
		       ? 0
		       : error_set_errno(err, ERROR_FATAL, errno, "cannot fill %s", path);
}

/* It has to note who it is when it starts. */
static int take_room(struct bout *bout, struct error *err)
{
	struct squeeze *squeeze = begin(bout, DISK, err);
	int status;

	fleet_expect_end(bout->stage->fleet, bout->target);
	if (squeeze == NULL || move_state(bout, squeeze, err) != 0 ||
	    fill_disk(squeeze, err) != 0 ||
	    fleet_start(bout->stage->fleet, bout->target, err) != 0 ||
	    bout_await(bout, misses_room, BITE_MS, "a want of room", err) != 0 ||
	    fleet_await_end(bout->stage->fleet, bout->target, END_MS, &status, err) != 0)
		return -1;
	bout_witness(bout, "dispatcher d%d logged \"%s\" and ended with status %d",
		     bout->target + 1, DISK, WEXITSTATUS(status));
	return 0;
}

static int give_room(struct bout *bout, struct error *err)
{
	struct squeeze *squeeze = bout->own;
	int status;

	if (squeeze == NULL || !squeeze->mounted)
		return 0;
	if (fleet_pid(bout->stage->fleet, bout->target) > 0 &&
	    (fleet_signal(bout->stage->fleet, bout->target, SIGKILL, err) != 0 ||
	     fleet_await_end(bout->stage->fleet, bout->target, END_MS, &status, err) != 0))
		return -1;
	squeeze->mounted = false;
	return undo_now(bout->stage->undo, UNDO_MOUNT, squeeze->folder, err);
}

/* --- a pid that somebody else has --------------------------------------------------------------- */

static int can_choose_pids(struct error *err)
{
	return access("/proc/sys/kernel/ns_last_pid", W_OK) == 0
		       ? 0
		       : error_set(err, ERROR_FATAL, "the kernel does not let pids be chosen");
}

static bool has_begun(struct bout *bout)
{
	struct squeeze *squeeze = bout->own;

	squeeze->handler = run_begun(bout, squeeze->job);
	return squeeze->handler > 0;
}

/* The agent has waited for it, too. */
static bool is_reaped(struct bout *bout)
{
	const struct squeeze *squeeze = bout->own;

	return process_state(squeeze->handler) == '\0';
}

/* Others fork meanwhile: it takes some tries to get that very pid. */
static int become_stranger(struct bout *bout, struct squeeze *squeeze, struct error *err)
{
	const char *const argv[] = { "tail", "-f", "/dev/null", NULL };
	const struct undo_spawn spawn = { .argv = argv };
	char text[24];

	for (int i = 0; i < TRIES && squeeze->stranger == 0; i++) {
		FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "we");
		pid_t pid;

		if (last == NULL)
			return error_set_errno(err, ERROR_FATAL, errno, "cannot choose a pid");
		fprintf(last, "%d", (int)squeeze->handler - 1);
		fclose(last);
		if (undo_spawn(bout->stage->undo, &spawn, &pid, err) != 0)
			return -1;
		snprintf(text, sizeof(text), "%d", (int)pid);
		if (pid == squeeze->handler)
			squeeze->stranger = pid;
		else if (undo_now(bout->stage->undo, UNDO_PROCESS, text, err) != 0)
			return -1;
	}
	return squeeze->stranger > 0 ? 0
				     : error_set(err, ERROR_RETRY, "pid %d could not be had again",
						 (int)squeeze->handler);
}

/* The dispatcher is stopped then, so that its agent kills whatever it thinks is its own. */
static int reuse_pid(struct bout *bout, struct error *err)
{
	struct squeeze *squeeze = begin(bout, NULL, err);
	char payload[64];

	snprintf(payload, sizeof(payload), "{\"work_ms\": %d}", STRANGER_MS);
	if (squeeze == NULL ||
	    load_submit(bout->stage->load, "command", payload, &squeeze->job, err) != 0 ||
	    bout_await(bout, has_begun, BITE_MS, "the start of the job", err) != 0)
		return -1;
	kill(squeeze->handler, SIGKILL);
	if (bout_await(bout, is_reaped, END_MS, "the end of the handler", err) != 0 ||
	    become_stranger(bout, squeeze, err) != 0)
		return -1;
	bout_witness(bout, "pid %d, which a handler of job %" PRId64 " had, is a stranger's",
		     (int)squeeze->stranger, squeeze->job);
	for (int i = 0; i < fleet_size(bout->stage->fleet); i++)
		fleet_signal(bout->stage->fleet, i, SIGSTOP, NULL);
	return 0;
}

/* So long that every fence goes down. */
static int64_t reuse_ms(const struct bout *bout)
{
	return bout->stage->act->intervals.death_ms;
}

static int end_stranger(struct bout *bout, struct error *err)
{
	struct squeeze *squeeze = bout->own;
	char text[24];

	for (int i = 0; i < fleet_size(bout->stage->fleet); i++)
		if (fleet_pid(bout->stage->fleet, i) > 0)
			fleet_signal(bout->stage->fleet, i, SIGCONT, NULL);
	if (squeeze == NULL || squeeze->stranger == 0)
		return 0;
	if (!process_lives(squeeze->stranger))
		bout_broken(bout, "the stranger with pid %d was killed", (int)squeeze->stranger);
	snprintf(text, sizeof(text), "%d", (int)squeeze->stranger);
	squeeze->stranger = 0;
	return undo_now(bout->stage->undo, UNDO_PROCESS, text, err);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

const struct fault fault_limits[] = {
	{
		.row = 11,
		.name = "descriptors-exhausted",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
		.what = "a dispatcher may open nothing more, and its agent is killed",
		.tool = "prlimit",
		.witness = "it logs that it has too many open files",
		.heals = "it may again",
		.pass = "it pings on, and has an agent again by itself",
		.inject = take_descriptors,
		.hold_ms = descriptors_ms,
		.heal = give_descriptors,
	},
	{
		.row = 13,
		.name = "state-disk-full",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
		.what = "the disk of a dispatcher's state is full when it starts",
		.tool = "tmpfs",
		.witness = "it logs that there is no space left, and ends",
		.heals = "it gets its former disk, and is started again",
		.pass = "it takes no job that it could not be told apart by",
		.possible = can_mount,
		.inject = take_room,
		.heal = give_room,
	},
	{
		.row = 17,
		.name = "pid-reused",
		.stage = STAGE_PLAIN,
		.lonely = true,
		.demands = FAULT_NO_OVERLAP,
		.what = "a handler is gone, a stranger gets its pid, and all agents kill their own",
		.tool = "ns_last_pid",
		.witness = "a process that the harness started has the pid",
		.heals = "the dispatchers go on",
		.pass = "the stranger lives",
		.possible = can_choose_pids,
		.inject = reuse_pid,
		.hold_ms = reuse_ms,
		.heal = end_stranger,
	},
	{ 0 },
};
