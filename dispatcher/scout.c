#include "dispatcher/scout.h"

#include "base/clock.h"
#include "db/job.h"
#include "dispatcher/turn.h"

static int look(struct pump *pump, struct claimer *claimer, int64_t now_ms, struct error *err)
{
	struct job_look_args args = { 0 };
	struct job_sight sight;

	args.range_count = claimer_begin_look(claimer, now_ms, &args.ranges, &args.whole,
					      &args.known);
	args.handlers = claimer_handlers(claimer, &args.handler_count);
	args.queues = claimer_queues(claimer, &args.queue_count);
	if (job_look(pump->main.db, &args, &sight, err) != 0) {
		claimer_drop(claimer);
		return -1;
	}
	/* Who has nothing to commit has nothing to lose. */
	if (!sight.ready && !sight.due && !sight.expired && ledger_count(pump->ledger) == 0)
		pump_succeed(pump, &pump->main);
	if (sight.changed)
		pump->queues_due_ms = 0;
	if (sight.due || sight.expired)
		pump->due_due_ms = 0;
	else
		turn_skip_sweeps(pump, now_ms);
	claimer_take_look(claimer, sight.ready || sight.due || sight.expired || sight.changed,
			  now_ms, clock_monotonic_ms());
	return 0;
}

int scout_run(struct pump *pump, int64_t now_ms, struct error *err)
{
	for (int i = 0; i < pump->agent_count; i++)
		if (claimer_looks(pump->claimers[i]) && turn_may_claim(pump, i, now_ms) &&
		    !claimer_wants_horizon(pump->claimers[i]) &&
		    look(pump, pump->claimers[i], now_ms, err) != 0)
			return -1;
	return 0;
}
