/* A listener that does not listen: the server keeps all notifications for it. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/faults/grip.h"
#include "tools/chaos/play/load.h"
#include "tools/chaos/stage/stage.h"

struct notify {
	struct grip *grip;
	int64_t acknowledged; /* jobs, before */
};

static int64_t usage(struct bout *bout)
{
	int64_t millionths = 0;

	if (server_run(bout->stage->server, "notify_usage", NULL, 0, &millionths, NULL) != 0)
		return 0;
	return millionths;
}

static int inject(struct bout *bout, struct error *err)
{
	struct notify *own = calloc(1, sizeof(*own));

	bout->own = own;
	if (own == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	own->acknowledged = load_acknowledged(bout->stage->load);
	own->grip = grip_open(bout->stage->server, err);
	if (own->grip == NULL || grip_run(own->grip, "notify_listen", err) != 0 ||
	    grip_run(own->grip, "notify_stick", err) != 0)
		return -1;
	return server_run(bout->stage->server, "notify_flood", NULL, 0, NULL, err);
}

static int64_t hold_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int heal(struct bout *bout, struct error *err)
{
	struct notify *own = bout->own;
	int64_t millionths = usage(bout);
	int64_t stored;

	(void)err;
	if (own == NULL)
		return 0;
	stored = load_acknowledged(bout->stage->load) - own->acknowledged;
	if (millionths > 0 && stored > 0)
		bout_witness(bout,
			     "%" PRId64 " millionths of the queue of notifications are full, and "
			     "%" PRId64 " jobs were stored meanwhile",
			     millionths, stored);
	grip_close(own->grip);
	own->grip = NULL;
	return 0;
}

const struct fault fault_notify[] = {
	{
		.row = 59,
		.name = "listener-stuck",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "a session that listens stays in a transaction, and 64 MB of notifications wait "
			"for it",
		.tool = "LISTEN, pg_notify",
		.witness = "the server tells how full its queue is; jobs were stored meanwhile",
		.heals = "the session ends",
		.pass = "jobs are submitted and picked up all the same",
		.shortened = true,
		.inject = inject,
		.hold_ms = hold_ms,
		.heal = heal,
	},
	{ 0 },
};
