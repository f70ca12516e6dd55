/* What the dispatchers knew and when, held against what the database stored: truth, abandoning, pings, claims. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/check.h"

/* An entry of a completion that is on its way. */
struct item {
	int64_t job;
	uint64_t claim;
	char outcome; /* the first letter of its word */
	bool answered;
};

struct completion {
	uint64_t id;
	struct item *items; /* by job */
	size_t count;
	size_t open;
	bool unknown;
};

/* What is known of the dispatcher whose log is read. */
struct worker {
	struct check_map lost; /* pairs of a job and a claim that it knows to be lost */
	struct completion *completions;
	size_t completion_count, completion_room;
	size_t life; /* its present one; CHECK_NO_LIFE before it has one */
	int64_t ping_sent_us;
};

#define VIOLATE(invariant, job, what, ...)                                                         \
	verdict_violate(check->verdict, VERDICT_##invariant,                                       \
			"%s:%" PRId64 ": job %" PRId64 ": " what, check->file, check->line,        \
			(int64_t)(job)__VA_OPT__(, ) __VA_ARGS__)

/* --- lives and pings ---------------------------------------------------------------------------- */

static struct check_life *life_of(struct check *check)
{
	const struct worker *worker = check->own;

	return worker->life < check->life_count ? &check->lives[worker->life] : NULL;
}

/* A record of a process whose life is over says that the process lived on. */
static void note_life(struct check *check, int64_t at_us)
{
	struct check_life *life = life_of(check);

	if (life != NULL && life->ended_us != 0 && at_us > life->ended_us)
		life->lived_on = true;
}

/* The database answered. */
static void note_contact(struct check *check, int64_t at_us)
{
	struct check_life *life = life_of(check);

	if (life != NULL && (life->ended_us == 0 || at_us <= life->ended_us))
		life->contact_us = at_us;
	note_life(check, at_us);
}

/* What a process that is no more had on its way stays unknown. */
static void forget_completions(struct check *check)
{
	struct worker *worker = check->own;

	for (size_t i = 0; i < worker->completion_count; i++) {
		check->verdict->unresolved += worker->completions[i].unknown;
		free(worker->completions[i].items);
	}
	worker->completion_count = 0;
}

static bool take_register(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct worker *worker = check->own;
	struct check_life *life = check_lives_find(check, words[1]);
	struct check_life *former = life_of(check);
	int64_t pid;

	(void)count;
	if (!check_read_number(words[3], &pid))
		return false;
	if (former != NULL && former->pid != pid)
		forget_completions(check);
	else
		note_life(check, at_us);
	worker->life = CHECK_NO_LIFE;
	if (life == NULL) {
		if (!check->may_lose)
			verdict_violate(check->verdict, VERDICT_S5,
					"%s believes to be registered as %s, and is not",
					check->file, words[1]);
		return true;
	}
	if (life->pid != 0 && life->pid != pid)
		verdict_violate(check->verdict, VERDICT_S8, "%s is two processes, %d and %" PRId64,
				words[1], life->pid, pid);
	life->pid = (int)pid;
	worker->life = check_lives_place(check, life);
	note_contact(check, at_us);
	return true;
}

static bool take_ping(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct worker *worker = check->own;

	(void)words;
	(void)count;
	worker->ping_sent_us = at_us;
	note_life(check, at_us);
	return true;
}

static bool take_acked(struct check *check, int64_t at_us, char **words, size_t count)
{
	const struct worker *worker = check->own;
	struct check_life *life = life_of(check);

	(void)words;
	(void)count;
	note_contact(check, at_us);
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

static bool take_end_of_life(struct check *check, int64_t at_us, char **words, size_t count)
{
	(void)words;
	(void)count;
	note_life(check, at_us);
	return true;
}

/* --- claims and runs ---------------------------------------------------------------------------- */

/* JOB:SEQ, as a worker got it. */
static bool judge_claimed(struct check *check, uint64_t claim, char *word)
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
	if (job->known < UINT16_MAX)
		job->known++;
	if (check->may_lose || (seq < job->seq) || (seq == job->seq && claim == job->claim))
		return true;
	VIOLATE(S5, id,
		"was claimed with claim_seq %" PRId64 ", and the database knows nothing of it",
		seq);
	return true;
}

static bool take_claim(struct check *check, int64_t at_us, char **words, size_t count)
{
	uint64_t claim = check_map_key(words[2]);

	note_contact(check, at_us);
	for (size_t i = 3; i < count; i++)
		if (!judge_claimed(check, claim, words[i]))
			return false;
	return true;
}

static bool knows_lost(const struct worker *worker, int64_t job, uint64_t claim)
{
	return check_map_find(&worker->lost, check_map_pair((uint64_t)job, claim)) != NULL;
}

static void learn_lost(struct check *check, int64_t at_us, int64_t job, uint64_t claim)
{
	struct worker *worker = check->own;

	if (knows_lost(worker, job, claim))
		return;
	check_map_put(&worker->lost, check_map_pair((uint64_t)job, claim), 1);
	check->verdict->conflicts++;
	check_read_time(check, &check->conflicts, at_us);
}

static bool take_begin(struct check *check, int64_t at_us, char **words, size_t count)
{
	uint64_t claim = check_map_key(words[1]);
	int64_t id;

	note_life(check, at_us);
	for (size_t i = 2; i < count; i++) {
		if (!check_read_number(words[i], &id))
			return false;
		if (knows_lost(check->own, id, claim))
			VIOLATE(S9, id, "was begun after it was known to be reassigned");
	}
	return true;
}

static bool take_reassigned(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t id;

	(void)count;
	note_life(check, at_us);
	if (!check_read_number(words[1], &id))
		return false;
	learn_lost(check, at_us, id, check_map_key(words[2]));
	return true;
}

/* --- completions -------------------------------------------------------------------------------- */

static struct completion *completion_of(const struct worker *worker, const char *word)
{
	uint64_t id = check_map_key(word);

	for (size_t i = worker->completion_count; i-- > 0;)
		if (worker->completions[i].id == id)
			return &worker->completions[i];
	return NULL;
}

static int compare_items(const void *a, const void *b)
{
	const struct item *one = a;
	const struct item *other = b;

	return (one->job > other->job) - (one->job < other->job);
}

/* JOB:OUTCOME:CLAIM */
static bool read_item(char *word, struct item *item)
{
	char *outcome = strchr(word, ':');
	char *claim = outcome == NULL ? NULL : strchr(outcome + 1, ':');

	if (claim == NULL)
		return false;
	*outcome = '\0';
	*claim = '\0';
	item->outcome = strcmp(outcome + 1, "recover") == 0 ? 'i' : outcome[1];
	if (strcmp(outcome + 1, "retry") != 0 && item->outcome == 'r')
		item->outcome = 'l';
	if (strcmp(outcome + 1, "cancelled") == 0)
		item->outcome = 'x';
	item->claim = check_map_key(claim + 1);
	item->answered = false;
	return check_read_number(word, &item->job);
}

static bool read_items(struct check *check, struct completion *completion, char **words)
{
	for (size_t i = 0; i < completion->count; i++) {
		struct item *item = &completion->items[i];

		if (!read_item(words[i], item))
			return false;
		if (knows_lost(check->own, item->job, item->claim))
			VIOLATE(S9, item->job, "was completed after it was known to be reassigned");
	}
	qsort(completion->items, completion->count, sizeof(*completion->items), compare_items);
	return true;
}

/* The same completion again, or a part of it, is no new one. */
static bool take_complete(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct worker *worker = check->own;
	struct completion completion = { .id = check_map_key(words[1]), .count = count - 2 };

	note_life(check, at_us);
	if (completion_of(worker, words[1]) != NULL)
		return true;
	completion.open = completion.count;
	completion.items = calloc(completion.count, sizeof(*completion.items));
	if (completion.items == NULL || !read_items(check, &completion, words + 2) ||
	    !check_read_room(check, &worker->completions, &worker->completion_room,
			     worker->completion_count, sizeof(*worker->completions))) {
		free(completion.items);
		return false;
	}
	worker->completions[worker->completion_count++] = completion;
	return true;
}

static bool take_unknown(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct completion *completion = completion_of(check->own, words[1]);

	(void)count;
	note_life(check, at_us);
	if (completion != NULL && !completion->unknown) {
		completion->unknown = true;
		check->verdict->commits_unknown++;
	}
	return true;
}

/* --- answers ------------------------------------------------------------------------------------ */

static void deny(struct check *check, const struct item *item)
{
	const struct check_job *job = check_jobs_at(check, item->job);

	if (check->may_lose) {
		check->verdict->lost_by_failover++;
		return;
	}
	check->verdict->stale_accepts += job != NULL && job->claim != item->claim;
	VIOLATE(S5, item->job, "its completion was accepted, says the worker, not the database");
}

/* accepted, mine */
static void judge_accepted(struct check *check, const struct item *item, bool at_once)
{
	struct check_job *job = check_jobs_at(check, item->job);
	bool ended = job != NULL && job->claim == item->claim &&
		     (job->flags & CHECK_CLAIMED_END) != 0;
	bool back = check_map_find(&check->backs,
				   check_map_pair((uint64_t)item->job, item->claim)) != NULL;
	bool terminal = item->outcome == 'c' || item->outcome == 'f';

	if (job == NULL)
		return;
	if (!ended && (terminal || !back)) {
		deny(check, item);
		return;
	}
	if (at_once && ((item->outcome == 'c' && job->end != CHECK_COMPLETED &&
			 (job->flags & CHECK_UNKEPT) == 0) ||
			(item->outcome == 'f' && job->end != CHECK_FAILED &&
			 (job->flags & CHECK_UNKEPT) == 0)))
		VIOLATE(S5, item->job, "was accepted and ended otherwise");
	if (!at_once || !ended)
		return;
	if ((job->flags & CHECK_ACCEPTED) != 0 && !check->may_lose) {
		check->verdict->duplicate_accepts++;
		VIOLATE(S1, item->job, "was accepted a second time");
	}
	job->flags |= CHECK_ACCEPTED;
}

/* lost, gone */
static void judge_lost(struct check *check, const struct item *item, const char *verdict)
{
	const struct check_job *job = check_jobs_at(check, item->job);

	if (job != NULL && job->claim == item->claim && (job->flags & CHECK_CLAIMED_END) != 0)
		VIOLATE(S5, item->job, "is %s, says the worker, but its completion was accepted",
			verdict);
}

static void resolve(struct check *check, struct completion *completion, bool accepted)
{
	if (!completion->unknown)
		return;
	completion->unknown = false;
	if (accepted)
		check->verdict->resolved_accepted++;
	else
		check->verdict->resolved_lost++;
}

static bool judge_answer(struct check *check, int64_t at_us, struct completion *completion,
			 struct item *item, const char *verdict)
{
	bool accepted = strcmp(verdict, "accepted") == 0;

	if (strcmp(verdict, "refused") == 0)
		return true;
	if (!item->answered) {
		item->answered = true;
		completion->open--;
	}
	if (accepted || strcmp(verdict, "mine") == 0) {
		judge_accepted(check, item, accepted);
		resolve(check, completion, true);
		if (item->outcome == 'r' || item->outcome == 'f')
			check_read_time(check, &check->attempts, at_us);
		return true;
	}
	if (strcmp(verdict, "lost") != 0 && strcmp(verdict, "gone") != 0)
		return false;
	judge_lost(check, item, verdict);
	resolve(check, completion, false);
	learn_lost(check, at_us, item->job, item->claim);
	return true;
}

static void close_completion(struct worker *worker, struct completion *completion)
{
	free(completion->items);
	*completion = worker->completions[--worker->completion_count];
}

static bool take_answer(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct completion *completion = completion_of(check->own, words[1]);

	note_contact(check, at_us);
	if (completion == NULL)
		return false;
	for (size_t i = 2; i < count; i++) {
		char *colon = strchr(words[i], ':');
		struct item key;
		struct item *item;

		if (colon == NULL)
			return false;
		*colon = '\0';
		if (!check_read_number(words[i], &key.job))
			return false;
		item = bsearch(&key, completion->items, completion->count, sizeof(key),
			       compare_items);
		if (item == NULL || !judge_answer(check, at_us, completion, item, colon + 1))
			return false;
	}
	if (completion->open == 0)
		close_completion(check->own, completion);
	return true;
}

/* Completed by the run's own transaction. */
static bool take_settled(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct item item = { .outcome = 'c', .claim = check_map_key(words[2]) };

	(void)count;
	note_life(check, at_us);
	if (!check_read_number(words[1], &item.job))
		return false;
	judge_accepted(check, &item, true);
	return true;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void finish(struct check *check)
{
	struct worker *worker = check->own;

	forget_completions(check);
	free(worker->completions);
	check_map_fini(&worker->lost);
	*worker = (struct worker){ .life = CHECK_NO_LIFE };
}

void check_workers(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "register", 4, 4, take_register },     { "claim", 4, 0, take_claim },
		{ "begin", 3, 0, take_begin },           { "settled", 3, 3, take_settled },
		{ "complete", 3, 0, take_complete },     { "answer", 3, 0, take_answer },
		{ "unknown", 2, 2, take_unknown },       { "ping", 2, 2, take_ping },
		{ "acked", 2, 2, take_acked },           { "fence", 2, 2, take_end_of_life },
		{ "reassigned", 3, 3, take_reassigned }, { "dead", 2, 2, take_end_of_life },
		{ "stop", 2, 2, take_end_of_life },      { NULL, 0, 0, NULL },
	};
	struct worker worker = { .life = CHECK_NO_LIFE };

	check->own = &worker;
	if (check_read_all(check, "worker-", ".log", KINDS, finish) == 0)
		check_read_unsound(check, "there is no worker's log");
}
