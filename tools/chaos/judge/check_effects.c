/* What the handlers wrote: whether two runs of a job overlapped, and whether one ran that should not. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/check.h"

enum { NONE = -1 };

/* A run whose end has not been seen, or that shares its job with such a one. */
struct run {
	int64_t job;
	uint64_t claim;
	int64_t began_us;
	int64_t last_us; /* its last sign of life */
	uint32_t seq;
	bool ended;
	int32_t next; /* of the same job, or of the free ones */
};

struct effects {
	struct run *runs;
	size_t count, room;
	int32_t free;
	struct check_map by_job; /* the first of a job's runs */
};

#define VIOLATE(invariant, job, what, ...)                                                         \
	verdict_violate(check->verdict, VERDICT_##invariant, "job %" PRId64 " " what,              \
			(int64_t)(job)__VA_OPT__(, ) __VA_ARGS__)

static int32_t first_of(const struct effects *effects, int64_t job)
{
	const uint64_t *first = check_map_find(&effects->by_job, (uint64_t)job);

	return first == NULL ? NONE : (int32_t)*first;
}

static struct run *find(const struct effects *effects, int64_t job, uint64_t claim)
{
	for (int32_t at = first_of(effects, job); at != NONE; at = effects->runs[at].next)
		if (effects->runs[at].claim == claim && !effects->runs[at].ended)
			return &effects->runs[at];
	return NULL;
}

static void add(struct check *check, const struct run *run)
{
	struct effects *effects = check->own;
	int32_t place = effects->free;

	if (place != NONE) {
		effects->free = effects->runs[place].next;
	} else {
		if (!check_read_room(check, &effects->runs, &effects->room, effects->count,
				     sizeof(*effects->runs)))
			return;
		place = (int32_t)effects->count++;
	}
	effects->runs[place] = *run;
	effects->runs[place].next = first_of(effects, run->job);
	check_map_put(&effects->by_job, (uint64_t)run->job, (uint64_t)place);
}

/* --- overlaps ----------------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static const struct check_life *life_of(struct check *check, const struct run *run)
{
	uint16_t place = check_claims_life(check, run->job, run->claim);

	return place < check->life_count ? &check->lives[place] : NULL;
}

/* While the agent is frozen its run stands still; what counts is what goes on after the thaw. The older of the two claims is
 * the frozen one. */
static void judge_pair(struct check *check, const struct run *a, const struct run *b)
{
	int64_t from_us = larger(a->began_us, b->began_us);
	int64_t to_us = smaller(a->last_us, b->last_us);
	const struct check_life *older = life_of(check, a->seq < b->seq ? a : b);
	const struct check_bout *freeze =
		older == NULL
			? NULL
			: check_bouts_excuse(check, older, FAULT_OVERLAP_100MS, from_us, to_us);
	int64_t most_us = 0;
	int64_t over_us;

	if (to_us <= from_us || (check->may_lose && a->claim != b->claim && a->seq == b->seq))
		return;
	if (freeze != NULL) {
		from_us = larger(from_us, freeze->healed_us);
		most_us = CHECK_THAW_US;
	}
	over_us = larger(to_us - from_us, 0);
	check->verdict->overlaps++;
	check->verdict->overlap_max_ms = larger(check->verdict->overlap_max_ms,
						(over_us + 999) / 1000);
	if (over_us > most_us)
		VIOLATE(S13, a->job, "had two runs that overlapped for %" PRId64 " ms",
			(over_us + 999) / 1000);
}

/* Pairs are judged once: when the later of their ends is known, or at the end of the history. */
static void judge_with(struct check *check, const struct run *ended)
{
	const struct effects *effects = check->own;

	for (int32_t at = first_of(effects, ended->job); at != NONE; at = effects->runs[at].next) {
		const struct run *other = &effects->runs[at];

		if (other != ended && other->ended)
			judge_pair(check, ended, other);
	}
}

/* Runs of a job none of which goes on are of no more interest. */
static void forget_ended(struct effects *effects, int64_t job)
{
	int32_t first = first_of(effects, job);

	for (int32_t at = first; at != NONE; at = effects->runs[at].next)
		if (!effects->runs[at].ended)
			return;
	while (first != NONE) {
		int32_t next = effects->runs[first].next;

		effects->runs[first].job = 0;
		effects->runs[first].next = effects->free;
		effects->free = first;
		first = next;
	}
	check_map_drop(&effects->by_job, (uint64_t)job);
}

/* --- records ------------------------------------------------------------------------------------ */

/* JOB CLAIM SEQ PID */
static bool read_run(int64_t at_us, char **words, struct run *run)
{
	int64_t seq;
	int64_t pid;

	*run = (struct run){ .began_us = at_us, .last_us = at_us };
	run->claim = check_map_key(words[2]);
	if (!check_read_number(words[1], &run->job) || !check_read_number(words[3], &seq) ||
	    !check_read_number(words[4], &pid))
		return false;
	run->seq = (uint32_t)seq;
	return run->job > 0;
}

/* A run that had been handed out, and was not begun, when its agent froze begins at the thaw. */
static bool was_frozen(struct check *check, const struct run *run, int64_t since_us)
{
	const struct check_life *life = life_of(check, run);
	const struct check_bout *freeze = life == NULL
						  ? NULL
						  : check_bouts_excuse(check, life,
								       FAULT_OVERLAP_100MS,
								       since_us, run->began_us);

	return freeze != NULL && run->began_us <= freeze->healed_us + CHECK_THAW_US;
}

/* The fence falls before a claim is taken away: nothing begins under it any more. */
static void judge_late(struct check *check, const struct run *run, const struct check_job *job)
{
	struct check_claim back;
	int64_t over_us = 0;

	if (check_claims_find(check, run->job, run->claim, &back))
		over_us = back.back_us;
	else if (run->claim == job->claim && job->step == CHECK_ENDED)
		over_us = check->began_us + job->since_ms * INT64_C(1000);
	if (over_us == 0 || run->began_us <= over_us + CHECK_CLOCK_US || check->may_lose ||
	    check_bouts_jumped(check, over_us - CHECK_PEACE_US, run->began_us) ||
	    was_frozen(check, run, over_us))
		return;
	VIOLATE(S13, run->job, "was begun %" PRId64 " ms after its claim was over",
		(run->began_us - over_us) / 1000);
}

static int runs_most(const struct check_job *job)
{
	return job->attempts + ((job->flags & CHECK_BRITTLE) != 0 ? 1 : LIMIT_INTERRUPTIONS + 1);
}

static void judge_begin(struct check *check, const struct run *run, struct check_job *job)
{
	if (job->step == CHECK_ABSENT && !check->may_lose) {
		check->verdict->unexpected++;
		VIOLATE(S4, run->job, "ran and was never stored");
		return;
	}
	if (!check->may_lose &&
	    (run->seq > job->seq || (run->seq == job->seq && run->claim != job->claim)))
		VIOLATE(S4, run->job, "ran under a claim that was never made");
	if (run->seq == job->run_seq && !check->may_lose)
		VIOLATE(S13, run->job, "ran twice under one claim");
	if (job->runs == runs_most(job))
		VIOLATE(S10, run->job, "ran more often than %d times", runs_most(job));
	judge_late(check, run, job);
}

static bool take_begin(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_job *job;
	struct run run;

	(void)count;
	if (!read_run(at_us, words, &run))
		return false;
	job = check_jobs_at(check, run.job);
	if (job == NULL || check_read_is_behind_record(check, at_us))
		return true;
	judge_begin(check, &run, job);
	check->verdict->runs++;
	if (job->runs < UINT16_MAX)
		job->runs++;
	if (run.seq > job->run_seq)
		job->run_seq = run.seq;
	check_claims_note(check, run.job, run.claim, CHECK_RAN);
	add(check, &run);
	return true;
}

static bool take_beat(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct run run;
	struct run *open;

	(void)count;
	if (!read_run(at_us, words, &run))
		return false;
	open = find(check->own, run.job, run.claim);
	if (open == NULL)
		return check_read_is_behind_record(check, at_us);
	open->last_us = larger(open->last_us, at_us);
	return true;
}

static bool take_end(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct effects *effects = check->own;
	struct run run;
	struct run *open;

	(void)count;
	if (!read_run(at_us, words, &run))
		return false;
	open = find(effects, run.job, run.claim);
	if (open == NULL)
		return check_read_is_behind_record(check, at_us);
	open->last_us = larger(open->last_us, at_us);
	open->ended = true;
	judge_with(check, open);
	forget_ended(effects, run.job);
	return true;
}

/* Runs that were killed have no end: their last sign of life stands for it. */
static void judge_open(struct check *check)
{
	const struct effects *effects = check->own;

	for (size_t i = 0; i < effects->count; i++) {
		struct run *run = &effects->runs[i];

		if (run->job == 0 || run->ended)
			continue;
		run->ended = true;
		judge_with(check, run);
	}
}

void check_effects(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "begin", 5, 5, take_begin },
		{ "beat", 5, 5, take_beat },
		{ "end", 5, 5, take_end },
		{ NULL, 0, 0, NULL },
	};
	struct effects effects = { .free = NONE };

	check->own = &effects;
	check_read(check, "effect.log", KINDS);
	judge_open(check);
	check_map_fini(&effects.by_job);
	free(effects.runs);
}
