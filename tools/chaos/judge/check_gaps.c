/* Each end of a job by a claim leaves traces in three logs. One that is missing, and that nothing explains, was lost. */
#include <inttypes.h>

#include "tools/chaos/judge/check.h"

static int64_t ended_us(const struct check *check, const struct check_job *job)
{
	return check->began_us + job->since_ms * INT64_C(1000);
}

/* A run that completes its job itself needs its worker no more. It is killed, frozen or cut off meanwhile, is heard of no
 * more by the database, and is declared dead. */
static bool was_unheard(const struct check *check, const struct check_job *job,
			const struct check_life *life)
{
	return life->is_dead && life->contact_us <= ended_us(check, job) + CHECK_SLACK_US;
}

/* Where a server that forgot may have answered, a worker may have been told that its job was reassigned. */
static bool is_told(const struct check *check, const struct check_job *job)
{
	return (job->flags & (CHECK_TOLD_END | (check->may_lose ? CHECK_LOST : 0))) != 0;
}

/* The start of what was reclaimed is committed before it is handed out; where that answer was lost it is given back. */
static bool lacks_begin(unsigned flags)
{
	return (flags & (CHECK_STARTED | CHECK_BEGUN)) == CHECK_STARTED &&
	       (flags & (CHECK_RAN | CHECK_DONE)) != 0;
}

static void judge_worker(struct check *check, int64_t id, const struct check_job *job)
{
	const struct check_life *life = check_lives_of(check, job);

	if (life == NULL)
		return;
	if ((job->flags & CHECK_TOLD_CLAIM) == 0)
		check_read_gap(check,
			       "the log of %s does not tell of the claim by which job %" PRId64
			       " ended",
			       life->name, id);
	else if (lacks_begin(job->flags))
		check_read_gap(check, "the log of %s does not tell that job %" PRId64 " was begun",
			       life->name, id);
	else if (!is_told(check, job) && !was_unheard(check, job, life))
		check_read_gap(check, "the log of %s does not tell of the end of job %" PRId64,
			       life->name, id);
}

static void judge_job(struct check *check, int64_t id, struct check_job *job)
{
	if (job->step != CHECK_ENDED || (job->flags & CHECK_CLAIMED_END) == 0)
		return;
	judge_worker(check, id, job);
	if (job->end == CHECK_COMPLETED && (job->flags & (CHECK_SILENT | CHECK_RAN)) == 0)
		check_read_gap(check,
			       "effect.log does not tell of the run in which job %" PRId64
			       " was completed",
			       id);
}

/* A claim that came back leaves traces, too. Its own job is not known any more. */
static void judge_claim(struct check *check, const struct check_claim *claim)
{
	const struct check_life *life = claim->life < check->life_count ? &check->lives[claim->life]
									: NULL;
	bool died;

	if (life == NULL || life->pid == 0)
		return;
	died = life->is_dead && claim->back_us >= life->ended_us - CHECK_CLOCK_US;
	if ((claim->flags & CHECK_TOLD_CLAIM) == 0 &&
	    !check_bouts_on(check, claim->back_us - 2 * check->death_us, claim->back_us))
		check_read_gap(check, "the log of %s does not tell of a claim that it gave back",
			       life->name);
	if (lacks_begin(claim->flags) && (!died || life->returned))
		check_read_gap(check, "the log of %s does not tell of a run that it started",
			       life->name);
	if ((claim->flags & CHECK_DONE) != 0 && (claim->flags & (CHECK_RAN | CHECK_SILENT)) == 0)
		check_read_gap(check, "effect.log does not tell of a run that %s had done",
			       life->name);
	if (died && life->returned && life->told_dead && (claim->flags & CHECK_BEGUN) != 0 &&
	    (claim->flags & (CHECK_LOST | CHECK_TOLD_END)) == 0)
		check_read_gap(check,
			       "the log of %s does not tell that a job of its was reassigned",
			       life->name);
}

/* Who lived longer than without pings it may. */
static void judge_pings(struct check *check, const struct check_life *life)
{
	int64_t until_us = life->ended_us != 0 ? life->ended_us : check->ended_us;

	if (life->pid != 0 && !life->is_dead && life->ping_sent_us == 0 &&
	    until_us - life->born_us > 2 * check->death_us)
		check_read_gap(check, "the log of %s does not tell of any ping", life->name);
}

void check_gaps(struct check *check)
{
	for (size_t i = 0; i < check->life_count; i++)
		judge_pings(check, &check->lives[i]);
	check_jobs_each(check, judge_job);
	if (!check->may_lose)
		check_claims_each(check, judge_claim);
}
