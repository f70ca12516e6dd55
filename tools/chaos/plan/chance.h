/* Chance that repeats: the same draws from the same seed. */
#ifndef LOCUM_TOOLS_CHAOS_PLAN_CHANCE_H
#define LOCUM_TOOLS_CHAOS_PLAN_CHANCE_H

#include <stdint.h>

/* 64 random bits; *state goes on to the next. */
uint64_t chance_bits(uint64_t *state);

/* From 0 to below `below`, which is at least 1. */
unsigned chance_below(uint64_t *state, unsigned below);

/* The seed of the part `number` of what has this seed. */
uint64_t chance_part(uint64_t seed, uint64_t number);

/* A seed from the system. */
uint64_t chance_seed(void);

#endif
