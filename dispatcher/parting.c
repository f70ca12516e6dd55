#include "dispatcher/parting.h"

#include "base/clock.h"
#include "base/log.h"
#include "dispatcher/courier.h"
#include "dispatcher/probation.h"

struct parting {
	struct pump *pump;
	int agent;
	int64_t now_boot_ms;
	bool suspects; /* it had jobs on probation */
	int64_t interrupted;
	int64_t released;
};

static bool is_of(const struct parting *parting, const struct holding *holding)
{
	return holding->agent == parting->agent && holding->stage != HOLDING_ENDED;
}

static void look_for_suspects(struct holding *holding, void *context)
{
	struct parting *parting = context;

	if (is_of(parting, holding) && probation_blames(holding, parting->now_boot_ms))
		parting->suspects = true;
}

static void hand_back(struct holding *holding, void *context)
{
	struct parting *parting = context;
	bool started = holding->stage == HOLDING_STARTED || holding->started_ms > 0;
	struct error err = { ERROR_NONE, "", "" };

	if (!is_of(parting, holding))
		return;
	if (parting->suspects && holding->retries &&
	    !probation_blames(holding, parting->now_boot_ms)) {
		holding->started_ms = 0; /* so it counts as not interrupted */
		started = false;
	}
	if (outbox_add_plain(parting->pump->outbox, holding, "recover", "its agent died", &err) !=
	    0) {
		courier_forget(parting->pump, holding, &err);
		return;
	}
	ledger_advance(parting->pump->ledger, holding, HOLDING_ENDED);
	parting->interrupted += started;
	parting->released += !started;
}

/* Takes its last frames first. */
void parting_take(struct pump *pump, int agent)
{
	struct parting parting = { .pump = pump, .agent = agent };

	if (pump->links[agent].fd >= 0)
		courier_receive(pump, agent);
	link_close(&pump->links[agent]);
	parting.now_boot_ms = clock_boottime_ms();
	ledger_each(pump->ledger, look_for_suspects, &parting);
	ledger_each(pump->ledger, hand_back, &parting);
	if (parting.interrupted + parting.released > 0)
		log_warning("jobs of a dead agent handed back",
			    log_text("agent", pump->options.config->agents[agent].name),
			    log_number("interrupted", parting.interrupted),
			    log_number("uncounted", parting.released));
}
