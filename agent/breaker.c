#include "agent/breaker.h"

#include "base/clock.h"

enum { DOUBLINGS_MAX = 20 };

/* A quarter of jitter, so that the agents of a fleet do not crash in step. */
static int64_t wait_ms(int waits)
{
	int64_t wait;

	if (waits <= 1)
		return 0;
	wait = (int64_t)BREAKER_BASE_MS << (waits - 2 > DOUBLINGS_MAX ? DOUBLINGS_MAX : waits - 2);
	if (wait > BREAKER_CAP_MS)
		wait = BREAKER_CAP_MS;
	return wait - clock_jitter_ms(wait / 4 + 1);
}

static bool open_breaker(struct breaker *breaker)
{
	bool was_open = breaker->open;

	breaker->open = true;
	breaker->on_probation = false;
	return !was_open;
}

static bool is_counted(const struct breaker *breaker, int64_t lived_ms, int64_t now_ms)
{
	return breaker->crashes > 0 && now_ms - breaker->last_ms < BREAKER_EVENT_MS &&
	       now_ms - lived_ms < breaker->last_ms;
}

bool breaker_crash(struct breaker *breaker, int64_t lived_ms, int64_t now_ms)
{
	if (is_counted(breaker, lived_ms, now_ms))
		return false;
	if (breaker->crashes == 0 || now_ms - breaker->first_ms > BREAKER_WINDOW_MS) {
		breaker->crashes = 0;
		breaker->first_ms = now_ms;
	}
	breaker->crashes++;
	breaker->last_ms = now_ms;
	breaker->waits++;
	breaker->due_ms = now_ms + wait_ms(breaker->waits);
	return (breaker->on_probation || breaker->crashes >= BREAKER_CRASHES) &&
	       open_breaker(breaker);
}

bool breaker_trip(struct breaker *breaker, int64_t now_ms)
{
	bool was_open = breaker->open;

	if (breaker->waits < BREAKER_CRASHES)
		breaker->waits = BREAKER_CRASHES;
	breaker_crash(breaker, 0, now_ms);
	open_breaker(breaker);
	return !was_open;
}

bool breaker_ready(struct breaker *breaker)
{
	if (!breaker->open)
		return false;
	breaker->open = false;
	breaker->on_probation = true;
	return true;
}

void breaker_success(struct breaker *breaker)
{
	breaker->crashes = 0;
	breaker->waits = 0;
	breaker->on_probation = false;
}
