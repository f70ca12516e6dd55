/* What is known of single claims: in the job, of its latest one; in check->backs, of those that ended without ending it. */
#include <string.h>

#include "tools/chaos/judge/check.h"

/* The value of a map. */
struct back {
	uint32_t at_ms;
	uint16_t life;
	uint16_t flags;
};
_Static_assert(sizeof(struct back) == sizeof(uint64_t),
	       "a claim that came back is a value of a map");

static uint64_t value_of(struct back back)
{
	uint64_t value;

	memcpy(&value, &back, sizeof(value));
	return value;
}

static struct back back_of(uint64_t value)
{
	struct back back;

	memcpy(&back, &value, sizeof(back));
	return back;
}

static uint64_t *find(const struct check *check, int64_t id, uint64_t claim)
{
	return check_map_find(&check->backs, check_map_pair((uint64_t)id, claim));
}

void check_claims_back(struct check *check, int64_t id, const struct check_job *job, int64_t at_us)
{
	struct back back = { .at_ms = (uint32_t)((at_us - check->began_us) / 1000),
			     .life = job->life,
			     .flags = job->flags & (CHECK_STARTED | CHECK_SILENT) };

	check_map_put(&check->backs, check_map_pair((uint64_t)id, job->claim), value_of(back));
}

bool check_claims_find(const struct check *check, int64_t id, uint64_t claim,
		       struct check_claim *found)
{
	const uint64_t *value = find(check, id, claim);
	struct back back;

	if (value == NULL)
		return false;
	back = back_of(*value);
	*found = (struct check_claim){ .back_us = check->began_us + back.at_ms * INT64_C(1000),
				       .life = back.life,
				       .flags = back.flags };
	return true;
}

unsigned check_claims_flags(struct check *check, int64_t id, uint64_t claim)
{
	const struct check_job *job = check_jobs_at(check, id);
	struct check_claim back;

	if (check_claims_find(check, id, claim, &back))
		return back.flags;
	return job != NULL && job->claim == claim ? job->flags : 0;
}

void check_claims_note(struct check *check, int64_t id, uint64_t claim, enum check_flag flag)
{
	struct check_job *job = check_jobs_at(check, id);
	uint64_t *value = find(check, id, claim);
	struct back back;

	if (job != NULL && job->claim == claim)
		job->flags |= (uint16_t)flag;
	if (value == NULL)
		return;
	back = back_of(*value);
	back.flags |= (uint16_t)flag;
	*value = value_of(back);
}

uint16_t check_claims_life(struct check *check, int64_t id, uint64_t claim)
{
	const struct check_job *job = check_jobs_at(check, id);
	struct check_claim back;

	if (check_claims_find(check, id, claim, &back))
		return back.life;
	return job != NULL && job->claim == claim ? job->life : CHECK_NO_LIFE;
}

void check_claims_each(struct check *check,
		       void (*visit)(struct check *, const struct check_claim *claim))
{
	for (size_t i = 0; i < check->backs.room; i++) {
		struct back back = back_of(check->backs.values[i]);
		struct check_claim claim = { .back_us = check->began_us +
							back.at_ms * INT64_C(1000),
					     .life = back.life,
					     .flags = back.flags };

		if (check->backs.keys[i] != 0)
			visit(check, &claim);
	}
}
