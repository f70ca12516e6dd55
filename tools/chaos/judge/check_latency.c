/* How long pings, claims and jobs take, and whether a fault that must not lengthen it does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/check.h"

enum {
	PARTS = 8,          /* of an octave */
	CALM_LEAST = 100,   /* fewer tell nothing of what is usual */
	STRUCK_LEAST = 20,  /* fewer tell nothing of a bout */
	OUTLIERS = 2,       /* so many may be slower, where one in a hundred is less */
	PING_US = 10000,    /* usual is at least that, which a busy machine may add: to a ping, */
	CLAIM_US = 1000000, /* and to what waits for a dispatcher */
};

/* In a bout 99 % are to be at most so many times as slow as 99 % usually are, which is without one, or at least that. */
static const struct {
	unsigned demand;
	int times;
	int64_t usual_us;
	const char *what;
} KINDS[CHECK_LATENCIES] = {
	[CHECK_PING] = { FAULT_QUICK_PINGS, 5, PING_US, "pings" },
	[CHECK_CLAIM] = { FAULT_QUICK_CLAIMS, 5, CLAIM_US, "claims" },
	[CHECK_END] = { FAULT_QUICK_ENDS, 2, CLAIM_US, "jobs" },
};

/* --- distributions ------------------------------------------------------------------------------ */

/* An octave has as many places of the same width. */
static size_t place_of(int64_t us)
{
	uint64_t value = us < PARTS ? PARTS : (uint64_t)us;
	unsigned octave = 63 - (unsigned)__builtin_clzll(value);
	size_t place = octave * PARTS + (size_t)(value >> (octave - 3)) % PARTS;

	return place < CHECK_LATENCY_PLACES ? place : CHECK_LATENCY_PLACES - 1;
}

/* The least that has this place. */
static int64_t least_of(size_t place)
{
	return (int64_t)(PARTS + place % PARTS) << (place / PARTS - 3);
}

static void add(struct check_latency *latency, int64_t us)
{
	latency->counts[place_of(us)]++;
	latency->count++;
}

/* The place of the slowest but one in a hundred. */
static size_t slow_place(const struct check_latency *latency)
{
	uint32_t behind = latency->count / 100 > OUTLIERS ? latency->count / 100 : OUTLIERS;
	size_t place = CHECK_LATENCY_PLACES - 1;

	while (place > 0 && latency->counts[place] <= behind)
		behind -= latency->counts[place--];
	return place;
}

/* --- whose it is -------------------------------------------------------------------------------- */

void check_latency_expect(struct check *check, struct check_bout *bout)
{
	for (int kind = 0; kind < CHECK_LATENCIES; kind++)
		if ((bout->demands & KINDS[kind].demand) != 0) {
			bout->latencies[kind] = calloc(1, sizeof(*bout->latencies[kind]));
			check->has_latencies = true;
		}
}

void check_latency_fini(struct check *check)
{
	for (size_t i = 0; i < check->bout_count; i++)
		for (int kind = 0; kind < CHECK_LATENCIES; kind++)
			free(check->bouts[i].latencies[kind]);
}

/* How many bouts had been injected by then. Times ascend nearly always. */
static size_t bouts_by(struct check *check, int64_t at_us)
{
	size_t count = check->latency_at;

	while (count < check->bout_count && check->bouts[count].injected_us <= at_us)
		count++;
	while (count > 0 && check->bouts[count - 1].injected_us > at_us)
		count--;
	check->latency_at = count;
	return count;
}

/* Two bouts overlap at most. What began before a fault and ended in it is nobody's. */
void check_latency(struct check *check, enum check_latency_kind kind, int64_t from_us,
		   int64_t to_us)
{
	size_t count = check->has_latencies ? bouts_by(check, from_us) : 0;
	bool calm = count == check->bout_count || check->bouts[count].injected_us > to_us;

	if (!check->has_latencies)
		return;
	for (size_t i = count; i-- > 0 && i + 2 >= count;) {
		struct check_bout *bout = &check->bouts[i];

		if (bout->healed_us != 0 && bout->healed_us < from_us)
			continue;
		calm = false;
		if (bout->latencies[kind] != NULL)
			add(bout->latencies[kind], to_us - from_us);
	}
	if (calm)
		add(&check->calm[kind], to_us - from_us);
}

void check_latency_count_untold(struct check *check, const struct check_bout *bout,
				unsigned demands)
{
	for (int kind = 0; kind < CHECK_LATENCIES; kind++) {
		const struct check_latency *struck = bout->latencies[kind];

		if ((demands & KINDS[kind].demand) == 0 || struck == NULL)
			continue;
		if (struck->count < STRUCK_LEAST || check->calm[kind].count < CALM_LEAST)
			check->verdict->untold++;
		else
			check->told++;
	}
}

bool check_latency_is_met(const struct check *check, const struct check_bout *bout,
			  unsigned demands, char *why, size_t size)
{
	for (int kind = 0; kind < CHECK_LATENCIES; kind++) {
		const struct check_latency *calm = &check->calm[kind];
		const struct check_latency *struck = bout->latencies[kind];
		int64_t usual_us;
		int64_t most_us;

		if ((demands & KINDS[kind].demand) == 0 || struck == NULL ||
		    struck->count < STRUCK_LEAST || calm->count < CALM_LEAST)
			continue;
		usual_us = least_of(slow_place(calm) + 1);
		if (usual_us < KINDS[kind].usual_us)
			usual_us = KINDS[kind].usual_us;
		most_us = usual_us * KINDS[kind].times;
		if (least_of(slow_place(struck)) <= most_us)
			continue;
		snprintf(why, size,
			 "one in a hundred %s took %" PRId64 " ms or more; usual are %" PRId64
			 " ms, allowed %" PRId64,
			 KINDS[kind].what, least_of(slow_place(struck)) / 1000, usual_us / 1000,
			 most_us / 1000);
		return false;
	}
	return true;
}
