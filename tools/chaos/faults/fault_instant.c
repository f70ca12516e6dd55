/* A dispatcher that stands still at the worst instant for its pings, which only the inside can hit. */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/order.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 30000 };

struct stillness {
	struct victim victim;
	int64_t until_ms;
};

/* --- standing still ----------------------------------------------------------------------------- */

static bool is_over(struct bout *bout)
{
	const struct stillness *own = bout->own;

	return clock_monotonic_ms() >= own->until_ms;
}

static int await_half_a_death(struct bout *bout, struct error *err)
{
	struct stillness *own = bout->own;
	int64_t half_ms = bout->stage->act->intervals.death_ms / 2;

	own->until_ms = clock_monotonic_ms() + half_ms;
	return bout_await(bout, is_over, half_ms + BITE_MS, "half a death interval", err);
}

/* The victim gets to the instant, and no further. */
static int halt(struct bout *bout, const char *name, struct error *err)
{
	const struct stillness *own = bout->own;

	if (order_give(bout, name, "stop", own->victim.pid, err) != 0)
		return -1;
	victim_let_go(bout);
	return 0;
}

static int await_halt(struct bout *bout, const char *name, bool (*holds)(struct bout *bout),
		      struct error *err)
{
	if (bout_await(bout, holds, BITE_MS, name, err) != 0)
		return -1;
	return bout_await(bout, victim_is_stopped, BITE_MS, "the dispatcher stands still", err);
}

static bool is_at_answer(struct bout *bout)
{
	return order_taken_by(bout, "ping_answered") > 0;
}

static bool is_at_ping(struct bout *bout)
{
	return order_taken_by(bout, "ping_due") > 0;
}

static int heal(struct bout *bout, struct error *err)
{
	(void)err;
	order_withdraw(bout, "ping_answered");
	order_withdraw(bout, "ping_due");
	if (bout->own != NULL)
		victim_let_go(bout);
	return 0;
}

/* --- an answer that is late to the fence -------------------------------------------------------- */

static int inject_late_answer(struct bout *bout, struct error *err)
{
	if (victim_take(bout, sizeof(struct stillness), err) == NULL ||
	    halt(bout, "ping_answered", err) != 0 ||
	    await_halt(bout, "an answer to a ping", is_at_answer, err) != 0 ||
	    await_half_a_death(bout, err) != 0 || halt(bout, "ping_due", err) != 0 ||
	    await_halt(bout, "the next ping", is_at_ping, err) != 0)
		return -1;
	if (victim_await_death(bout, err) != 0)
		return -1;
	bout_witness(bout, "dispatcher d%d stood still behind an answer, then before its next ping",
		     bout->target + 1);
	return 0;
}

/* Until a fence that is too late would have fallen. */
static int64_t death_ms(const struct bout *bout)
{
	return bout->stage->act->intervals.death_ms;
}

/* --- a ping that is late after an outage -------------------------------------------------------- */

static int inject_outage(struct bout *bout, struct error *err)
{
	if (victim_take(bout, sizeof(struct stillness), err) == NULL)
		return -1;
	return server_stop(bout->stage->server, SIGINT, err);
}

static int64_t two_deaths_ms(const struct bout *bout)
{
	return 2 * death_ms(bout);
}

/* The siblings see for half a death interval that its last ping is old. */
static int heal_outage(struct bout *bout, struct error *err)
{
	int status = bout->own == NULL ? -1 : halt(bout, "ping_due", err);

	if (server_start(bout->stage->server, err) != 0 ||
	    server_await(bout->stage->server, BITE_MS, err) != 0)
		status = -1;
	if (status == 0)
		status = await_halt(bout, "the first ping", is_at_ping, err);
	if (status == 0)
		status = await_half_a_death(bout, err);
	if (status == 0)
		bout_witness(bout, "dispatcher d%d stood still before its first ping",
			     bout->target + 1);
	heal(bout, err);
	return status;
}

/* --- the rows ----------------------------------------------------------------------------------- */

const struct fault fault_instant[] = {
	{
		.row = 2,
		.name = "ping-answer-late",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_OVERLAP,
		.what = "a dispatcher stands still for half a death interval when it has the answer to a "
			"ping, and then for good before the next",
		.tool = "a probe of a test build",
		.witness = "it took both orders, stood still, and was declared dead",
		.heals = "it goes on",
		.pass = "the fence counts from the sending of the ping, so no runs overlap",
		.possible = order_possible,
		.inject = inject_late_answer,
		.hold_ms = death_ms,
		.heal = heal,
	},
	{
		.row = 39,
		.name = "ping-late-after-outage",
		.stage = STAGE_PLAIN,
		.demands = FAULT_NO_DEATH | FAULT_OWNS_SERVER,
		.what = "the server is away for two death intervals; when it is back, a dispatcher stands "
			"still for half of one before its first ping",
		.tool = "SIGINT, a probe of a test build",
		.witness = "it took the order and stood still",
		.heals = "it goes on",
		.pass = "nobody is declared dead for the time that the server was away",
		.possible = order_possible,
		.inject = inject_outage,
		.hold_ms = two_deaths_ms,
		.heal = heal_outage,
	},
	{ 0 },
};
