#include "tools/chaos/judge/check_map.h"

#include <stdlib.h>

enum { ROOM_AT_FIRST = 64 };

static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	value ^= value >> 32;
	value *= UINT64_C(0xd6e8feb86659fd93);
	value ^= value >> 32;
	return value;
}

uint64_t check_map_key(const char *text)
{
	uint64_t key = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		key = (key ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	key = mix(key);
	return key != 0 ? key : 1;
}

uint64_t check_map_pair(uint64_t a, uint64_t b)
{
	uint64_t key = mix(mix(a) + b);

	return key != 0 ? key : 1;
}

/* Where the key is, or the free place where it goes. */
static size_t place_of(const struct check_map *map, uint64_t key)
{
	size_t place = mix(key) & (map->room - 1);

	while (map->keys[place] != 0 && map->keys[place] != key)
		place = (place + 1) & (map->room - 1);
	return place;
}

static bool grow(struct check_map *map)
{
	struct check_map larger = { .room = map->room == 0 ? ROOM_AT_FIRST : map->room * 2,
				    .count = map->count };

	larger.keys = calloc(larger.room, sizeof(*larger.keys));
	larger.values = calloc(larger.room, sizeof(*larger.values));
	if (larger.keys == NULL || larger.values == NULL) {
		check_map_fini(&larger);
		return false;
	}
	for (size_t i = 0; i < map->room; i++) {
		if (map->keys[i] != 0) {
			size_t place = place_of(&larger, map->keys[i]);

			larger.keys[place] = map->keys[i];
			larger.values[place] = map->values[i];
		}
	}
	check_map_fini(map);
	*map = larger;
	return true;
}

bool check_map_put(struct check_map *map, uint64_t key, uint64_t value)
{
	size_t place;

	if (map->count * 4 >= map->room * 3 && !grow(map))
		return false;
	place = place_of(map, key);
	if (map->keys[place] == 0)
		map->count++;
	map->keys[place] = key;
	map->values[place] = value;
	return true;
}

uint64_t *check_map_find(const struct check_map *map, uint64_t key)
{
	size_t place;

	if (map->room == 0)
		return NULL;
	place = place_of(map, key);
	return map->keys[place] == key ? &map->values[place] : NULL;
}

void check_map_drop(struct check_map *map, uint64_t key)
{
	size_t hole;
	size_t mask = map->room - 1;

	if (check_map_find(map, key) == NULL)
		return;
	hole = place_of(map, key);
	map->count--;
	/* What stands behind it and belongs before the hole moves up. */
	for (size_t at = (hole + 1) & mask; map->keys[at] != 0; at = (at + 1) & mask) {
		size_t home = mix(map->keys[at]) & mask;

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			map->keys[hole] = map->keys[at];
			map->values[hole] = map->values[at];
			hole = at;
		}
	}
	map->keys[hole] = 0;
}

void check_map_fini(struct check_map *map)
{
	free(map->keys);
	free(map->values);
	*map = (struct check_map){ 0 };
}
