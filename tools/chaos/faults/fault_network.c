/* The network between a dispatcher and its server: lost one way or both, or narrow. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/stage/network.h"
#include "tools/chaos/stage/stage.h"

enum {
	BITE_MS = 30000,
	KBIT = 64, /* for a death interval of DEATH_MS, wider for shorter ones */
	DEATH_MS = 30000,
};

/* --- dropping ----------------------------------------------------------------------------------- */

static int64_t dropped(const struct bout *bout, int place)
{
	int64_t packets = 0;

	if (network_dropped(bout->stage->network, place, &packets, NULL) != 0)
		return 0;
	return packets;
}

static bool is_dropped(struct bout *bout)
{
	return dropped(bout, bout->target) > 0;
}

static int drop(struct bout *bout, unsigned ways, struct error *err)
{
	if (network_drop(bout->stage->network, bout->target, ways, err) != 0)
		return -1;
	return bout_await(bout, is_dropped, BITE_MS, "a dropped packet", err);
}

static int inject_both(struct bout *bout, struct error *err)
{
	return drop(bout, NETWORK_BOTH, err);
}

static int inject_requests(struct bout *bout, struct error *err)
{
	return drop(bout, NETWORK_REQUESTS, err);
}

static int inject_answers(struct bout *bout, struct error *err)
{
	return drop(bout, NETWORK_ANSWERS, err);
}

static void witness_dropped(struct bout *bout, int place)
{
	int64_t packets = dropped(bout, place);

	if (packets > 0)
		bout_witness(bout, "%" PRId64 " packets of dispatcher d%d were dropped", packets,
			     place + 1);
}

static int heal_dropped(struct bout *bout, struct error *err)
{
	witness_dropped(bout, bout->target);
	return network_pass(bout->stage->network, bout->target, err);
}

/* --- narrow ------------------------------------------------------------------------------------- */

static int inject_narrow(struct bout *bout, struct error *err)
{
	int64_t kbit = KBIT * (int64_t)DEATH_MS / bout->stage->act->intervals.death_ms;

	return network_narrow(bout->stage->network, bout->target, (int)kbit, err);
}

static int64_t hold_narrow_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static int heal_narrow(struct bout *bout, struct error *err)
{
	int64_t times = 0;

	if (network_waited(bout->stage->network, bout->target, &times, NULL) == 0 && times > 0)
		bout_witness(bout, "packets of dispatcher d%d waited %" PRId64 " times",
			     bout->target + 1, times);
	return network_narrow(bout->stage->network, bout->target, 0, err);
}

/* --- swizzle-clog ------------------------------------------------------------------------------- */

struct swizzle {
	int64_t until_ms;
	int count;
	int places[]; /* in the order in which they are clogged */
};

static bool is_over(struct bout *bout)
{
	const struct swizzle *swizzle = bout->own;

	return clock_monotonic_ms() >= swizzle->until_ms;
}

/* From a ping interval to half a death interval. */
static int pause_between(struct bout *bout, struct error *err)
{
	const struct plan_intervals *intervals = &bout->stage->act->intervals;
	struct swizzle *swizzle = bout->own;
	unsigned span = (unsigned)(intervals->death_ms / 2 - intervals->ping_ms);

	swizzle->until_ms = clock_monotonic_ms() + intervals->ping_ms + bout_draw(bout, span);
	return bout_await(bout, is_over, intervals->death_ms, "the next step", err);
}

static void shuffle(struct bout *bout, int *places, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int other = (int)bout_draw(bout, (unsigned)i + 1);
		int place = places[i];

		places[i] = places[other];
		places[other] = place;
	}
}

static struct swizzle *draw_swizzle(struct bout *bout, struct error *err)
{
	int size = fleet_size(bout->stage->fleet);
	struct swizzle *swizzle =
		calloc(1, sizeof(*swizzle) + (size_t)size * sizeof(swizzle->places[0]));

	bout->own = swizzle;
	if (swizzle == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	for (int i = 0; i < size; i++)
		swizzle->places[i] = i;
	shuffle(bout, swizzle->places, size);
	swizzle->count = 1 + (int)bout_draw(bout, (unsigned)size);
	return swizzle;
}

static int unclog(struct bout *bout, int place, struct error *err)
{
	witness_dropped(bout, place);
	return network_pass(bout->stage->network, place, err);
}

static int inject_swizzle(struct bout *bout, struct error *err)
{
	struct swizzle *swizzle = draw_swizzle(bout, err);

	if (swizzle == NULL)
		return -1;
	for (int i = 0; i < swizzle->count; i++)
		if (network_drop(bout->stage->network, swizzle->places[i], NETWORK_BOTH, err) !=
			    0 ||
		    pause_between(bout, err) != 0)
			return -1;
	shuffle(bout, swizzle->places, swizzle->count);
	for (int i = 0; i < swizzle->count; i++)
		if (unclog(bout, swizzle->places[i], err) != 0 || pause_between(bout, err) != 0)
			return -1;
	return 0;
}

static int heal_swizzle(struct bout *bout, struct error *err)
{
	int status = 0;

	for (int i = 0; i < fleet_size(bout->stage->fleet); i++)
		if (network_pass(bout->stage->network, i, err) != 0)
			status = -1;
	return status;
}

/* --- the rows ----------------------------------------------------------------------------------- */

const struct fault fault_network[] = {
	{
		.row = 21,
		.name = "dispatcher-partitioned",
		.stage = STAGE_NETWORK,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "nothing passes between a dispatcher and its server, in silence",
		.tool = "network namespaces, nftables",
		.witness = "the router counted packets of the dispatcher that it dropped",
		.heals = "everything passes again",
		.pass = "its handlers have ended before its death is declared",
		.possible = network_possible,
		.inject = inject_both,
		.heal = heal_dropped,
	},
	{
		.row = 22,
		.name = "requests-lost",
		.stage = STAGE_NETWORK,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "nothing that a dispatcher sends arrives; what was on its way arrives late",
		.tool = "network namespaces, nftables",
		.witness = "the router counted packets of the dispatcher that it dropped",
		.heals = "everything passes again, and what TCP repeats arrives",
		.pass = "what arrives late is refused",
		.possible = network_possible,
		.inject = inject_requests,
		.heal = heal_dropped,
	},
	{
		.row = 23,
		.name = "answers-lost",
		.stage = STAGE_NETWORK,
		.demands = FAULT_RECLAIM | FAULT_NO_OVERLAP,
		.what = "what a dispatcher sends arrives, and no answer comes back",
		.tool = "network namespaces, nftables",
		.witness = "the router counted packets to the dispatcher that it dropped",
		.heals = "everything passes again",
		.pass = "no claim is left that the dispatcher does not know of",
		.possible = network_possible,
		.inject = inject_answers,
		.heal = heal_dropped,
	},
	{
		.row = 25,
		.name = "wire-narrow",
		.stage = STAGE_NETWORK,
		.demands = FAULT_NO_DEATH,
		.what = "a dispatcher has 64 kbit/s each way (for a death interval of 30 s, and as "
			"much more as its own is shorter)",
		.tool = "network namespaces, tbf",
		.witness = "the kernel counted packets that had to wait",
		.heals = "the wire is wide again",
		.pass = "pings come through beside the work",
		.shortened = true,
		.possible = network_possible,
		.inject = inject_narrow,
		.hold_ms = hold_narrow_ms,
		.heal = heal_narrow,
	},
	{
		.row = 28,
		.name = "network-swizzled",
		.stage = STAGE_NETWORK,
		.demands = FAULT_NO_OVERLAP,
		.what = "some dispatchers are cut off one after the other, and come back in another "
			"order",
		.tool = "network namespaces, nftables",
		.witness = "the router counted packets that it dropped of each that comes back",
		.heals = "everything passes again",
		.pass = "the invariants",
		.widespread = true,
		.possible = network_possible,
		.inject = inject_swizzle,
		.heal = heal_swizzle,
	},
	{ 0 },
};
