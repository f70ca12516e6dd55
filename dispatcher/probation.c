#include "dispatcher/probation.h"

#include "base/clock.h"

static int64_t length_ms(int recoveries)
{
	int64_t length_ms = LIMIT_PROBATION_MS;

	for (int i = LIMIT_SUSPECTED; i < recoveries && i <= LIMIT_INTERRUPTIONS; i++)
		length_ms *= LIMIT_PROBATION_GROWTH;
	return length_ms;
}

bool probation_applies(const struct job_claimed *job)
{
	return job->recoveries > 0 && job->interruptions >= LIMIT_SUSPECTED;
}

bool probation_is_free(const struct pump *pump)
{
	return pump->probation.until_ms == 0;
}

void probation_enter(struct pump *pump, const struct job_claimed *job, struct uuid claim_id)
{
	pump->probation.job = job->id;
	pump->probation.claim_id = claim_id;
	pump->probation.until_ms = clock_monotonic_ms() + length_ms(job->recoveries);
}

void probation_run(struct pump *pump, int64_t now_ms)
{
	const struct probation *probation = &pump->probation;
	const struct holding *holding;

	if (probation_is_free(pump))
		return;
	holding = ledger_find(pump->ledger, probation->job, probation->claim_id);
	if (now_ms < probation->until_ms && holding != NULL && holding->stage != HOLDING_ENDED)
		return;
	pump->probation.until_ms = 0;
	for (int i = 0; i < pump->agent_count; i++)
		claimer_wake(pump->claimers[i]);
}

bool probation_blames(const struct holding *holding, int64_t now_boot_ms)
{
	return holding->recoveries > 0 && holding->started_ms > 0 &&
	       now_boot_ms - holding->started_ms < length_ms(holding->recoveries);
}
