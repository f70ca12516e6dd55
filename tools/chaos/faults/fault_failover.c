/* The standby takes the server's place: with all that was acknowledged, or without the last of it. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/faults/ended.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 60000, TOLD_MS = 120000, POSITION_SIZE = 64 };

#define FAILED_OVER "the database failed over timeline="
#define LOST "acknowledged completion was lost by a failover"
#define LEFT_BEHIND "this primary was left behind by a failover"

struct failover {
	char position[POSITION_SIZE];
	struct ended ended;
	int logged; /* lines of the dispatchers' logs, so far */
	int lost;
	int refused;
	int64_t timeline;
	int64_t written; /* by dispatchers on the former server */
	bool former;     /* it runs */
};

static int all_logged(const struct bout *bout, const char *text)
{
	int lines = 0;

	for (int i = 0; i < fleet_size(bout->stage->fleet); i++)
		lines += fleet_logged(bout->stage->fleet, i, text);
	return lines;
}

static struct failover *begin(struct bout *bout, struct error *err)
{
	struct failover *own = calloc(1, sizeof(*own));

	bout->own = own;
	if (own == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	own->logged = all_logged(bout, FAILED_OVER);
	own->lost = all_logged(bout, LOST);
	own->refused = all_logged(bout, LEFT_BEHIND);
	return own;
}

/* --- what is waited for ------------------------------------------------------------------------- */

static bool ask(struct server *server, const char *name, const char *param)
{
	const char *const params[] = { param };
	int64_t value = 0;

	return server_run(server, name, params, param == NULL ? 0 : 1, &value, NULL) == 0 &&
	       value != 0;
}

static bool is_followed(struct bout *bout)
{
	return ask(bout->stage->server, "failover_streams", "false");
}

static bool is_in_step(struct bout *bout)
{
	return ask(bout->stage->server, "failover_streams", "true");
}

static bool is_followed_no_more(struct bout *bout)
{
	int64_t standbys;
	const char *const params[] = { "false" };

	return server_run(bout->stage->server, "failover_streams", params, 1, &standbys, NULL) ==
		       0 &&
	       standbys == 0;
}

static bool has_replayed(struct bout *bout)
{
	const struct failover *own = bout->own;

	return ask(bout->stage->server, "failover_replayed", own->position);
}

static bool has_worked(struct bout *bout)
{
	struct failover *own = bout->own;

	return ended_some(bout, &own->ended);
}

static bool is_known(struct bout *bout)
{
	const struct failover *own = bout->own;

	return ended_is_known(bout, &own->ended);
}

static bool is_noticed(struct bout *bout)
{
	const struct failover *own = bout->own;

	return all_logged(bout, FAILED_OVER) > own->logged;
}

/* One that has not seen the new timeline cannot know that it was left behind. */
static bool have_all_noticed(struct bout *bout)
{
	const struct failover *own = bout->own;
	char text[sizeof(FAILED_OVER) + 24];

	snprintf(text, sizeof(text), FAILED_OVER "%" PRId64 " ", own->timeline);
	for (int i = 0; i < fleet_size(bout->stage->fleet); i++)
		if (fleet_logged(bout->stage->fleet, i, text) == 0)
			return false;
	return true;
}

static bool is_refused(struct bout *bout)
{
	const struct failover *own = bout->own;

	return all_logged(bout, LEFT_BEHIND) > own->refused;
}

/* --- steps -------------------------------------------------------------------------------------- */

static int await_replayed(struct bout *bout, struct error *err)
{
	struct failover *own = bout->own;

	if (server_look(bout->stage->server, "failover_position", NULL, 0, own->position,
			sizeof(own->position), err) != 0)
		return -1;
	return bout_await(bout, has_replayed, BITE_MS, "the standby's replay", err);
}

/* Jobs end, and a dispatcher is told that they did. */
static int await_work(struct bout *bout, struct error *err)
{
	struct failover *own = bout->own;

	if (ended_begin(bout, &own->ended, err) != 0 ||
	    bout_await(bout, has_worked, BITE_MS, "the end of some jobs", err) != 0)
		return -1;
	return bout_await(bout, is_known, BITE_MS, "an answer to a completion", err);
}

/* A bout may find a standby that another one held back. */
static int follow(struct bout *bout, struct error *err)
{
	if (bout->stage->standby == NULL || !is_followed(bout))
		return stage_follow(bout->stage, err);
	return 0;
}

/* Commits wait for the standby from now on. */
static int keep_in_step(struct bout *bout, struct error *err)
{
	struct server *server = bout->stage->server;

	if (server_run(server, "failover_synchronous", NULL, 0, NULL, err) != 0 ||
	    server_run(server, "failover_reload", NULL, 0, NULL, err) != 0 ||
	    bout_await(bout, is_in_step, BITE_MS, "a synchronous standby", err) != 0 ||
	    await_work(bout, err) != 0)
		return -1;
	return await_replayed(bout, err);
}

/* The standby gets nothing more. */
static int hold_back(struct bout *bout, struct error *err)
{
	struct server *standby = bout->stage->standby;

	if (server_run(standby, "failover_hold_back", NULL, 0, NULL, err) != 0 ||
	    server_run(standby, "failover_reload", NULL, 0, NULL, err) != 0)
		return -1;
	return bout_await(bout, is_followed_no_more, BITE_MS, "a standby that is cut off", err);
}

static int fail_over(struct bout *bout, int number, struct error *err)
{
	struct stage *stage = bout->stage;
	struct failover *own = bout->own;

	if (server_stop(stage->server, number, err) != 0 ||
	    server_run(stage->standby, "failover_promote", NULL, 0, NULL, err) != 0)
		return -1;
	stage_fail_over(stage);
	if (server_run(stage->server, "failover_timeline", NULL, 0, &own->timeline, err) != 0)
		return -1;
	return bout_await(bout, is_noticed, BITE_MS, "a dispatcher that follows", err);
}

static void witness(struct bout *bout)
{
	const struct failover *own = bout->own;

	bout_witness(bout, "the standby writes timeline %" PRId64 ", and dispatchers followed it",
		     own->timeline);
}

/* The former server becomes the standby; a server that is gone by a failure half-way comes back. */
static int heal(struct bout *bout, struct error *err)
{
	struct stage *stage = bout->stage;

	if (server_pid(stage->server) == 0 && server_start(stage->server, err) != 0)
		return -1;
	return follow(bout, err);
}

/* --- the faults --------------------------------------------------------------------------------- */

static int switch_over(struct bout *bout, int number, struct error *err)
{
	if (begin(bout, err) == NULL || follow(bout, err) != 0 || fail_over(bout, number, err) != 0)
		return -1;
	witness(bout);
	return 0;
}

static int inject_switched(struct bout *bout, struct error *err)
{
	return switch_over(bout, SIGINT, err);
}

static int inject_synchronous(struct bout *bout, struct error *err)
{
	if (begin(bout, err) == NULL || follow(bout, err) != 0 || keep_in_step(bout, err) != 0 ||
	    fail_over(bout, SIGKILL, err) != 0)
		return -1;
	witness(bout);
	return 0;
}

static int inject_asynchronous(struct bout *bout, struct error *err)
{
	if (begin(bout, err) == NULL || follow(bout, err) != 0 || hold_back(bout, err) != 0 ||
	    await_work(bout, err) != 0 || fail_over(bout, SIGQUIT, err) != 0)
		return -1;
	witness(bout);
	return 0;
}

static bool is_told(struct bout *bout)
{
	const struct failover *own = bout->own;

	return all_logged(bout, LOST) > own->lost;
}

/* Jobs ended where the standby did not see it. The other of a pair may end the one that was told. */
static int judge_told(struct bout *bout, struct error *err)
{
	if (bout->paired || bout_await(bout, is_told, TOLD_MS, "a word of what was lost", err) == 0)
		return 0;
	bout_broken(bout, "completions were lost, and no dispatcher told of one");
	return -1;
}

/* --- two primaries ------------------------------------------------------------------------------ */

/* Everything that is written is with the standby when it takes over: nothing is lost by that. */
static int return_former(struct bout *bout, struct error *err)
{
	struct stage *stage = bout->stage;
	struct failover *own = begin(bout, err);

	if (own == NULL || follow(bout, err) != 0 || fail_over(bout, SIGINT, err) != 0 ||
	    bout_await(bout, have_all_noticed, BITE_MS, "a fleet that follows", err) != 0 ||
	    server_start(stage->standby, err) != 0 ||
	    server_run(stage->standby, "failover_written", NULL, 0, &own->written, err) != 0)
		return -1;
	own->former = true;
	own->refused = all_logged(bout, LEFT_BEHIND);
	return 0;
}

/* For a moment the former one is all that answers. */
static int inject_split(struct bout *bout, struct error *err)
{
	struct server *server;

	if (return_former(bout, err) != 0)
		return -1;
	server = bout->stage->server;
	if (server_stop(server, SIGQUIT, err) != 0 ||
	    bout_await(bout, is_refused, BITE_MS, "a dispatcher that refuses it", err) != 0 ||
	    server_start(server, err) != 0)
		return -1;
	bout_witness(bout, "the former primary takes writes, and dispatchers refused it");
	return 0;
}

static int heal_split(struct bout *bout, struct error *err)
{
	const struct failover *own = bout->own;
	struct stage *stage = bout->stage;
	int64_t written = 0;

	if (own != NULL && own->former && stage->standby != NULL &&
	    server_run(stage->standby, "failover_written", NULL, 0, &written, NULL) == 0 &&
	    written > own->written)
		bout_broken(bout, "dispatchers did %" PRId64 " things on the former primary",
			    written - own->written);
	return heal(bout, err);
}

/* --- a standby that is behind ------------------------------------------------------------------- */

static bool is_stale(struct bout *bout)
{
	char age[24];
	const char *const params[] = { age };
	int64_t silent = 0;

	snprintf(age, sizeof(age), "%" PRId64, bout->stage->act->intervals.death_ms);
	return server_run(bout->stage->standby, "failover_stale", params, 1, &silent, NULL) == 0 &&
	       silent >= fleet_size(bout->stage->fleet);
}

static int inject_stale(struct bout *bout, struct error *err)
{
	if (begin(bout, err) == NULL || follow(bout, err) != 0 ||
	    server_script(bout->stage->standby, "failover_pause", err) != 0 ||
	    bout_await(bout, is_stale, BITE_MS, "a standby that is behind", err) != 0)
		return -1;
	bout_witness(bout, "on the standby all dispatchers have been silent for a death interval");
	return server_run(bout->stage->server, "failover_cut", NULL, 0, NULL, err);
}

static int heal_stale(struct bout *bout, struct error *err)
{
	if (bout->stage->standby == NULL)
		return 0;
	return server_script(bout->stage->standby, "failover_resume", err);
}

/* --- the rows ----------------------------------------------------------------------------------- */

const struct fault fault_failover[] = {
	{
		.row = 30,
		.name = "primary-switched",
		.stage = STAGE_REPLICA,
		.demands = FAULT_NO_DEATH,
		.what = "the server is stopped in order and its standby promoted; both are in the "
			"connection string",
		.tool = "pg_promote",
		.witness = "a dispatcher logged that it follows to another timeline",
		.heals = "the former server becomes the standby",
		.pass = "nothing is lost",
		.inject = inject_switched,
		.heal = heal,
	},
	{
		.row = 40,
		.name = "failover-synchronous",
		.stage = STAGE_REPLICA,
		.demands = FAULT_NO_DEATH,
		.what = "commits wait for the standby; the server is killed and the standby promoted",
		.tool = "kill, pg_promote",
		.witness = "a dispatcher logged that it follows to another timeline",
		.heals = "the former server becomes the standby",
		.pass = "nothing that was acknowledged is lost",
		.inject = inject_synchronous,
		.heal = heal,
	},
	{
		.row = 41,
		.name = "failover-asynchronous",
		.stage = STAGE_REPLICA,
		.demands = FAULT_MAY_LOSE,
		.what = "the standby is cut off while work goes on; then the server is stopped at "
			"once and the standby promoted",
		.tool = "pg_promote",
		.witness = "a dispatcher logged that it follows to another timeline",
		.heals = "the former server becomes the standby",
		.pass = "dispatchers tell of completions that were lost; none of an old claim is "
			"accepted",
		.inject = inject_asynchronous,
		.heal = heal,
		.judge = judge_told,
	},
	{
		.row = 42,
		.name = "primary-split",
		.stage = STAGE_REPLICA,
		.demands = FAULT_MAY_LOSE,
		.what = "after the promotion of its standby the former server comes back and takes "
			"writes, while the new one is gone for a moment",
		.tool = "pg_promote, SIGQUIT",
		.witness = "a dispatcher logged that it refuses the former server",
		.heals = "the former server becomes the standby",
		.pass = "no dispatcher does anything there",
		.inject = inject_split,
		.heal = heal_split,
	},
	{
		.row = 44,
		.name = "standby-stale",
		.stage = STAGE_REPLICA,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "the standby stays behind for longer than a death interval, and dispatchers "
			"connect anew",
		.tool = "pg_wal_replay_pause",
		.witness = "by what the standby knows all dispatchers are overdue",
		.heals = "the standby goes on",
		.pass = "nobody decides by what the standby says",
		.inject = inject_stale,
		.heal = heal_stale,
	},
	{ 0 },
};
