#include "dispatcher/scout.h"

#include "base/clock.h"
#include "db/job.h"
#include "dispatcher/turn.h"

/* One that wants to know the highest id wants a claim, which is told. */
static bool may_look(const struct pump *pump, int agent, int64_t now_ms, int64_t due_ms)
{
	return claimer_looks(pump->claimers[agent], now_ms) &&
	       !claimer_wants_horizon(pump->claimers[agent]) && turn_may_claim(pump, agent, due_ms);
}

void scout_call(struct pump *pump, int agent, struct db_call *call)
{
	struct job_look_args look;

	claimer_begin_look(pump->claimers[agent], &look);
	job_look_call(call, &look);
}

int scout_take(struct pump *pump, int agent, int64_t now_ms, const PGresult *rows,
	       struct error *err)
{
	struct claimer *claimer = pump->claimers[agent];
	struct job_sight sight;

	if (rows == NULL || job_look_rows(rows, &sight, err) != 0) {
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
	int status = 0;

	for (int i = 0; i < pump->agent_count && status == 0; i++) {
		struct db_call call;
		PGresult *rows = NULL;

		if (!may_look(pump, i, now_ms, now_ms))
			continue;
		scout_call(pump, i, &call);
		status = db_run(pump->main.db, &call, 1, &rows, err);
		if (scout_take(pump, i, now_ms, rows, err) != 0)
			status = -1;
		PQclear(rows);
	}
	return status;
}

int scout_find(const struct pump *pump, int64_t now_ms)
{
	int64_t soon_ms = now_ms + pump->options.config->poll_interval_ms / 2;

	for (int i = 0; i < pump->agent_count; i++)
		if (may_look(pump, i, now_ms, soon_ms))
			return i;
	return -1;
}
