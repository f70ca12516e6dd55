/* Harm to one dispatcher: signals to it and to its agent. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { DRAIN_MS = 15000, AGENT_MS = 20000, FLAPS = 3, TAKEOVER_MS = 1000, CLAIMS_MS = 60000 };

/* --- killed ------------------------------------------------------------------------------------- */

static int kill_dispatcher(struct bout *bout, struct error *err)
{
	const struct victim *victim = victim_take(bout, sizeof(*victim), err);

	if (victim == NULL || victim_kill(bout, err) != 0)
		return -1;
	if (victim_await_death(bout, err) != 0)
		return -1;
	bout_witness(bout, "process %d is gone, and its incarnation %s was declared dead",
		     (int)victim->pid, victim->incarnation);
	return 0;
}

struct agent_victim {
	struct victim victim;
	pid_t agent;
};

static int take_agent(struct bout *bout, struct agent_victim **taken, struct error *err)
{
	*taken = victim_take(bout, sizeof(**taken), err);
	if (*taken == NULL)
		return -1;
	(*taken)->agent = fleet_agent(bout->stage->fleet, bout->target);
	return (*taken)->agent > 0 ? 0
				   : error_set(err, ERROR_RETRY, "dispatcher d%d has no agent",
					       bout->target + 1);
}

static bool has_another_agent(struct bout *bout)
{
	const struct agent_victim *victim = bout->own;
	pid_t agent = fleet_agent(bout->stage->fleet, bout->target);

	return agent > 0 && agent != victim->agent && !process_lives(victim->agent);
}

static int kill_agent(struct bout *bout, struct error *err)
{
	struct agent_victim *victim;

	if (take_agent(bout, &victim, err) != 0)
		return -1;
	kill(victim->agent, SIGKILL);
	if (bout_await(bout, has_another_agent, AGENT_MS, "another agent", err) != 0)
		return -1;
	bout_witness(bout, "agent %d is gone, and another runs in its place", (int)victim->agent);
	return 0;
}

/* The agent first: it would end its handlers in good order when its dispatcher is gone. */
static int kill_worker(struct bout *bout, struct error *err)
{
	struct agent_victim *victim;

	if (take_agent(bout, &victim, err) != 0)
		return -1;
	kill(victim->victim.pid, SIGSTOP);
	kill(victim->agent, SIGKILL);
	if (victim_kill(bout, err) != 0 || victim_await_death(bout, err) != 0)
		return -1;
	if (!process_lives(victim->agent))
		bout_witness(bout,
			     "dispatcher %d and agent %d are gone, and the incarnation was "
			     "declared dead",
			     (int)victim->victim.pid, (int)victim->agent);
	return 0;
}

/* --- drained ------------------------------------------------------------------------------------ */

static int drain(struct bout *bout, struct error *err)
{
	const struct victim *victim = victim_take(bout, sizeof(*victim), err);
	int64_t began_ms = clock_monotonic_ms();
	int status;

	if (victim == NULL || fleet_signal(bout->stage->fleet, bout->target, SIGTERM, err) != 0 ||
	    fleet_await_end(bout->stage->fleet, bout->target, DRAIN_MS, &status, err) != 0)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		bout_broken(bout, "the dispatcher that was to drain ended with status %d", status);
		return error_set(err, ERROR_FATAL, "it ended with status %d", status);
	}
	bout_witness(bout, "process %d exited with 0 after %" PRId64 " ms", (int)victim->pid,
		     clock_monotonic_ms() - began_ms);
	return 0;
}

/* --- stopped ------------------------------------------------------------------------------------ */

static int stop_until_dead(struct bout *bout, struct error *err)
{
	const struct victim *victim = victim_take(bout, sizeof(*victim), err);

	if (victim == NULL || victim_stop(bout, err) != 0 || victim_await_death(bout, err) != 0)
		return -1;
	if (victim_is_stopped(bout))
		bout_witness(bout, "process %d was stopped while %s was declared dead",
			     (int)victim->pid, victim->incarnation);
	return 0;
}

static int let_go(struct bout *bout, struct error *err)
{
	(void)err;
	victim_let_go(bout);
	return 0;
}

struct paused {
	struct victim victim;
	int64_t began_ms;
};

static int pause_it(struct bout *bout, struct error *err)
{
	struct paused *paused = victim_take(bout, sizeof(*paused), err);

	if (paused == NULL)
		return -1;
	paused->began_ms = clock_monotonic_ms();
	return victim_stop(bout, err);
}

/* What its fence allows, counted from a ping that is one interval old. */
static int64_t allowed_ms(const struct bout *bout)
{
	const struct plan_intervals *intervals = &bout->stage->act->intervals;

	return intervals->death_ms - intervals->margin_ms - intervals->grace_ms -
	       intervals->ping_ms;
}

static int64_t pause_ms(const struct bout *bout)
{
	return allowed_ms(bout) / 2;
}

/* On a machine that stands still now and then it may have lasted longer. */
static int end_pause(struct bout *bout, struct error *err)
{
	const struct paused *paused = bout->own;
	bool stopped = paused != NULL && victim_is_stopped(bout);
	int status = let_go(bout, err);
	int64_t past_ms = stopped ? clock_monotonic_ms() - paused->began_ms : 0;

	if (past_ms >= allowed_ms(bout))
		bout_late(bout);
	else if (stopped)
		bout_witness(bout, "process %d was still stopped after %" PRId64 " ms",
			     (int)paused->victim.pid, past_ms);
	return status;
}

/* --- stopped with all that came of it ----------------------------------------------------------- */

/* Twice: a child may be born while the first are stopped. */
static int stop_tree(struct bout *bout, struct error *err)
{
	struct agent_victim *victim;

	if (take_agent(bout, &victim, err) != 0 ||
	    fleet_signal_all(bout->stage->fleet, bout->target, SIGSTOP, err) != 0 ||
	    fleet_signal_all(bout->stage->fleet, bout->target, SIGSTOP, err) != 0 ||
	    victim_await_death(bout, err) != 0)
		return -1;
	if (victim_is_stopped(bout) && process_stands(victim->agent))
		bout_witness(
			bout, "dispatcher %d and agent %d were stopped while %s was declared dead",
			(int)victim->victim.pid, (int)victim->agent, victim->victim.incarnation);
	return 0;
}

static int let_tree_go(struct bout *bout, struct error *err)
{
	if (fleet_pid(bout->stage->fleet, bout->target) == 0)
		return 0;
	return fleet_signal_all(bout->stage->fleet, bout->target, SIGCONT, err);
}

/* --- flapping ----------------------------------------------------------------------------------- */

static int flap(struct bout *bout, struct error *err)
{
	const struct victim *victim = victim_take(bout, sizeof(*victim), err);

	if (victim == NULL)
		return -1;
	for (int i = 0; i < FLAPS; i++) {
		if (victim_stop(bout, err) != 0 || victim_await_death(bout, err) != 0)
			return -1;
		victim_let_go(bout);
		if (victim_await_return(bout, err) != 0)
			return -1;
		bout_witness(bout,
			     "%s was declared dead while its process was stopped, and came back",
			     victim->incarnation);
		if (victim_look(bout, err) != 0)
			return -1;
	}
	return 0;
}

/* --- restarted ---------------------------------------------------------------------------------- */

/* Its former claims are its own business: nobody waits for its death. */
static int restart(struct bout *bout, struct error *err)
{
	const struct victim *victim = victim_take(bout, sizeof(*victim), err);
	int64_t began_ms;
	int64_t took_ms;

	if (victim == NULL || victim_kill(bout, err) != 0 ||
	    fleet_start(bout->stage->fleet, bout->target, err) != 0 ||
	    victim_await_return(bout, err) != 0)
		return -1;
	bout_witness(bout, "process %d is gone, and %d is registered in its place",
		     (int)victim->pid, (int)fleet_pid(bout->stage->fleet, bout->target));
	began_ms = clock_monotonic_ms();
	if (bout_await(bout, victim_has_no_claim, CLAIMS_MS, "the return of its claims", err) != 0)
		return -1;
	took_ms = clock_monotonic_ms() - began_ms - bout->stalled_ms;
	if (bout->paired || took_ms <= TAKEOVER_MS)
		return 0;
	bout_broken(bout, "the claims of %s were back %" PRId64 " ms after it was registered again",
		    victim->incarnation, took_ms);
	return error_set(err, ERROR_FATAL, "its claims came back late");
}

/* --- the catalogue ------------------------------------------------------------------------------ */

const struct fault fault_dispatcher[] = {
	{
		.row = 1,
		.name = "dispatcher-killed",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "a dispatcher is killed with SIGKILL",
		.tool = "kill",
		.witness = "the process is gone, and its death certificate is there",
		.heals = "it is started again",
		.pass = "siblings have its jobs within D + 2S",
		.inject = kill_dispatcher,
		.hold_ms = victim_reclaim_ms,
	},
	{
		.row = 1,
		.name = "agent-killed",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
		.what = "an agent is killed with SIGKILL",
		.tool = "kill",
		.witness = "the process is gone, and another is there",
		.heals = "its dispatcher starts another by itself",
		.pass = "its jobs come back at once, and nobody is declared dead",
		.inject = kill_agent,
	},
	{
		.row = 1,
		.name = "worker-killed",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "a dispatcher and its agent are killed with SIGKILL at once",
		.tool = "kill",
		.witness = "both processes are gone, and the death certificate is there",
		.heals = "it is started again",
		.pass = "siblings have its jobs within D + 2S",
		.inject = kill_worker,
		.hold_ms = victim_reclaim_ms,
	},
	{
		.row = 3,
		.name = "dispatcher-drained",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
		.what = "a dispatcher gets SIGTERM while it has jobs",
		.tool = "kill",
		.witness = "it exits with 0",
		.heals = "it is started again",
		.pass = "it keeps pinging to the end, and ends within its drain_timeout and 10 s",
		.inject = drain,
	},
	{
		.row = 4,
		.name = "dispatcher-stopped",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "a dispatcher is stopped until it was declared dead, then goes on",
		.tool = "kill",
		.witness = "its state is T while the death certificate is written",
		.heals = "SIGCONT",
		.pass = "its agent has killed its handlers before; nothing late is accepted",
		.inject = stop_until_dead,
		.hold_ms = victim_reclaim_ms,
		.heal = let_go,
	},
	{
		.row = 5,
		.name = "dispatcher-paused",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT | FAULT_NO_OVERLAP,
		.what = "a dispatcher is stopped for less than its fence allows",
		.tool = "kill",
		.witness = "its state is T to the end",
		.heals = "SIGCONT",
		.pass = "nothing happens",
		.punctual = true,
		.inject = pause_it,
		.hold_ms = pause_ms,
		.heal = end_pause,
	},
	{
		.row = 6,
		.name = "tree-stopped",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_OVERLAP_100MS,
		.what = "a dispatcher, its agent and its handlers are stopped until it was declared "
			"dead",
		.tool = "kill",
		.witness =
			"the states of dispatcher and agent are T while the death certificate is "
			"written",
		.heals = "SIGCONT",
		.pass = "handlers end within 100 ms of the thaw; nothing late is accepted",
		.inject = stop_tree,
		.hold_ms = victim_reclaim_ms,
		.heal = let_tree_go,
	},
	{
		.row = 7,
		.name = "dispatcher-flapping",
		.stage = STAGE_PLAIN,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "a dispatcher is stopped until it was declared dead and let go, three times",
		.tool = "kill",
		.witness = "each death certificate, and each return",
		.heals = "SIGCONT",
		.pass = "others get on",
		.inject = flap,
		.hold_ms = victim_no_ms,
		.heal = let_go,
	},
	{
		.row = 18,
		.name = "dispatcher-restarted",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_OVERLAP,
		.what = "a dispatcher is killed with SIGKILL and started again at once",
		.tool = "kill",
		.witness = "another process is registered under its id",
		.heals = "nothing has to be",
		.pass = "its former claims are back within a second of its return",
		.inject = restart,
	},
	{ 0 },
};
