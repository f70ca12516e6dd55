/* Harm to the machine that a dispatcher runs on: it freezes, starves, forks no more, sleeps. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/chaos/faults/jail.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 20000, STOP_MS = 5000, STARVED_US = 5000, PERIOD_US = 100000 };

/* bout->own. */
struct inmate {
	struct victim victim;
	struct jail jail;
	int64_t count; /* what a counter of the jail said before */
};

/* Puts the target, and what came of it, into a jail. */
static struct inmate *imprison(struct bout *bout, const char *controller, struct error *err)
{
	struct inmate *inmate = victim_take(bout, sizeof(*inmate), err);

	if (inmate == NULL || jail_make(&inmate->jail, bout, controller, err) != 0 ||
	    jail_take_tree(&inmate->jail, inmate->victim.pid, err) != 0)
		return NULL;
	return inmate;
}

static int release(struct bout *bout, struct error *err)
{
	struct inmate *inmate = bout->own;

	return inmate == NULL ? 0 : jail_open(&inmate->jail, bout, err);
}

/* --- frozen ------------------------------------------------------------------------------------- */

static int can_freeze(struct error *err)
{
	return jail_possible("freezer", err);
}

static bool is_frozen(struct bout *bout)
{
	const struct inmate *inmate = bout->own;

	return jail_says(&inmate->jail, "freezer.state", "FROZEN");
}

static int freeze(struct bout *bout, struct error *err)
{
	struct inmate *inmate = imprison(bout, "freezer", err);

	if (inmate == NULL || jail_set(&inmate->jail, "freezer.state", "FROZEN", err) != 0 ||
	    bout_await(bout, is_frozen, STOP_MS, "the freeze", err) != 0 ||
	    victim_await_death(bout, err) != 0)
		return -1;
	if (is_frozen(bout))
		bout_witness(bout,
			     "the freezer of process %d said FROZEN while %s was declared dead",
			     (int)inmate->victim.pid, inmate->victim.incarnation);
	return 0;
}

static int thaw(struct bout *bout, struct error *err)
{
	const struct inmate *inmate = bout->own;

	if (inmate != NULL && inmate->jail.path[0] != '\0' &&
	    jail_set(&inmate->jail, "freezer.state", "THAWED", err) != 0)
		return -1;
	return release(bout, err);
}

/* --- starved ------------------------------------------------------------------------------------ */

static int can_starve(struct error *err)
{
	return jail_possible("cpu", err);
}

static int starve(struct bout *bout, struct error *err)
{
	struct inmate *inmate = imprison(bout, "cpu", err);
	char text[24];

	if (inmate == NULL)
		return -1;
	snprintf(text, sizeof(text), "%d", PERIOD_US);
	if (jail_set(&inmate->jail, "cpu.cfs_period_us", text, err) != 0)
		return -1;
	snprintf(text, sizeof(text), "%d", STARVED_US);
	return jail_set(&inmate->jail, "cpu.cfs_quota_us", text, err);
}

static int64_t starve_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int feed(struct bout *bout, struct error *err)
{
	const struct inmate *inmate = bout->own;
	int64_t throttled = inmate == NULL || inmate->jail.path[0] == '\0'
				    ? 0
				    : jail_count(&inmate->jail, "cpu.stat", "nr_throttled");

	if (throttled > 0)
		bout_witness(bout,
			     "process %d and what came of it had to wait for the CPU in %" PRId64
			     " periods",
			     (int)inmate->victim.pid, throttled);
	return release(bout, err);
}

/* --- no more processes -------------------------------------------------------------------------- */

static int can_limit_processes(struct error *err)
{
	return jail_possible("pids", err);
}

static bool has_refused(struct bout *bout)
{
	const struct inmate *inmate = bout->own;

	return jail_count(&inmate->jail, "pids.events", "max") > inmate->count;
}

static int forbid_forks(struct bout *bout, struct error *err)
{
	struct inmate *inmate = imprison(bout, "pids", err);

	if (inmate == NULL)
		return -1;
	inmate->count = jail_count(&inmate->jail, "pids.events", "max");
	if (jail_set(&inmate->jail, "pids.max", "1", err) != 0 ||
	    bout_await(bout, has_refused, BITE_MS, "a fork that fails", err) != 0)
		return -1;
	bout_witness(bout, "the kernel refused %" PRId64 " forks of process %d and what came of it",
		     jail_count(&inmate->jail, "pids.events", "max"), (int)inmate->victim.pid);
	return 0;
}

/* --- asleep ------------------------------------------------------------------------------------- */

static void signal_server(const struct bout *bout, int number)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = process_tree(server_pid(bout->stage->server), pids, PROCESS_TREE_MAX);

	for (size_t i = 0; i < count; i++)
		kill(pids[i], number);
}

static void signal_fleet(const struct bout *bout, int number)
{
	struct fleet *fleet = bout->stage->fleet;

	for (int i = 0; i < fleet_size(fleet); i++)
		if (fleet_pid(fleet, i) > 0)
			fleet_signal_all(fleet, i, number, NULL);
}

static bool are_asleep(struct bout *bout)
{
	struct fleet *fleet = bout->stage->fleet;

	for (int i = 0; i < fleet_size(fleet); i++)
		if (fleet_pid(fleet, i) > 0 && (!process_stands(fleet_pid(fleet, i)) ||
						!process_stands(fleet_agent(fleet, i))))
			return false;
	return process_stands(server_pid(bout->stage->server));
}

static int fall_asleep(struct bout *bout, struct error *err)
{
	signal_fleet(bout, SIGSTOP);
	signal_server(bout, SIGSTOP);
	signal_fleet(bout, SIGSTOP);
	signal_server(bout, SIGSTOP);
	return bout_await(bout, are_asleep, STOP_MS, "the sleep of all", err);
}

static int64_t sleep_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int wake_up(struct bout *bout, struct error *err)
{
	(void)err;
	if (are_asleep(bout))
		bout_witness(bout, "the server, %d dispatchers and their agents were all stopped",
			     fleet_size(bout->stage->fleet));
	signal_server(bout, SIGCONT);
	signal_fleet(bout, SIGCONT);
	return 0;
}

/* --- the catalogue ------------------------------------------------------------------------------ */

const struct fault fault_host[] = {
	{
		.row = 6,
		.name = "tree-frozen",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_OVERLAP_100MS,
		.what = "a dispatcher, its agent and its handlers are frozen until it was declared "
			"dead",
		.tool = "the freezer cgroup",
		.witness = "the freezer says FROZEN while the death certificate is written",
		.heals = "they are thawed",
		.pass = "handlers end within 100 ms of the thaw; nothing late is accepted",
		.possible = can_freeze,
		.inject = freeze,
		.hold_ms = victim_reclaim_ms,
		.heal = thaw,
	},
	{
		.row = 8,
		.name = "cpu-starved",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "a dispatcher, its agent and its handlers get a twentieth of one CPU",
		.tool = "the cpu cgroup",
		.witness = "the kernel counts periods in which they had to wait",
		.heals = "they get what they want",
		.pass = "nobody is declared dead",
		.possible = can_starve,
		.inject = starve,
		.hold_ms = starve_ms,
		.heal = feed,
	},
	{
		.row = 12,
		.name = "fork-fails",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_ATTEMPT,
		.what = "an agent can start no process any more",
		.tool = "the pids cgroup",
		.witness = "the kernel counts forks that it refused",
		.heals = "it may again",
		.pass = "jobs are handed back and no run of theirs is counted",
		.possible = can_limit_processes,
		.inject = forbid_forks,
		.heal = release,
	},
	{
		.row = 15,
		.name = "host-suspended",
		.stage = STAGE_PLAIN,
		.lonely = true,
		.demands = FAULT_NO_DEATH | FAULT_OWNS_SERVER,
		.what = "the server and the whole fleet stand still for two death intervals, as when "
			"the machine sleeps",
		.tool = "kill",
		.witness = "the states of server, dispatchers and agents are T to the end",
		.heals = "SIGCONT to all",
		.pass = "nobody is declared dead by those who slept too",
		.inject = fall_asleep,
		.hold_ms = sleep_ms,
		.heal = wake_up,
	},
	{ 0 },
};
