#include "dispatcher/policy.h"

#include "base/clock.h"
#include "base/limits.h"

enum { RECONNECT_BASE_MS = 50, DOUBLINGS_MAX = 30 };

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

/* base · 2ⁿ, at most cap. */
static int64_t doubled_ms(int64_t base_ms, int n, int64_t cap_ms)
{
	int64_t delay_ms = base_ms << (n > DOUBLINGS_MAX ? DOUBLINGS_MAX : n);

	return delay_ms > cap_ms ? cap_ms : delay_ms;
}

int64_t policy_retry_delay_ms(int attempt)
{
	int64_t delay_ms = doubled_ms(LIMIT_RETRY_BASE_MS, attempt - 1, LIMIT_RETRY_CAP_MS);

	delay_ms += clock_jitter_ms(delay_ms / 2 + 1) - delay_ms / 4;
	/* What jitter carries over the cap is spread below it, so that it does not gather there. */
	if (delay_ms > LIMIT_RETRY_CAP_MS)
		delay_ms = LIMIT_RETRY_CAP_MS - clock_jitter_ms(LIMIT_RETRY_CAP_MS / 4 + 1);
	return delay_ms;
}

int64_t policy_reconnect_delay_ms(int n, int64_t cap_ms)
{
	int64_t delay_ms = doubled_ms(RECONNECT_BASE_MS, n, cap_ms);

	return delay_ms / 2 + clock_jitter_ms(delay_ms / 2 + 1);
}
