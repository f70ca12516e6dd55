/* The last full read, held against all that went before: everything is there, everything has ended. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "tools/chaos/judge/check.h"

#define VIOLATE(invariant, job, what, ...)                                                         \
	verdict_violate(check->verdict, VERDICT_##invariant, "job %" PRId64 " " what,              \
			(int64_t)(job)__VA_OPT__(, ) __VA_ARGS__)

/* job JOB STATE CLAIM SEQ ATTEMPT INTERRUPTIONS RECOVERIES */
struct row {
	int64_t id;
	const char *state;
	uint64_t claim; /* 0: none */
	int64_t seq, attempt, interruptions, recoveries;
};

static bool read_row(char **words, struct row *row)
{
	row->state = words[2];
	row->claim = strcmp(words[3], "-") == 0 ? 0 : check_map_key(words[3]);
	return check_read_number(words[1], &row->id) && check_read_number(words[4], &row->seq) &&
	       check_read_number(words[5], &row->attempt) &&
	       check_read_number(words[6], &row->interruptions) &&
	       check_read_number(words[7], &row->recoveries);
}

static bool is_terminal(const char *state)
{
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "cancelled") == 0 || strcmp(state, "expired") == 0;
}

/* A run counts once, as an attempt or as an interruption; the last may count as both. */
static void judge_counters(struct check *check, const struct row *row, const struct check_job *job)
{
	if (row->attempt + row->interruptions > job->claims + 1 || row->recoveries > job->claims)
		VIOLATE(S9, row->id,
			"counts %" PRId64 " attempts, %" PRId64 " interruptions and %" PRId64
			" recoveries of %d claims",
			row->attempt, row->interruptions, row->recoveries, job->claims);
	if (row->attempt > job->attempts || row->interruptions > LIMIT_INTERRUPTIONS + 1)
		VIOLATE(S10, row->id, "counts %" PRId64 " attempts and %" PRId64 " interruptions",
			row->attempt, row->interruptions);
	/* What a handler of the user's that cannot be run gives back does not count; a run counts when it is over. */
	if (!check->may_lose && job->step == CHECK_ENDED && (job->flags & CHECK_USERS) == 0 &&
	    job->runs > row->attempt + row->interruptions + row->recoveries)
		VIOLATE(S10, row->id,
			"ran %d times, and counts %" PRId64 " attempts, %" PRId64
			" interruptions and %" PRId64 " recoveries",
			job->runs, row->attempt, row->interruptions, row->recoveries);
}

static void judge_row(struct check *check, const struct row *row, struct check_job *job)
{
	static const char *const ENDS[] = { "completed", "failed", "cancelled", "expired", "" };

	if ((job->flags & CHECK_FINAL) != 0)
		VIOLATE(S1, row->id, "stands twice in the last read");
	job->flags |= CHECK_FINAL;
	if (job->step == CHECK_ABSENT) {
		check->verdict->unexpected++;
		VIOLATE(S4, row->id, "is there and was never stored");
		return;
	}
	if (row->seq != job->seq)
		VIOLATE(S12, row->id, "has claim_seq %" PRId64 ", and its last claim had %" PRIu32,
			row->seq, job->seq);
	if (is_terminal(row->state) != (job->step == CHECK_ENDED) ||
	    (job->step == CHECK_ENDED && strcmp(row->state, ENDS[job->end]) != 0))
		VIOLATE(S12, row->id, "is %s, which is not how it ended", row->state);
	if (row->claim != 0 && row->claim != job->claim)
		VIOLATE(S2, row->id, "has another claim than its latest");
	judge_counters(check, row, job);
}

static bool take_job(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_job *job;
	struct row row;

	(void)at_us;
	(void)count;
	if (!read_row(words, &row))
		return false;
	job = check_jobs_at(check, row.id);
	if (job != NULL)
		judge_row(check, &row, job);
	return true;
}

static void judge_job(struct check *check, int64_t id, struct check_job *job)
{
	bool acknowledged = (job->flags & CHECK_ACKNOWLEDGED) != 0;
	bool is_there = (job->flags & CHECK_FINAL) != 0;
	bool forgotten = job->step == CHECK_ENDED &&
			 (check->forgets || (job->flags & CHECK_UNKEPT) != 0);

	if (job->step != CHECK_ABSENT && job->step != CHECK_ENDED && is_there)
		VIOLATE(L1, id, "has not ended");
	if (is_there || forgotten)
		return;
	if (check->may_lose) {
		if (acknowledged)
			verdict_lose(check->verdict, id);
		return;
	}
	check->verdict->lost++;
	VIOLATE(S3, id, "%s and is not there any more",
		acknowledged ? "was acknowledged" : "was stored");
}

void check_final(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "job", 8, 8, take_job },
		{ NULL, 0, 0, NULL },
	};

	/* Of a file that is not whole, nothing is known to be missing. */
	if (check_read(check, "final.log", KINDS))
		check_jobs_each(check, judge_job);
}
