/* Processes that end at an instant which only the inside can hit: a fault for each probe. */
#include <signal.h>
#include <string.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/faults/victim.h"
#include "tools/chaos/stage/order.h"
#include "tools/chaos/stage/process.h"
#include "tools/chaos/stage/stage.h"

enum { SETTLE_MS = 20000, PATIENCE_DEATHS = 10 };

/* What makes somebody get to a probe. */
enum provocation {
	PROVOKE_NOTHING, /* the load does */
	PROVOKE_START,   /* one is killed and starts again */
	PROVOKE_DEATH,   /* one is killed and stays away until it is declared dead */
	PROVOKE_RETURN,  /* one is stopped for longer than its death interval, and goes on */
};

struct probe {
	const char *name;
	enum provocation provocation;
};

/* Those that no load gets to. */
static const struct probe PROVOKED[] = {
	{ "registered", PROVOKE_START },
	{ "death_declared", PROVOKE_DEATH },
	{ "reclaimed_in_part", PROVOKE_DEATH },
	{ "life_ended", PROVOKE_RETURN },
};

/* The instant of a fault: "probe-NAME". */
static const char *instant_of(const struct bout *bout)
{
	return strchr(bout->fault->name, '-') + 1;
}

static enum provocation provocation_of(const char *name)
{
	for (size_t i = 0; i < sizeof(PROVOKED) / sizeof(PROVOKED[0]); i++)
		if (strcmp(PROVOKED[i].name, name) == 0)
			return PROVOKED[i].provocation;
	return PROVOKE_NOTHING;
}

static bool has_fired(struct bout *bout)
{
	return order_taken_by(bout, instant_of(bout)) > 0;
}

/* --- the harm ----------------------------------------------------------------------------------- */

static int64_t patience_ms(const struct bout *bout)
{
	return PATIENCE_DEATHS * bout->stage->act->intervals.death_ms;
}

static int provoke(struct bout *bout, struct error *err)
{
	struct fleet *fleet = bout->stage->fleet;
	int status;

	switch (provocation_of(instant_of(bout))) {
	case PROVOKE_NOTHING:
		return 0;
	case PROVOKE_START:
		if (fleet_signal(fleet, bout->target, SIGKILL, err) != 0 ||
		    fleet_await_end(fleet, bout->target, patience_ms(bout), &status, err) != 0)
			return -1;
		return fleet_start(fleet, bout->target, err);
	case PROVOKE_DEATH:
		return fleet_signal(fleet, bout->target, SIGKILL, err);
	case PROVOKE_RETURN:
		if (victim_take(bout, sizeof(struct victim), err) == NULL ||
		    victim_stop(bout, err) != 0)
			return -1;
		return victim_await_death(bout, err);
	}
	return 0;
}

static int inject(struct bout *bout, struct error *err)
{
	fleet_expect_end(bout->stage->fleet, -1);
	if (order_give(bout, instant_of(bout), "kill", 0, err) != 0 || provoke(bout, err) != 0)
		return -1;
	if (provocation_of(instant_of(bout)) == PROVOKE_RETURN)
		return 0; /* it gets there when it goes on */
	return bout_await(bout, has_fired, patience_ms(bout), "the probe fires", err);
}

static int heal(struct bout *bout, struct error *err)
{
	pid_t pid;
	int status = 0;

	if (provocation_of(instant_of(bout)) == PROVOKE_RETURN) {
		status = fleet_signal(bout->stage->fleet, bout->target, SIGCONT, err);
		if (status == 0)
			status = bout_await(bout, has_fired, SETTLE_MS, "the probe fires", err);
	}
	pid = order_taken_by(bout, instant_of(bout));
	if (status == 0 && pid > 0 && process_await_end(pid, SETTLE_MS))
		bout_witness(bout, "process %d took the order at \"%s\" and is gone", (int)pid,
			     instant_of(bout));
	order_withdraw(bout, instant_of(bout));
	return status;
}

#define PROBE_POINT(word, program, text)                                                           \
	{                                                                                          \
		.row = 2,                                                                          \
		.name = "probe-" #word,                                                            \
		.stage = STAGE_PLAIN,                                                              \
		.demands = FAULT_NO_OVERLAP,                                                       \
		.what = "kills " program " when " text,                                            \
		.tool = "a probe of a test build",                                                 \
		.witness = "the process took the order away, and is gone",                         \
		.heals = "it is started again",                                                    \
		.pass = "no run of a job overlaps another",                                        \
		.possible = order_possible,                                                        \
		.inject = inject,                                                                  \
		.heal = heal,                                                                      \
	},

const struct fault fault_probe[] = {
#include "base/probes.def"
	{ 0 },
};
