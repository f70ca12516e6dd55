/* How fast jobs end, and how soon they do so again after a fault. */
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/judge/check.h"
#include "tools/chaos/plan/plan.h"

enum { WINDOW_SPANS = 10, PATIENCE_SPANS = 100, SPANS_MAX = 1 << 24, BACK_MS = 10000 };

void check_pace_end(struct check *check, int64_t at_us)
{
	size_t span;

	if (at_us < check->began_us || at_us - check->began_us >= INT64_C(100000) * SPANS_MAX)
		return;
	span = (size_t)((at_us - check->began_us) / CHECK_BUCKET_US);
	while (span >= check->end_room) {
		size_t before = check->end_room;

		if (!check_read_room(check, &check->ends, &check->end_room, before,
				     sizeof(*check->ends)))
			return;
		memset(check->ends + before, 0, (check->end_room - before) * sizeof(*check->ends));
	}
	check->ends[span]++;
}

/* Ends in the spans from `from` to before `to`. */
static int64_t count(const struct check *check, int64_t from, int64_t to)
{
	int64_t sum = 0;

	for (int64_t span = from < 0 ? 0 : from; span < to && span < (int64_t)check->end_room;
	     span++)
		sum += check->ends[span];
	return sum;
}

static int64_t span_of(const struct check *check, int64_t at_us)
{
	return (at_us - check->began_us) / CHECK_BUCKET_US;
}

/* Ends in a window at the mean rate of the act. */
static int64_t usual(const struct check *check)
{
	int64_t first = 0;
	int64_t last = (int64_t)check->end_room;

	while (first < last && check->ends[first] == 0)
		first++;
	while (last > first && check->ends[last - 1] == 0)
		last--;
	return last == first ? 0 : count(check, first, last) * WINDOW_SPANS / (last - first);
}

/* When all is healed that overlapped with it. */
static int64_t healed_us(const struct check *check, const struct check_bout *bout)
{
	int64_t others_us = check_bouts_heal(check, bout->injected_us, bout->settled_us);

	return others_us > bout->healed_us ? others_us : bout->healed_us;
}

/* Where clients submit as fast as jobs end, the mean says nothing of what is usual. */
static bool is_steady(const struct check *check)
{
	return check->terms == NULL || check->terms->act->load.rate > 0;
}

/* When the next harm is done; what work does from then on says nothing of this one. */
static int64_t next_us(const struct check *check, int64_t after_us)
{
	int64_t next_us = INT64_MAX;

	for (size_t i = 0; i < check->bout_count; i++)
		if (check->bouts[i].injected_us > after_us && check->bouts[i].injected_us < next_us)
			next_us = check->bouts[i].injected_us;
	return next_us;
}

/* From the heal until a second begins in which 90 % of the usual jobs ended, in whole spans. One in which the next fault
 * came first is at least so long, if that is longer than the nemesis waits; else -1: it was not seen. */
static int64_t back_ms(const struct check *check, const struct check_bout *bout, int64_t base)
{
	int64_t from_us = healed_us(check, bout);
	int64_t until_us = next_us(check, from_us);
	int64_t healed = span_of(check, from_us);
	int64_t until = until_us == INT64_MAX ? (int64_t)check->end_room : span_of(check, until_us);

	for (int64_t at = healed; at <= until && at < (int64_t)check->end_room; at++)
		if (count(check, at, at + WINDOW_SPANS) * 10 >= base * 9)
			return (at - healed + 1) * CHECK_BUCKET_US / 1000;
	return until_us != INT64_MAX && until - healed >= PATIENCE_SPANS
		       ? (until - healed) * CHECK_BUCKET_US / 1000
		       : -1;
}

void check_pace(struct check *check)
{
	int64_t base = usual(check);

	for (size_t i = 0; i < check->bout_count; i++) {
		struct check_bout *bout = &check->bouts[i];
		struct verdict_fault *fault = &check->verdict->faults[bout->fault];
		int64_t ms = bout->healed_us == 0 || base == 0 ? -1 : back_ms(check, bout, base);

		if (ms > fault->back_max_ms)
			fault->back_max_ms = ms;
		if (ms > check->verdict->back_max_ms)
			check->verdict->back_max_ms = ms;
		check->verdict->paced += ms >= 0;
		bout->slow = ms > BACK_MS && is_steady(check);
	}
}
