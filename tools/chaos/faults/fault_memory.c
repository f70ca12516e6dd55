/* Memory that ends: for a dispatcher, and for a handler. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/chaos/faults/jail.h"
#include "tools/chaos/faults/run_begun.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/play/burden.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 30000, LARGE_MOST = 64, LARGE_SIZE = 1000000, PAYLOAD_SIZE = LARGE_SIZE + 64 };
static const char DISPATCHER_LIMIT[] = "131072";
static const char HANDLER_LIMIT[] = "67108864"; /* a quarter of what "swell" takes */

/* --- a dispatcher that gets no more ------------------------------------------------------------- */

/* bout->own. */
struct starveling {
	struct victim victim;
	int complaints; /* that its log held before */
	int large;      /* jobs with a large payload that were submitted meanwhile */
};

/* How much data it has now, in bytes; 0 when it is gone. What it may map is not limited: that would let it use what it has
 * mapped and not touched. */
static rlim_t data_bytes(pid_t pid)
{
	static const char NAME[] = "VmData:";
	char path[64];
	unsigned long long kilobytes = 0;
	char line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && kilobytes == 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, NAME, strlen(NAME)) == 0)
			kilobytes = strtoull(line + strlen(NAME), NULL, 10);
	if (file != NULL)
		fclose(file);
	return (rlim_t)kilobytes * 1024;
}

static int limit(pid_t pid, rlim_t bytes, struct error *err)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	if (prlimit(pid, RLIMIT_DATA, &limit, NULL) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot limit the memory of %d",
				       (int)pid);
	return 0;
}

static int complaints(const struct bout *bout)
{
	return fleet_logged(bout->stage->fleet, bout->target, "out of memory") +
	       fleet_logged(bout->stage->fleet, bout->target, "annot allocate memory");
}

/* Whoever runs it needs room for its payload. */
static void submit_large(struct bout *bout)
{
	char *payload = malloc(PAYLOAD_SIZE);
	struct error err;
	int64_t job;

	if (payload != NULL) {
		snprintf(payload, PAYLOAD_SIZE, "{\"work_us\":100,\"pad\":\"%0*d\"}", LARGE_SIZE,
			 0);
		load_submit(bout->stage->load, "plugin", payload, &job, &err);
	}
	free(payload);
}

/* The memory of a corpse's reaper may be there already, from another's. */
static bool has_felt_it(struct bout *bout)
{
	struct starveling *starveling = bout->own;

	if (complaints(bout) > starveling->complaints || !process_lives(starveling->victim.pid))
		return true;
	if (starveling->large++ < LARGE_MOST)
		submit_large(bout);
	return false;
}

/* A corpse makes work that needs memory: a thread with a connection of its own. */
static int kill_another(struct bout *bout, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	int another = (bout->target + 1) % fleet_size(fleet);
	int status;

	if (another == bout->target)
		return error_set(err, ERROR_RETRY, "there is one dispatcher only");
	if (fleet_signal(fleet, another, SIGKILL, err) != 0)
		return -1;
	return fleet_await_end(fleet, another, BITE_MS, &status, err);
}

/* One that has just begun has nothing to spare. */
static int renew(struct bout *bout, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	int status;

	if (fleet_signal(fleet, bout->target, SIGTERM, err) != 0 ||
	    fleet_await_end(fleet, bout->target, BITE_MS, &status, err) != 0 ||
	    fleet_start(fleet, bout->target, err) != 0 || victim_await_return(bout, err) != 0)
		return -1;
	return victim_look(bout, err);
}

static int give_no_memory(struct bout *bout, struct error *err)
{
	struct starveling *starveling = victim_take(bout, sizeof(*starveling), err);

	if (starveling == NULL || renew(bout, err) != 0)
		return -1;
	fleet_expect_end(bout->stage->fleet, bout->target);
	starveling->complaints = complaints(bout);
	if (limit(starveling->victim.pid, data_bytes(starveling->victim.pid), err) != 0 ||
	    kill_another(bout, err) != 0 ||
	    bout_await(bout, has_felt_it, BITE_MS, "a want of memory", err) != 0)
		return -1;
	bout_witness(bout, "process %d %s when it could have no more memory",
		     (int)starveling->victim.pid,
		     process_lives(starveling->victim.pid) ? "complained" : "ended");
	return 0;
}

static int give_memory(struct bout *bout, struct error *err)
{
	const struct starveling *starveling = bout->own;

	if (starveling == NULL || !process_lives(starveling->victim.pid))
		return 0;
	return limit(starveling->victim.pid, RLIM_INFINITY, err);
}

/* --- a handler that takes too much -------------------------------------------------------------- */

/* bout->own. */
struct hog {
	struct jail jail;
	int64_t job;
	pid_t pid;
};

static int can_limit(struct error *err)
{
	return jail_possible("memory", err);
}

static bool has_begun(struct bout *bout)
{
	struct hog *hog = bout->own;

	hog->pid = run_begun(bout, hog->job);
	return hog->pid > 0;
}

static bool was_killed(struct bout *bout)
{
	const struct hog *hog = bout->own;

	return jail_count(&hog->jail, "memory.oom_control", "oom_kill") > 0 &&
	       !process_lives(hog->pid);
}

/* It works for a while before it takes the memory, and is caught meanwhile. Its next run is not. */
static int feed_hog(struct bout *bout, struct error *err)
{
	struct hog *hog = bout->own = calloc(1, sizeof(*hog));

	if (hog == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (jail_make(&hog->jail, bout, "memory", err) != 0 ||
	    jail_set(&hog->jail, "memory.limit_in_bytes", HANDLER_LIMIT, err) != 0 ||
	    load_submit(bout->stage->load, "command", "{\"work_ms\": 1500, \"fail\": \"swell\"}",
			&hog->job, err) != 0 ||
	    bout_await(bout, has_begun, BITE_MS, "the start of the job", err) != 0 ||
	    jail_take(&hog->jail, hog->pid, err) != 0 ||
	    bout_await(bout, was_killed, BITE_MS, "the end of the handler", err) != 0)
		return -1;
	bout_witness(bout, "the kernel killed handler %d of job %" PRId64 " for want of memory",
		     (int)hog->pid, hog->job);
	return 0;
}

static int forget_hog(struct bout *bout, struct error *err)
{
	struct hog *hog = bout->own;

	return hog == NULL ? 0 : jail_open(&hog->jail, bout, err);
}

/* --- a dispatcher that the kernel kills --------------------------------------------------------- */

/* bout->own. */
struct doomed {
	struct victim victim;
	struct jail jail;
	int large; /* jobs with a large payload that were submitted meanwhile */
};

static bool is_doomed(struct bout *bout)
{
	struct doomed *doomed = bout->own;

	if (jail_count(&doomed->jail, "memory.oom_control", "oom_kill") > 0 &&
	    !process_lives(doomed->victim.pid))
		return true;
	if (doomed->large++ < LARGE_MOST)
		submit_large(bout);
	return false;
}

/* What it has is not counted there, what it takes from now on is. */
static int doom(struct bout *bout, struct error *err)
{
	struct doomed *doomed = victim_take(bout, sizeof(*doomed), err);
	int status;

	fleet_expect_end(bout->stage->fleet, bout->target);
	if (doomed == NULL || renew(bout, err) != 0)
		return -1;
	burden_lay(bout->stage, bout->target, -1); /* what it had, others have by now */
	if (jail_make(&doomed->jail, bout, "memory", err) != 0 ||
	    jail_set(&doomed->jail, "memory.limit_in_bytes", DISPATCHER_LIMIT, err) != 0 ||
	    jail_take(&doomed->jail, doomed->victim.pid, err) != 0 ||
	    bout_await(bout, is_doomed, BITE_MS, "the end of the dispatcher", err) != 0 ||
	    fleet_await_end(bout->stage->fleet, bout->target, BITE_MS, &status, err) != 0)
		return -1;
	bout_witness(bout, "the kernel killed dispatcher %d for want of memory",
		     (int)doomed->victim.pid);
	return victim_await_death(bout, err);
}

static int forget_doom(struct bout *bout, struct error *err)
{
	struct doomed *doomed = bout->own;

	return doomed == NULL ? 0 : jail_open(&doomed->jail, bout, err);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

const struct fault fault_memory[] = {
	{
		.row = 9,
		.name = "memory-limited",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_OVERLAP,
		.what = "a dispatcher can have no more memory than it has, while another is killed "
			"and large jobs come",
		.tool = "prlimit",
		.witness = "its log says that memory ended, or it ends",
		.heals = "it can have memory again",
		.pass = "no claim is left behind",
		.inject = give_no_memory,
		.heal = give_memory,
	},
	{
		.row = 10,
		.name = "handler-oom",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH,
		.what = "a handler takes more memory than there is, and the kernel kills it",
		.tool = "the memory cgroup",
		.witness = "the kernel counts the kill, and the process is gone",
		.heals = "nothing has to be",
		.pass = "the run counts as crashed, and the job is done by another",
		.possible = can_limit,
		.inject = feed_hog,
		.heal = forget_hog,
	},
	{
		.row = 10,
		.name = "dispatcher-oom",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "a dispatcher takes more memory than there is, for large jobs come, and the "
			"kernel kills it",
		.tool = "the memory cgroup",
		.witness = "the kernel counts the kill, and the process is gone",
		.heals = "it is started again",
		.pass = "siblings have its jobs within D + 2S, and its handlers are gone",
		.possible = can_limit,
		.inject = doom,
		.hold_ms = victim_reclaim_ms,
		.heal = forget_doom,
	},
	{ 0 },
};
