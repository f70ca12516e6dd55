/* Claims that the database counts and no worker knows, and workers whose logs are missing. */
#include <inttypes.h>

#include "tools/chaos/judge/check.h"

/* A claim whose answer its owner never got, and that nobody gave back. */
static void count_leak(struct check *check, int64_t id, struct check_job *job)
{
	const struct check_life *life = check_lives_of(check, job);
	bool held = job->step == CHECK_ASSIGNED || job->step == CHECK_ACTIVE;

	if (held && life != NULL && life->ended_us == 0 && life->pid != 0 && job->known == 0) {
		check->verdict->leaked_claims++;
		verdict_violate(check->verdict, VERDICT_L3,
				"job %" PRId64 " stays with %s, which knows nothing of it", id,
				life->name);
	}
}

static void judge_logs(struct check *check)
{
	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];

		if (life->claims > 0 && life->pid == 0 && !check->may_lose)
			check_read_unsound(check, "no worker's log tells of %s, which had claims",
					   life->name);
	}
}

void check_leaks(struct check *check)
{
	judge_logs(check);
	check_jobs_each(check, count_leak);
}
