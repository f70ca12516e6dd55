/* Requests that the server has, and does not get on with, while their dispatcher is declared dead. */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 20000, DEATHS = 5 };

struct hold {
	char incarnation[UUID_TEXT_SIZE];
	bool stopped;
	int64_t until_ms; /* pings are held */
};

static int count(struct bout *bout, const char *statement, int64_t *number, struct error *err)
{
	const struct hold *hold = bout->own;
	const char *params[] = { hold->incarnation };

	return server_run(bout->stage->server, statement, params, 1, number, err);
}

static bool is_held(struct bout *bout)
{
	int64_t waiting;

	return count(bout, "hold_waiting", &waiting, NULL) == 0 && waiting > 0;
}

static bool is_dead(struct bout *bout)
{
	int64_t deaths;

	return count(bout, "death_count", &deaths, NULL) == 0 && deaths > 0;
}

/* For half a death interval no ping was acknowledged. */
static bool is_silent(struct bout *bout)
{
	int64_t silent_ms;

	return count(bout, "hold_silence", &silent_ms, NULL) == 0 &&
	       silent_ms >= bout->stage->act->intervals.death_ms / 2;
}

static int hold(struct bout *bout, const char *what, struct error *err)
{
	const struct hold *own = bout->own;
	const char *params[] = { own->incarnation, what };

	return server_run(bout->stage->server, "hold_one", params, 2, NULL, err);
}

static int install(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;
	struct hold *own = calloc(1, sizeof(*own));
	struct uuid incarnation;

	bout->own = own;
	if (own == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (fleet_incarnation(bout->stage->fleet, bout->target, &incarnation, err) != 0)
		return -1;
	uuid_text(incarnation, own->incarnation);
	if (server_script(server, "hold_install", err) != 0)
		return -1;
	return server_run(server, "hold_lock", NULL, 0, NULL, err);
}

/* Pings end first: a statement that began just after one would be given up before the death. */
static int inject(struct bout *bout, const char *what, struct error *err)
{
	int64_t death_ms = bout->stage->act->intervals.death_ms;
	struct hold *own;

	if (install(bout, err) != 0 || hold(bout, "pings", err) != 0 ||
	    bout_await(bout, is_silent, DEATHS * death_ms, "no ping is acknowledged", err) != 0 ||
	    hold(bout, what, err) != 0 ||
	    bout_await(bout, is_held, BITE_MS, "a statement of the dispatcher waits", err) != 0)
		return -1;
	own = bout->own;
	if (fleet_signal(bout->stage->fleet, bout->target, SIGSTOP, err) != 0)
		return -1;
	own->stopped = true;
	return bout_await(bout, is_dead, DEATHS * death_ms,
			  "the stopped dispatcher is declared dead", err);
}

static int inject_claim(struct bout *bout, struct error *err)
{
	if (inject(bout, "claims", err) != 0)
		return -1;
	bout_witness(bout,
		     "a claim of dispatcher d%d waited inside the server when it was stopped, "
		     "and the dispatcher was declared dead",
		     bout->target + 1);
	return 0;
}

static int inject_completion(struct bout *bout, struct error *err)
{
	if (inject(bout, "completions", err) != 0)
		return -1;
	if (!is_held(bout))
		return 0; /* it was ended: nothing comes late, and there is nothing to witness */
	bout_witness(bout,
		     "a completion of dispatcher d%d still waited inside the server when the "
		     "dispatcher was declared dead",
		     bout->target + 1);
	return 0;
}

/* Until its jobs are with others; the server gives a statement up a death interval after its begin. */
static int64_t hold_ms(const struct bout *bout)
{
	const struct plan_intervals *intervals = &bout->stage->act->intervals;

	return intervals->poll_ms + intervals->scan_ms + intervals->death_ms / 8;
}

static bool is_late(struct bout *bout)
{
	const struct hold *hold = bout->own;

	return clock_monotonic_ms() >= hold->until_ms && !is_held(bout);
}

/* The dispatcher hears what became of its request before a ping tells it that it is dead. */
static int let_go(struct bout *bout, struct error *err)
{
	struct hold *hold = bout->own;

	if (server_run(bout->stage->server, "hold_release", NULL, 0, NULL, err) != 0 ||
	    fleet_signal(bout->stage->fleet, bout->target, SIGCONT, err) != 0)
		return -1;
	hold->until_ms = clock_monotonic_ms() + bout->stage->act->intervals.death_ms / 8;
	return bout_await(bout, is_late, BITE_MS, "the end of what was held", err);
}

static int heal(struct bout *bout, struct error *err)
{
	struct hold *hold = bout->own;
	struct error later = { ERROR_NONE, "", "" };
	int status = hold != NULL && hold->stopped ? let_go(bout, err) : 0;

	if (server_run(bout->stage->server, "hold_unlock", NULL, 0, NULL, &later) != 0)
		status = error_set(err, later.kind, "%s", later.text);
	if (server_script(bout->stage->server, "hold_remove", &later) != 0)
		status = error_set(err, later.kind, "%s", later.text);
	return status;
}

const struct fault fault_held[] = {
	{
		.row = 51,
		.name = "completion-held-over-death",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_OVERLAP,
		.what = "a completion waits inside the server until its dispatcher is dead and its "
			"jobs are with others, and goes on then",
		.tool = "a trigger and an advisory lock",
		.witness = "the backend still waits for the lock when the death is declared",
		.heals = "the lock is let go; the dispatcher goes on",
		.pass = "the late completion is not accepted",
		.inject = inject_completion,
		.hold_ms = hold_ms,
		.heal = heal,
	},
	{
		.row = 51,
		.name = "claim-held-over-death",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_OVERLAP,
		.what = "a claim waits inside the server, with all its locks, while its dispatcher is "
			"silent for longer than its death interval",
		.tool = "a trigger and an advisory lock",
		.witness = "the backend waited for the lock, and the death was declared",
		.heals = "the lock is let go; the dispatcher goes on",
		.pass = "no claim of the dead dispatcher is committed after its death",
		.inject = inject_claim,
		.hold_ms = hold_ms,
		.heal = heal,
	},
	{ 0 },
};
