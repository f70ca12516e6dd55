/* The PgBouncer between a fleet and its server goes and comes back. */
#include <libpq-fe.h>
#include <signal.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 20000 };

static bool does_not_answer(struct bout *bout)
{
	return pooler_pid(bout->stage->pooler) == 0 &&
	       PQping(stage_conninfo(bout->stage)) == PQPING_NO_RESPONSE;
}

static int stop(struct bout *bout, int number, struct error *err)
{
	if (pooler_stop(bout->stage->pooler, number, err) != 0 ||
	    bout_await(bout, does_not_answer, BITE_MS, "the end of the pooler", err) != 0)
		return -1;
	bout_witness(bout, "nobody answers where the pooler was");
	return 0;
}

static int inject_stopped(struct bout *bout, struct error *err)
{
	return stop(bout, SIGTERM, err);
}

static int inject_killed(struct bout *bout, struct error *err)
{
	return stop(bout, SIGKILL, err);
}

static int heal(struct bout *bout, struct error *err)
{
	return pooler_start(bout->stage->pooler, err);
}

static int64_t hold_longer_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

const struct fault fault_pooler[] = {
	{
		.row = 29,
		.name = "pooler-restarted",
		.stage = STAGE_POOLER,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "PgBouncer in transaction mode is ended by SIGTERM, and started again",
		.tool = "pgbouncer",
		.witness = "a connection to where it was is refused",
		.heals = "it is started again",
		.pass = "nothing of a session is missed",
		.inject = inject_stopped,
		.heal = heal,
	},
	{
		.row = 29,
		.name = "pooler-killed",
		.stage = STAGE_POOLER,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "PgBouncer in transaction mode is killed while transactions go through it, "
			"and started again",
		.tool = "pgbouncer",
		.witness = "a connection to where it was is refused",
		.heals = "it is started again",
		.pass = "what was unknown is found out",
		.inject = inject_killed,
		.heal = heal,
	},
	{
		.row = 29,
		.name = "pooler-gone-for-long",
		.stage = STAGE_POOLER,
		.demands = FAULT_NO_DEATH | FAULT_NO_OVERLAP,
		.what = "PgBouncer is killed, and comes back after two death intervals",
		.tool = "pgbouncer",
		.witness = "a connection to where it was is refused",
		.heals = "it is started again",
		.pass = "nobody is declared dead because nobody could ping",
		.inject = inject_killed,
		.hold_ms = hold_longer_ms,
		.heal = heal,
	},
	{ 0 },
};
