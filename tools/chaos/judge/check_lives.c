#include <stdio.h>
#include <string.h>

#include "tools/chaos/judge/check.h"

struct check_life *check_lives_find(const struct check *check, const char *incarnation)
{
	const uint64_t *place = check_map_find(&check->life_by_key, check_map_key(incarnation));

	return place == NULL ? NULL : &check->lives[*place];
}

struct check_life *check_lives_add(struct check *check, const char *incarnation)
{
	struct check_life *life;

	if (check->life_count >= CHECK_NO_LIFE) {
		check_read_unsound(check, "more incarnations than the judge can tell apart");
		return NULL;
	}
	if (!check_read_room(check, &check->lives, &check->life_room, check->life_count,
			     sizeof(*check->lives)) ||
	    !check_map_put(&check->life_by_key, check_map_key(incarnation), check->life_count))
		return NULL;
	life = &check->lives[check->life_count++];
	memset(life, 0, sizeof(*life));
	life->key = check_map_key(incarnation);
	life->place = -1;
	snprintf(life->name, sizeof(life->name), "%s", incarnation);
	return life;
}

size_t check_lives_place(const struct check *check, const struct check_life *life)
{
	return (size_t)(life - check->lives);
}

struct check_life *check_lives_of(const struct check *check, const struct check_job *job)
{
	return job->life < check->life_count ? &check->lives[job->life] : NULL;
}
