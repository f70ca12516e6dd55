#include "tools/chaos/plan/chance.h"

#include <sys/random.h>

#include "base/clock.h"

/* SplitMix64. */
static const uint64_t STEP = 0x9e3779b97f4a7c15;

uint64_t chance_bits(uint64_t *state)
{
	uint64_t bits = *state += STEP;

	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
	return bits ^ (bits >> 31);
}

unsigned chance_below(uint64_t *state, unsigned below)
{
	return (unsigned)(((chance_bits(state) >> 32) * below) >> 32);
}

uint64_t chance_part(uint64_t seed, uint64_t number)
{
	uint64_t state = seed + number * STEP;

	return chance_bits(&state);
}

uint64_t chance_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint64_t)clock_wall_ms();
	return seed;
}
