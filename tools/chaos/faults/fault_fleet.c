/* Harm to many dispatchers at once, and by too many. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tools/chaos/faults/crowd.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/stage.h"

enum { END_MS = 60000, HERD = 12, READY_MS = 60000, DEATHS = 20, LIST_SIZE = 4096 };

/* --- mass death --------------------------------------------------------------------------------- */

struct massacre {
	int killed;
	char incarnations[LIST_SIZE]; /* as an array of the database's */
};

static bool are_dead(struct bout *bout)
{
	const struct massacre *massacre = bout->own;
	const char *const params[] = { massacre->incarnations };
	int64_t dead;

	return server_run(bout->stage->server, "dead_among", params, 1, &dead, NULL) == 0 &&
	       dead == massacre->killed;
}

static bool are_reclaimed(struct bout *bout)
{
	int64_t claims;

	return server_run(bout->stage->server, "dead_claims", NULL, 0, &claims, NULL) == 0 &&
	       claims == 0;
}

static int list_one(struct bout *bout, struct massacre *massacre, int place, size_t *used,
		    struct error *err)
{
	struct uuid incarnation;
	char text[UUID_TEXT_SIZE];

	if (fleet_incarnation(bout->stage->fleet, place, &incarnation, err) != 0)
		return -1;
	*used += (size_t)snprintf(massacre->incarnations + *used, LIST_SIZE - *used, "%c%s",
				  massacre->killed == 0 ? '{' : ',', uuid_text(incarnation, text));
	massacre->killed++;
	return *used + 2 < LIST_SIZE
		       ? 0
		       : error_set(err, ERROR_FATAL, "there are too many dispatchers");
}

/* All but the target. */
static int kill_most(struct bout *bout, struct massacre *massacre, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	size_t used = 0;
	int status;

	for (int i = 0; i < fleet_size(fleet); i++)
		if (i != bout->target && list_one(bout, massacre, i, &used, err) != 0)
			return -1;
	snprintf(massacre->incarnations + used, LIST_SIZE - used, "}");
	for (int i = 0; i < fleet_size(fleet); i++)
		if (i != bout->target && fleet_signal(fleet, i, SIGKILL, err) != 0)
			return -1;
	for (int i = 0; i < fleet_size(fleet); i++)
		if (i != bout->target && fleet_await_end(fleet, i, END_MS, &status, err) != 0)
			return -1;
	return 0;
}

static int massacre(struct bout *bout, struct error *err)
{
	const int64_t patience_ms = DEATHS * bout->stage->act->intervals.death_ms;
	struct massacre *massacre = calloc(1, sizeof(*massacre));

	bout->own = massacre;
	if (massacre == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (fleet_size(bout->stage->fleet) < 2)
		return error_set(err, ERROR_RETRY, "there is one dispatcher only");
	if (kill_most(bout, massacre, err) != 0 ||
	    bout_await(bout, are_dead, patience_ms, "the death of all that were killed", err) != 0)
		return -1;
	bout_witness(bout, "%d of %d dispatchers are gone and were declared dead", massacre->killed,
		     fleet_size(bout->stage->fleet));
	return bout_await(bout, are_reclaimed, patience_ms, "the return of their jobs", err);
}

/* --- a herd ------------------------------------------------------------------------------------- */

static struct crowd *take_crowd(struct bout *bout, struct error *err)
{
	if (bout->own == NULL)
		bout->own = calloc(1, sizeof(struct crowd));
	if (bout->own == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return bout->own;
}

static bool is_herd_ready(struct bout *bout)
{
	int64_t ready;

	return crowd_ready(bout, &ready, NULL) == 0 && ready == HERD;
}

static int start_herd(struct bout *bout, struct error *err)
{
	const int64_t began_ms = clock_monotonic_ms();

	if (take_crowd(bout, err) == NULL)
		return -1;
	for (int i = 0; i < HERD; i++)
		if (crowd_start(bout, i, NULL, err) != 0)
			return -1;
	if (bout_await(bout, is_herd_ready, READY_MS, "the start of all", err) != 0)
		return -1;
	bout_witness(bout, "%d more dispatchers take jobs %" PRId64 " ms after they were started",
		     HERD, clock_monotonic_ms() - began_ms);
	return 0;
}

/* --- twins -------------------------------------------------------------------------------------- */

/* Waits until the twin has ended; it was refused if it says so. */
static int await_refusal(struct bout *bout, const char *sentence, struct error *err)
{
	struct crowd *crowd = bout->own;
	int status;
	int ended = undo_wait(bout->stage->undo, crowd->pids[0], END_MS, &status, err);

	if (ended < 0)
		return -1;
	if (ended == 1 && WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
	    crowd_logged(bout, 0, sentence)) {
		bout_witness(bout, "the second one exited with %d and said why",
			     WEXITSTATUS(status));
		crowd->size = 0;
		return 0;
	}
	/* The other of a pair may keep it from the server that would refuse it, or have ended whose twin it is. */
	if (ended == 1 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_RETRY, "the twin exited with %d before it was refused",
				 WEXITSTATUS(status));
	if (ended == 0 && bout->paired)
		return error_set(err, ERROR_RETRY, "the twin was not refused yet");
	bout_broken(bout, ended == 0 ? "a second dispatcher of the same id went on"
				     : "a second dispatcher of the same id ended in another way");
	return error_set(err, ERROR_FATAL, "the twin was not refused");
}

/* With the same state folder. */
static int start_twin(struct bout *bout, struct error *err)
{
	char folder[PATH_MAX / 2];
	const char *const words[] = { "--state-dir", folder, NULL };

	snprintf(folder, sizeof(folder), "%s/state",
		 fleet_folder(bout->stage->fleet, bout->target));
	if (take_crowd(bout, err) == NULL || crowd_start(bout, 0, words, err) != 0)
		return -1;
	return await_refusal(bout, "another dispatcher runs with this state", err);
}

static int copy_state(const struct bout *bout, const char *folder, struct error *err)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	const char *const make[] = { "mkdir", "-p", folder, NULL };
	const char *const copy[] = { "cp", from, to, NULL };

	snprintf(from, sizeof(from), "%s/state/dispatcher",
		 fleet_folder(bout->stage->fleet, bout->target));
	snprintf(to, sizeof(to), "%s/dispatcher", folder);
	if (undo_run(bout->stage->undo, make, END_MS, err) != 0)
		return -1;
	return undo_run(bout->stage->undo, copy, END_MS, err);
}

/* With a copy of it, as of a virtual machine that was cloned. */
static int copy_twin(struct bout *bout, struct error *err)
{
	char folder[PATH_MAX / 2];
	const char *const words[] = { "--state-dir", folder, NULL };

	snprintf(folder, sizeof(folder), "%s/twin-%d", bout->stage->scratch, bout->number);
	if (take_crowd(bout, err) == NULL || copy_state(bout, folder, err) != 0 ||
	    crowd_start(bout, 0, words, err) != 0)
		return -1;
	return await_refusal(bout, "another dispatcher runs under this id", err);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

const struct fault fault_fleet[] = {
	{
		.row = 16,
		.name = "twin-started",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "a second dispatcher is started with the state folder of one that runs",
		.tool = "locumd",
		.witness = "it exits, and says who holds the folder",
		.heals = "nothing has to be",
		.pass = "the first goes on as if nothing had happened",
		.inject = start_twin,
		.hold_ms = victim_no_ms,
		.heal = crowd_end,
	},
	{
		.row = 16,
		.name = "twin-copied",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "a second dispatcher is started with a copy of the state of one that runs",
		.tool = "locumd",
		.witness = "it exits, and says who has its id",
		.heals = "nothing has to be",
		.pass = "the first goes on as if nothing had happened",
		.inject = copy_twin,
		.hold_ms = victim_no_ms,
		.heal = crowd_end,
	},
	{
		.row = 19,
		.name = "mass-death",
		.stage = STAGE_PLAIN,
		.demands = FAULT_MASS | FAULT_NO_OVERLAP,
		.what = "all dispatchers but one are killed with SIGKILL at once",
		.tool = "kill",
		.witness = "the processes are gone, and each has a death certificate",
		.heals = "they are started again",
		.pass = "the one that is left has all their jobs within 2D + 2S + 5 s",
		.inject = massacre,
		.hold_ms = victim_no_ms,
	},
	{
		.row = 20,
		.name = "herd",
		.lonely = true,
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH,
		.what = "twelve more dispatchers are started at once",
		.tool = "locumd",
		.witness = "all of them are registered and take jobs",
		.heals = "they drain",
		.pass = "nobody is declared dead, and they leave in good order",
		.shortened = true,
		.inject = start_herd,
		.heal = crowd_end,
	},
	{ 0 },
};
