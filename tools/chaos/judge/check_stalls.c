/* When the machine stood still, by the harness's own pulse: then nobody on it did what it was to do. */
#include "tools/chaos/judge/check.h"

bool check_stalls_take(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t from_us;
	int64_t ms;

	(void)count;
	if (!check_read_number(words[1], &from_us) || !check_read_number(words[2], &ms) ||
	    ms <= 0 || from_us > at_us || ms > (at_us - from_us) / 1000)
		return false;
	if (check_read_room(check, &check->stalls, &check->stall_room, check->stall_count,
			    sizeof(*check->stalls)))
		check->stalls[check->stall_count++] =
			(struct check_stall){ .from_us = from_us, .until_us = from_us + ms * 1000 };
	return true;
}

int64_t check_stalls_us(const struct check *check, int64_t from_us, int64_t to_us)
{
	int64_t sum_us = 0;

	for (size_t i = 0; i < check->stall_count; i++) {
		const struct check_stall *stall = &check->stalls[i];
		int64_t begin_us = stall->from_us > from_us ? stall->from_us : from_us;
		int64_t end_us = stall->until_us < to_us ? stall->until_us : to_us;

		sum_us += end_us > begin_us ? end_us - begin_us : 0;
	}
	return sum_us;
}

/* A watch begins anew after two scans, or two pings, that were missed; the last of them was up to one interval before. */
int64_t check_stalls_delay(const struct check *check, int64_t from_us, int64_t to_us)
{
	int64_t restarts_us = check->scan_us < check->ping_us ? check->scan_us : check->ping_us;
	int64_t delay_us = check_stalls_us(check, from_us, to_us);

	for (size_t i = 0; i < check->stall_count; i++) {
		const struct check_stall *stall = &check->stalls[i];

		if (stall->from_us < to_us && stall->until_us > from_us &&
		    stall->until_us - stall->from_us >= restarts_us)
			delay_us += check->death_us;
	}
	return delay_us;
}
