#include "tools/chaos/faults/victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { END_MS = 20000, STOP_MS = 5000, DEATHS = 10 };

static int64_t patience_ms(const struct bout *bout)
{
	return DEATHS * bout->stage->act->intervals.death_ms;
}

/* --- who it is ---------------------------------------------------------------------------------- */

int victim_look(struct bout *bout, struct error *err)
{
	struct victim *victim = bout->own;
	struct uuid incarnation;

	if (fleet_incarnation(bout->stage->fleet, bout->target, &incarnation, err) != 0)
		return -1;
	victim->pid = fleet_pid(bout->stage->fleet, bout->target);
	uuid_text(incarnation, victim->incarnation);
	return victim->pid > 0 ? 0
			       : error_set(err, ERROR_RETRY, "dispatcher d%d does not run",
					   bout->target + 1);
}

void *victim_take(struct bout *bout, size_t size, struct error *err)
{
	if (bout->own == NULL)
		bout->own = calloc(1, size);
	if (bout->own == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	else if (victim_look(bout, err) == 0)
		return bout->own;
	return NULL;
}

/* --- signals ------------------------------------------------------------------------------------ */

int victim_kill(struct bout *bout, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	int status;

	if (fleet_signal(fleet, bout->target, SIGKILL, err) != 0 ||
	    fleet_await_end(fleet, bout->target, END_MS, &status, err) != 0)
		return -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	return error_set(err, ERROR_RETRY, "dispatcher d%d ended before it was killed (status %d)",
			 bout->target + 1, status);
}

bool victim_is_stopped(struct bout *bout)
{
	const struct victim *victim = bout->own;

	return process_state(victim->pid) == 'T';
}

int victim_stop(struct bout *bout, struct error *err)
{
	if (fleet_signal(bout->stage->fleet, bout->target, SIGSTOP, err) != 0)
		return -1;
	return bout_await(bout, victim_is_stopped, STOP_MS, "the dispatcher stands still", err);
}

void victim_let_go(struct bout *bout)
{
	if (fleet_pid(bout->stage->fleet, bout->target) > 0)
		fleet_signal(bout->stage->fleet, bout->target, SIGCONT, NULL);
}

/* --- what becomes of it ------------------------------------------------------------------------- */

static int64_t count(struct bout *bout, const char *statement)
{
	const struct victim *victim = bout->own;
	const char *const params[] = { victim->incarnation };
	int64_t number;

	if (server_run(bout->stage->server, statement, params, 1, &number, NULL) != 0)
		return -1;
	return number;
}

bool victim_is_dead(struct bout *bout)
{
	return count(bout, "death_count") > 0;
}

bool victim_has_no_claim(struct bout *bout)
{
	return count(bout, "claim_count") == 0;
}

bool victim_is_back(struct bout *bout)
{
	const struct victim *victim = bout->own;
	char pid[24];
	const char *const params[] = { pid, victim->incarnation };
	int64_t lives;

	snprintf(pid, sizeof(pid), "%d", (int)fleet_pid(bout->stage->fleet, bout->target));
	return server_run(bout->stage->server, "life_count", params, 2, &lives, NULL) == 0 &&
	       lives > 0;
}

int victim_await_death(struct bout *bout, struct error *err)
{
	return bout_await(bout, victim_is_dead, patience_ms(bout), "its death", err);
}

int victim_await_return(struct bout *bout, struct error *err)
{
	return bout_await(bout, victim_is_back, END_MS + patience_ms(bout), "its return", err);
}

int64_t victim_reclaim_ms(const struct bout *bout)
{
	const struct plan_intervals *intervals = &bout->stage->act->intervals;

	return 2 * intervals->scan_ms + intervals->poll_ms;
}

int64_t victim_no_ms(const struct bout *bout)
{
	(void)bout;
	return 0;
}
