/* How fast jobs end, and how soon they do so again after a fault. */
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/check.h"

enum { WINDOW_SPANS = 10, SPANS_MAX = 1 << 24 };

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

/* From the heal until a second begins in which 90 % of the usual jobs ended, in whole spans; -1: it was not seen. */
static int64_t back_ms(const struct check *check, const struct check_bout *bout, int64_t base)
{
	int64_t healed = span_of(check, bout->healed_us);

	for (int64_t at = healed; at + WINDOW_SPANS <= (int64_t)check->end_room; at++)
		if (count(check, at, at + WINDOW_SPANS) * 10 >= base * 9)
			return (at - healed + 1) * CHECK_BUCKET_US / 1000;
	return -1;
}

void check_pace(struct check *check)
{
	int64_t base = usual(check);

	for (size_t i = 0; i < check->bout_count; i++) {
		const struct check_bout *bout = &check->bouts[i];
		struct verdict_fault *fault = &check->verdict->faults[bout->fault];
		int64_t ms = bout->healed_us == 0 || base == 0 ? -1 : back_ms(check, bout, base);

		if (ms > fault->back_max_ms)
			fault->back_max_ms = ms;
	}
}
