#include "tools/chaos/play/forecast.h"

#include <stdlib.h>

#include "base/clock.h"

enum {
	BOUT_MS = 4000,  /* what one is taken to last, until some have been seen */
	SUPPOSED = 10,   /* so many of those are counted among the seen */
	AROUND_MS = 6000 /* for raising a stage, and again for the last jobs and the verdict */
};

void forecast_init(struct forecast *forecast, const struct plan *plan, int64_t for_ms)
{
	*forecast = (struct forecast){
		.plan = plan,
		.ends_ms = plan->endless && for_ms > 0 ? clock_monotonic_ms() + for_ms : 0,
		.idle = calloc(plan->act_count, sizeof(bool)),
	};
	for (size_t i = 0; forecast->idle != NULL && i < plan->act_count; i++)
		forecast->idle[i] = !plan_is_possible(&plan->acts[i]);
}

void forecast_fini(struct forecast *forecast)
{
	free(forecast->idle);
	forecast->idle = NULL;
}

void forecast_act(struct forecast *forecast, size_t act)
{
	forecast->act = act;
	forecast->began_ms = 0;
	forecast->over = false;
	forecast->done = 0;
}

void forecast_bout(struct forecast *forecast, int done)
{
	if (forecast->began_ms == 0)
		forecast->began_ms = clock_monotonic_ms();
	forecast->done = done;
}

void forecast_bouts_over(struct forecast *forecast)
{
	forecast->over = true;
	if (forecast->began_ms == 0)
		return;
	forecast->bouts += forecast->done + 1;
	forecast->bouts_ms += clock_monotonic_ms() - forecast->began_ms;
}

static int64_t bout_ms(const struct forecast *forecast)
{
	int64_t bouts = forecast->bouts + SUPPOSED;
	int64_t ms = forecast->bouts_ms + (int64_t)SUPPOSED * BOUT_MS;

	if (!forecast->over && forecast->began_ms != 0) {
		bouts += forecast->done;
		ms += clock_monotonic_ms() - forecast->began_ms;
	}
	return ms / bouts;
}

/* From its first bout; the first round is played whole, and then until its time is over. */
static int64_t bouts_left_ms(const struct forecast *forecast, const struct plan_act *act, int done,
			     int64_t past_ms)
{
	int64_t left = (int64_t)act->bout_count + act->random_pairs - done;
	int64_t ms = left > 0 ? left * bout_ms(forecast) : 0;

	return ms > act->for_ms - past_ms ? ms : act->for_ms - past_ms;
}

static int64_t present_left_ms(const struct forecast *forecast)
{
	const struct plan_act *act = &forecast->plan->acts[forecast->act];
	int64_t past_ms = forecast->began_ms == 0 ? 0 : clock_monotonic_ms() - forecast->began_ms;

	if (forecast->over)
		return AROUND_MS;
	return bouts_left_ms(forecast, act, forecast->done, past_ms) + AROUND_MS;
}

int64_t forecast_left_ms(const struct forecast *forecast)
{
	const struct plan *plan = forecast->plan;
	int64_t left_ms;

	if (plan->endless) {
		left_ms = forecast->ends_ms - clock_monotonic_ms();
		return forecast->ends_ms == 0 ? -1 : left_ms < 0 ? 0 : left_ms;
	}
	left_ms = present_left_ms(forecast);
	for (size_t i = forecast->act + 1; i < plan->act_count; i++)
		if (forecast->idle == NULL || !forecast->idle[i])
			left_ms += 2 * AROUND_MS + bouts_left_ms(forecast, &plan->acts[i], 0, 0);
	return left_ms;
}
