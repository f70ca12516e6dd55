#include "dispatcher/policy.h"

#include "base/clock.h"

enum { RECONNECT_BASE_MS = 50, DOUBLINGS_MAX = 30, RETURN_INTERVALS_MAX = 10 };

const char *policy_outcome(enum verdict verdict, int attempt, int max_attempts)
{
	switch (verdict) {
	case VERDICT_DONE:
		return "completed";
	case VERDICT_RETRY:
		return attempt >= max_attempts ? "failed" : "retry";
	case VERDICT_FAIL:
		return "failed";
	case VERDICT_RELEASED:
		return "release";
	case VERDICT_INTERRUPTED:
		return "interrupt";
	case VERDICT_CANCELLED:
		return "cancelled";
	case VERDICT_SNOOZED:
		return "snooze";
	case VERDICT_SETTLED:
	case VERDICT_LOST:
		return NULL;
	}
	return "release"; /* not reached: the wire refuses other values */
}

int64_t policy_reconnect_delay_ms(int n, int64_t cap_ms)
{
	int64_t delay_ms = (int64_t)RECONNECT_BASE_MS << (n > DOUBLINGS_MAX ? DOUBLINGS_MAX : n);

	if (delay_ms > cap_ms)
		delay_ms = cap_ms;
	return delay_ms / 2 + clock_jitter_ms(delay_ms / 2 + 1);
}

int64_t policy_return_delay_ms(int deaths, int64_t death_interval_ms)
{
	int64_t cap_ms = death_interval_ms * RETURN_INTERVALS_MAX;
	int64_t delay_ms = death_interval_ms / 2;

	if (deaths == 0)
		return 0;
	for (int i = 1; i < deaths && delay_ms < cap_ms; i++)
		delay_ms *= 2;
	if (delay_ms > cap_ms)
		delay_ms = cap_ms;
	return delay_ms / 2 + clock_jitter_ms(delay_ms / 2 + 1);
}
