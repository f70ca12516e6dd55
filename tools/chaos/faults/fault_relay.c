/* Connections that are slow, reset, or dead at one end only: by the fault proxy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/relay/relay.h"
#include "tools/chaos/stage/stage.h"

enum { BITE_MS = 20000, RESETS = 6, CLIENT_SIZE = 64 };

static const struct relay_rule PASS = { .harm = RELAY_PASS };

static int64_t two_deaths_ms(const struct bout *bout)
{
	return 2 * bout->stage->act->intervals.death_ms;
}

static void witness_bytes(struct bout *bout, const char *what)
{
	int64_t hits = relay_hits(bout->stage->relay);
	int64_t bytes = relay_bytes(bout->stage->relay);

	if (hits > 0 && bytes > 0)
		bout_witness(bout, "%" PRId64 " connections with %" PRId64 " bytes were %s", hits,
			     bytes, what);
}

static void witness_resets(struct bout *bout)
{
	bout_witness(bout, "%" PRId64 " connections were reset", relay_hits(bout->stage->relay));
}

static int heal(struct bout *bout, struct error *err)
{
	(void)err;
	relay_set(bout->stage->relay, &PASS);
	return 0;
}

static bool is_hit(struct bout *bout)
{
	return relay_hits(bout->stage->relay) > 0;
}

static bool is_all_hit(struct bout *bout)
{
	return relay_hits(bout->stage->relay) >= RESETS;
}

/* --- slow --------------------------------------------------------------------------------------- */

/* A round trip takes two of them, and must stay below D - P - M. */
static int inject_delay(struct bout *bout, struct error *err)
{
	int64_t death_ms = bout->stage->act->intervals.death_ms;

	relay_set(bout->stage->relay, &(struct relay_rule){ .harm = RELAY_DELAY,
							    .client = "locum/p",
							    .delay_ms = death_ms / 8,
							    .jitter_ms = death_ms / 16,
							    .seed = bout->chance });
	return bout_await(bout, is_hit, BITE_MS, "a slow connection", err);
}

static int heal_delay(struct bout *bout, struct error *err)
{
	witness_bytes(bout, "slow");
	return heal(bout, err);
}

/* --- reset -------------------------------------------------------------------------------------- */

static int inject_reset(struct bout *bout, struct error *err)
{
	relay_set(bout->stage->relay, &(struct relay_rule){ .harm = RELAY_RESET, .times = RESETS });
	if (bout_await(bout, is_all_hit, BITE_MS, "the reset of connections", err) != 0)
		return -1;
	witness_resets(bout);
	return 0;
}

static int inject_reset_busy(struct bout *bout, struct error *err)
{
	relay_set(bout->stage->relay, &(struct relay_rule){ .harm = RELAY_RESET,
							    .client = "locum/pump",
							    .trigger = "job_complete",
							    .times = RESETS });
	if (bout_await(bout, is_all_hit, BITE_MS, "the reset of busy connections", err) != 0)
		return -1;
	witness_resets(bout);
	return 0;
}

/* --- unheard ------------------------------------------------------------------------------------ */

static bool is_unheard(struct bout *bout)
{
	return relay_bytes(bout->stage->relay) > 0;
}

static int inject_unheard(struct bout *bout, struct error *err)
{
	relay_set(bout->stage->relay,
		  &(struct relay_rule){ .harm = RELAY_DROP_NOTIFICATIONS, .client = "locum/p" });
	return bout_await(bout, is_unheard, BITE_MS, "a notification", err);
}

static int heal_unheard(struct bout *bout, struct error *err)
{
	int64_t bytes = relay_bytes(bout->stage->relay);

	if (bytes > 0)
		bout_witness(bout, "%" PRId64 " bytes of notifications were dropped", bytes);
	return heal(bout, err);
}

/* --- half-open ---------------------------------------------------------------------------------- */

struct half_open {
	char client[CLIENT_SIZE];
};

static bool has_waiting(struct bout *bout)
{
	return relay_bytes(bout->stage->relay) > 0;
}

/* The one connection of that role which the dispatcher has now; its next one passes. */
static int inject_half_open(struct bout *bout, const char *role, struct error *err)
{
	struct half_open *own = calloc(1, sizeof(*own));
	struct uuid incarnation;
	char text[UUID_TEXT_SIZE];

	bout->own = own;
	if (own == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (fleet_incarnation(bout->stage->fleet, bout->target, &incarnation, err) != 0)
		return -1;
	snprintf(own->client, sizeof(own->client), "locum/%s/%s", role,
		 uuid_text(incarnation, text));
	relay_set(
		bout->stage->relay,
		&(struct relay_rule){ .harm = RELAY_HALF_OPEN, .client = own->client, .times = 1 });
	if (bout_await(bout, has_waiting, BITE_MS, "a half-open connection in use", err) != 0)
		return -1;
	bout_witness(bout, "%" PRId64 " bytes wait at the half-open %s of dispatcher d%d",
		     relay_bytes(bout->stage->relay), role, bout->target + 1);
	return 0;
}

static int inject_pinger(struct bout *bout, struct error *err)
{
	return inject_half_open(bout, "pinger", err);
}

static int inject_pump(struct bout *bout, struct error *err)
{
	return inject_half_open(bout, "pump", err);
}

/* --- the rows ----------------------------------------------------------------------------------- */

const struct fault fault_relay[] = {
	{
		.row = 24,
		.name = "connections-slow",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "all that dispatchers send and are sent comes later by an eighth of the death "
			"interval, give or take half of that",
		.tool = "the fault proxy",
		.witness = "the proxy counted connections and bytes that it delayed",
		.heals = "everything comes at once again",
		.pass = "nobody is declared dead",
		.shortened = true,
		.inject = inject_delay,
		.hold_ms = two_deaths_ms,
		.heal = heal_delay,
	},
	{
		.row = 26,
		.name = "connections-reset",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "connections of dispatchers and clients are reset, whatever they do",
		.tool = "the fault proxy",
		.witness = "the proxy counted connections that it reset",
		.heals = "they connect again",
		.pass = "what was unknown is found out",
		.inject = inject_reset,
		.heal = heal,
	},
	{
		.row = 26,
		.name = "connections-reset-busy",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "connections of dispatchers are reset as soon as the server has a completion",
		.tool = "the fault proxy",
		.witness = "the proxy counted connections that it reset",
		.heals = "they connect again",
		.pass = "what was unknown is found out",
		.inject = inject_reset_busy,
		.heal = heal,
	},
	{
		.row = 27,
		.name = "pinger-half-open",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "the connection that a dispatcher pings by is open, and nobody reads it",
		.tool = "the fault proxy",
		.witness = "bytes wait at the half-open connection",
		.heals = "the dispatcher connects again by itself; then what waits goes on",
		.pass = "it is found out in time, and nobody is declared dead",
		.inject = inject_pinger,
		.hold_ms = two_deaths_ms,
		.heal = heal,
	},
	{
		.row = 27,
		.name = "pump-half-open",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT,
		.what = "the connection that a dispatcher works by is open, and nobody reads it",
		.tool = "the fault proxy",
		.witness = "bytes wait at the half-open connection",
		.heals = "the dispatcher connects again by itself; then what waits goes on, late",
		.pass = "what was unknown is found out, and nobody is declared dead",
		.inject = inject_pump,
		.hold_ms = two_deaths_ms,
		.heal = heal,
	},
	{
		.row = 60,
		.name = "notifications-lost",
		.stage = STAGE_RELAY,
		.demands = FAULT_NO_DEATH | FAULT_NO_CONFLICT | FAULT_POLLED,
		.what = "dispatchers hear of nothing that they listen for",
		.tool = "the fault proxy",
		.witness = "the proxy counted bytes of notifications that it dropped",
		.heals = "they hear again",
		.pass = "a job is picked up within a poll interval all the same",
		.inject = inject_unheard,
		.hold_ms = two_deaths_ms,
		.heal = heal_unheard,
	},
	{ 0 },
};
