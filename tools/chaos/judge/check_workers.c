/* What the dispatchers knew and when, held against what the database stored: lives, pings, claims, abandoning. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/judge/check.h"
#include "tools/chaos/judge/check_worker.h"

#define VIOLATE(invariant, job, what, ...)                                                         \
	verdict_violate(check->verdict, VERDICT_##invariant,                                       \
			"%s:%" PRId64 ": job %" PRId64 " " what, check->file, check->line,         \
			(int64_t)(job)__VA_OPT__(, ) __VA_ARGS__)

/* --- lives and pings ---------------------------------------------------------------------------- */

static struct check_life *life_of(struct check *check)
{
	const struct check_worker *worker = check->own;

	return worker->life < check->life_count ? &check->lives[worker->life] : NULL;
}

/* A record of a process whose life is over says that the process lived on. */
void check_workers_note_life(struct check *check, int64_t at_us)
{
	struct check_life *life = life_of(check);

	if (life != NULL && life->ended_us != 0 && at_us > life->ended_us)
		life->lived_on = true;
}

/* The database answered. */
void check_workers_note_contact(struct check *check, int64_t at_us)
{
	struct check_life *life = life_of(check);

	if (life != NULL && (life->ended_us == 0 || at_us <= life->ended_us)) {
		life->contact_us = at_us;
		life->unanswered_us = 0;
	}
	check_workers_note_life(check, at_us);
}

/* The file's name says who it is: worker-d2.log is of the second of the fleet, worker-b7-1.log of one that bout 7 started. */
static void note_dispatcher(const struct check *check, struct check_life *life)
{
	int number;

	if (sscanf(check->file, "worker-d%d.", &number) == 1)
		life->place = number - 1;
	else if (sscanf(check->file, "worker-b%d-", &number) == 1)
		life->crowd = number;
}

/* The same process goes on: it had been declared dead, and had found out. */
static void note_return(struct check *check, struct check_life *former, int64_t pid)
{
	struct check_worker *worker = check->own;

	worker->fenced = false;
	worker->acked_us = 0;
	if (pid != worker->pid)
		worker->pings = 0;
	worker->pid = pid;
	if (former == NULL || former->pid != pid)
		return;
	former->returned = true;
	if (!former->told_dead)
		check_read_gap(check, "%s does not tell that %s found itself declared dead",
			       check->file, former->name);
}

static bool take_register(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_worker *worker = check->own;
	struct check_life *life = check_lives_find(check, words[1]);
	struct check_life *former = life_of(check);
	int64_t pid;

	(void)count;
	if (!check_read_number(words[3], &pid))
		return false;
	if (former != NULL && former->pid != pid)
		check_completions_forget(check);
	else
		check_workers_note_life(check, at_us);
	note_return(check, former, pid);
	worker->pinging = false;
	worker->life = CHECK_NO_LIFE;
	if (life == NULL) {
		if (!check->may_lose && !check_read_is_behind_record(check, at_us))
			verdict_violate(check->verdict, VERDICT_S5,
					"%s believes to be registered as %s, and is not",
					check->file, words[1]);
		return true;
	}
	if (life->pid != 0 && life->pid != pid)
		verdict_violate(check->verdict, VERDICT_S8, "%s is two processes, %d and %" PRId64,
				words[1], life->pid, pid);
	life->pid = (int)pid;
	note_dispatcher(check, life);
	worker->life = check_lives_place(check, life);
	check_workers_note_contact(check, at_us);
	return true;
}

static bool take_ping(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_worker *worker = check->own;
	struct check_life *life = life_of(check);
	int64_t number;

	(void)count;
	if (!check_read_number(words[1], &number))
		return false;
	if (number != worker->pings + 1)
		check_read_gap(check, "%s:%" PRId64 ": ping %" PRId64 " follows ping %" PRId64,
			       check->file, check->line, number, worker->pings);
	worker->pings = number;
	if (life != NULL && life->unanswered_us == 0 &&
	    (life->ended_us == 0 || at_us <= life->ended_us))
		life->unanswered_us = at_us;
	/* One that was never answered took at least so long. */
	if (worker->pinging)
		check_latency(check, CHECK_PING, worker->ping_sent_us, at_us);
	worker->pinging = true;
	worker->ping_sent_us = at_us;
	check_workers_note_life(check, at_us);
	return true;
}

/* Whoever was silent for longer than the death interval has let its fence fall. */
static void judge_fence(struct check *check, int64_t at_us)
{
	struct check_worker *worker = check->own;

	if (worker->acked_us != 0 && !worker->fenced && at_us - worker->acked_us > check->death_us)
		check_read_gap(check,
			       "%s:%" PRId64 ": it was silent for %" PRId64
			       " ms, and nothing tells that its fence fell",
			       check->file, check->line, (at_us - worker->acked_us) / 1000);
	worker->fenced = false;
	worker->acked_us = worker->ping_sent_us;
}

static bool take_acked(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_worker *worker = check->own;
	struct check_life *life = life_of(check);
	int64_t number;

	(void)count;
	if (!check_read_number(words[1], &number))
		return false;
	if (!worker->pinging || number != worker->pings)
		check_read_gap(check,
			       "%s:%" PRId64 ": ping %" PRId64
			       " was acknowledged, and was not sent",
			       check->file, check->line, number);
	judge_fence(check, at_us);
	if (worker->pinging)
		check_latency(check, CHECK_PING, worker->ping_sent_us, at_us);
	worker->pinging = false;
	check_workers_note_contact(check, at_us);
	if (life == NULL)
		return true;
	if (life->ended_us != 0 && worker->ping_sent_us > life->ended_us + CHECK_CLOCK_US)
		verdict_violate(check->verdict, VERDICT_S8,
				"%s:%" PRId64 ": a ping of %s was acknowledged after its end",
				check->file, check->line, life->name);
	else
		life->ping_sent_us = worker->ping_sent_us;
	return true;
}

/* What it drops with its life it does not resolve any more. */
static bool take_dead(struct check *check, int64_t at_us, char **words, size_t count)
{
	const struct check_worker *worker = check->own;
	struct check_life *life = check_lives_find(check, words[1]);

	(void)count;
	if (life != NULL)
		life->told_dead = true;
	if (!worker->fenced)
		check_read_gap(check, "%s:%" PRId64 ": nothing tells that the fence of %s fell",
			       check->file, check->line, words[1]);
	check_workers_note_life(check, at_us);
	check_completions_abandon(check);
	return true;
}

/* Who stops in peace has learnt what became of its commits. */
static bool take_stop(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)words;
	(void)count;
	check_workers_note_life(check, at_us);
	if (!check_bouts_on(check, at_us - CHECK_PEACE_US, at_us))
		check_completions_stop(check);
	return true;
}

static bool take_fence(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_worker *worker = check->own;

	(void)words;
	worker->fenced = true;
	(void)count;
	check_workers_note_life(check, at_us);
	return true;
}

/* --- claims and runs ---------------------------------------------------------------------------- */

/* JOB:SEQ, as a worker got it. */
static bool judge_claimed(struct check *check, int64_t at_us, uint64_t claim, char *word)
{
	char *colon = strchr(word, ':');
	struct check_job *job;
	int64_t id;
	int64_t seq;

	if (colon == NULL)
		return false;
	*colon = '\0';
	if (!check_read_number(word, &id) || !check_read_number(colon + 1, &seq))
		return false;
	job = check_jobs_at(check, id);
	if (job == NULL)
		return true;
	if (job->known < UINT8_MAX)
		job->known++;
	check_claims_note(check, id, claim, CHECK_TOLD_CLAIM);
	if (check->may_lose || check_read_is_behind_record(check, at_us) || (seq < job->seq) ||
	    (seq == job->seq && claim == job->claim))
		return true;
	VIOLATE(S5, id,
		"was claimed with claim_seq %" PRId64 ", and the database knows nothing of it",
		seq);
	return true;
}

static bool take_claim(struct check *check, int64_t at_us, char **words, size_t count)
{
	uint64_t claim = check_map_key(words[2]);

	check_workers_note_contact(check, at_us);
	for (size_t i = 3; i < count; i++)
		if (!judge_claimed(check, at_us, claim, words[i]))
			return false;
	return true;
}

bool check_workers_knows_lost(const struct check_worker *worker, int64_t job, uint64_t claim)
{
	return check_map_find(&worker->lost, check_map_pair((uint64_t)job, claim)) != NULL;
}

void check_workers_learn_lost(struct check *check, int64_t at_us, int64_t job, uint64_t claim)
{
	struct check_worker *worker = check->own;

	if (check_workers_knows_lost(worker, job, claim))
		return;
	check_map_put(&worker->lost, check_map_pair((uint64_t)job, claim), 1);
	check_claims_note(check, job, claim, CHECK_LOST);
	check->verdict->conflicts++;
	check_read_time(check, &check->conflicts, at_us);
}

static bool take_begin(struct check *check, int64_t at_us, char **words, size_t count)
{
	uint64_t claim = check_map_key(words[1]);
	int64_t id;

	check_workers_note_life(check, at_us);
	for (size_t i = 2; i < count; i++) {
		if (!check_read_number(words[i], &id))
			return false;
		check_claims_note(check, id, claim, CHECK_BEGUN);
		if (check_workers_knows_lost(check->own, id, claim))
			VIOLATE(S9, id, "was begun after it was known to be reassigned");
	}
	return true;
}

static bool take_reassigned(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t id;

	(void)count;
	check_workers_note_life(check, at_us);
	if (!check_read_number(words[1], &id))
		return false;
	check_workers_learn_lost(check, at_us, id, check_map_key(words[2]));
	return true;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void finish(struct check *check)
{
	struct check_worker *worker = check->own;

	check_completions_forget(check);
	free(worker->completions);
	check_map_fini(&worker->lost);
	*worker = (struct check_worker){ .life = CHECK_NO_LIFE };
}

void check_workers(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "register", 4, 4, take_register },
		{ "claim", 4, 0, take_claim },
		{ "begin", 3, 0, take_begin },
		{ "settled", 3, 3, check_completions_settled },
		{ "complete", 3, 0, check_completions_complete },
		{ "answer", 3, 0, check_completions_answer },
		{ "unknown", 2, 2, check_completions_unknown },
		{ "ping", 2, 2, take_ping },
		{ "acked", 2, 2, take_acked },
		{ "fence", 2, 2, take_fence },
		{ "reassigned", 3, 3, take_reassigned },
		{ "dead", 2, 2, take_dead },
		{ "stop", 2, 2, take_stop },
		{ NULL, 0, 0, NULL },
	};
	struct check_worker worker = { .life = CHECK_NO_LIFE };

	check->own = &worker;
	if (check_read_all(check, "worker-", ".log", KINDS, finish) == 0)
		check_read_unsound(check, "there is no worker's log");
}
