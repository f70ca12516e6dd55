/* A table from 64-bit keys to 64-bit values. The key 0 is not used. Owned by one thread. */
#ifndef LOCUM_TOOLS_CHAOS_JUDGE_CHECK_MAP_H
#define LOCUM_TOOLS_CHAOS_JUDGE_CHECK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_map {
	uint64_t *keys; /* 0: free */
	uint64_t *values;
	size_t room; /* a power of two, or 0 */
	size_t count;
};

/* Sets the value of a key; false when memory ends. */
bool check_map_put(struct check_map *map, uint64_t key, uint64_t value);

/* The value; NULL when there is none. Valid until the next put or drop. */
uint64_t *check_map_find(const struct check_map *map, uint64_t key);
void check_map_drop(struct check_map *map, uint64_t key);
void check_map_fini(struct check_map *map);

/* A key made of a text, and one of two keys; never 0. */
uint64_t check_map_key(const char *text);
uint64_t check_map_pair(uint64_t a, uint64_t b);

#endif
