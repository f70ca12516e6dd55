/* Claims that the database counts and no worker knows, and workers whose logs are missing. */
#include <inttypes.h>

#include "tools/chaos/judge/check.h"

/* A claim whose answer its owner never got, and that nobody gave back. */
static void count_leak(struct check *check, int64_t id, struct check_job *job)
{
	const struct check_life *life = check_lives_of(check, job);
	bool held = job->step == CHECK_ASSIGNED || job->step == CHECK_ACTIVE;

	if (held && (job->flags & CHECK_FRESH) == 0 && life != NULL && life->ended_us == 0 &&
	    life->pid != 0 && job->known == 0) {
		check->verdict->leaked_claims++;
		verdict_violate(check->verdict, VERDICT_L3,
				"job %" PRId64 " stays with %s, which knows nothing of it", id,
				life->name);
	}
}

int64_t check_leaks_known_us(const struct check *check)
{
	return 2 * check->ping_us + check->poll_us + CHECK_SLACK_US;
}

/* A claim whose owner is gone. Where the drain was given up it may have been about to be reclaimed. */
static void count_orphan(struct check *check, int64_t id, struct check_job *job)
{
	const struct check_life *life = check_lives_of(check, job);
	bool held = job->step == CHECK_ASSIGNED || job->step == CHECK_ACTIVE;
	int64_t most_us = check->death_us + 2 * check->scan_us + CHECK_SLACK_US;

	if (!held || life == NULL || life->ended_us == 0 ||
	    check_read_is_behind_record(check, life->ended_us + most_us))
		return;
	check->verdict->orphans++;
	verdict_violate(check->verdict, VERDICT_L3, "job %" PRId64 " stays with %s, which is %s",
			id, life->name, life->is_dead ? "dead" : "stopped");
}

void check_leaks_orphans(struct check *check)
{
	check_jobs_each(check, count_orphan);
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
