#include "dispatcher/drain.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "dispatcher/courier.h"
#include "dispatcher/turn.h"

enum { END_MS = 10000 }; /* longest wait for the last outcomes after the agents were stopped */

void drain_quiet(struct pump *pump)
{
	if (!pump->quiet)
		log_info("quiet: nothing more is claimed",
			 log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	pump->quiet = true;
}

void drain_begin(struct pump *pump, int64_t since_ms)
{
	if (pump->draining)
		return;
	pump->draining = true;
	pump->counts.drained = ledger_count(pump->ledger);
	pump->drain_deadline_ms = since_ms + pump->options.config->drain_timeout_ms;
	log_info("draining", log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	courier_recall(pump);
}

/* The time for finishing is over, or somebody is in a hurry, perhaps after that. */
static void release_all(struct pump *pump, int64_t grace_ms, int64_t end_ms)
{
	int64_t deadline_ms = clock_monotonic_ms() + end_ms;

	if (pump->releasing && deadline_ms >= pump->drain_deadline_ms)
		return;
	if (!pump->draining)
		pump->counts.drained = ledger_count(pump->ledger);
	for (int i = 0; !pump->releasing && i < pump->agent_count; i++)
		pump->counts.forced += ledger_load(pump->ledger, i);
	if (!pump->releasing && ledger_count(pump->ledger) > 0)
		log_warning("handing back what remains",
			    log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	pump->draining = true;
	pump->releasing = true;
	pump->drain_deadline_ms = deadline_ms;
	courier_stop(pump, grace_ms);
}

void drain_release(struct pump *pump)
{
	release_all(pump, 0, PUMP_RELEASE_MS);
}

void drain_say(struct pump *pump)
{
	struct error err = { ERROR_NONE, "", "" };

	if (!pump->draining || pump->drain_said)
		return;
	pump->drain_said = true;
	if (dispatcher_drain(pump->main.db, pump->incarnation, &err) != 0)
		log_warning("the drain could not be recorded", log_err(&err));
}

bool drain_is_over(struct pump *pump)
{
	if (!pump->draining)
		return false;
	if (ledger_count(pump->ledger) == 0 && !turn_is_claiming(pump))
		return true;
	if (clock_monotonic_ms() < pump->drain_deadline_ms)
		return false;
	if (pump->releasing)
		return true;
	release_all(pump, pump->options.config->kill_grace_ms,
		    pump->options.config->kill_grace_ms + END_MS);
	return false;
}

void drain_log(const struct pump *pump)
{
	size_t remaining = ledger_count(pump->ledger);
	bool forced = pump->counts.forced > 0 || remaining > 0;

	LOG_LINE(forced ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		 forced ? "drained by force" : "drained",
		 log_number("held", (int64_t)pump->counts.drained),
		 log_number("handed_back", (int64_t)pump->counts.handed_back),
		 log_number("remaining", (int64_t)remaining));
}
