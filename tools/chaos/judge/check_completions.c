/* What dispatchers were told about their completions, held against what the database stored: truth, abandoning. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/judge/check.h"
#include "tools/chaos/judge/check_worker.h"

enum { DROPPED_US = 60000000 };

#define VIOLATE(invariant, job, what, ...)                                                         \
	verdict_violate(check->verdict, VERDICT_##invariant,                                       \
			"%s:%" PRId64 ": job %" PRId64 " " what, check->file, check->line,         \
			(int64_t)(job)__VA_OPT__(, ) __VA_ARGS__)

/* It was in contact with the database for long, and did not use it to ask. */
static bool was_dropped(const struct check *check, const struct check_completion *completion)
{
	const struct check_worker *worker = check->own;

	return completion->unknown && !completion->abandoned && worker->life < check->life_count &&
	       check->lives[worker->life].contact_us - completion->unknown_us > DROPPED_US;
}

void check_completions_forget(struct check *check)
{
	struct check_worker *worker = check->own;

	for (size_t i = 0; i < worker->completion_count; i++) {
		if (was_dropped(check, &worker->completions[i]))
			VIOLATE(S5, worker->completions[i].items[0].job,
				"has a worker that never asked what became of its completion");
		check->verdict->unresolved += worker->completions[i].unknown;
		free(worker->completions[i].items);
	}
	worker->completion_count = 0;
}

void check_completions_abandon(struct check *check)
{
	struct check_worker *worker = check->own;

	for (size_t i = 0; i < worker->completion_count; i++)
		worker->completions[i].abandoned = true;
}

void check_completions_stop(struct check *check)
{
	const struct check_worker *worker = check->own;

	for (size_t i = 0; i < worker->completion_count; i++) {
		const struct check_completion *completion = &worker->completions[i];

		if (completion->unknown && !completion->abandoned)
			VIOLATE(S5, completion->items[0].job,
				"has a worker that stopped without having asked what became of "
				"its completion");
		else if (!completion->abandoned)
			check_read_gap(check,
				       "%s does not tell of the answer for job %" PRId64
				       " that its worker stopped with",
				       check->file, completion->items[0].job);
	}
}

/* --- completions -------------------------------------------------------------------------------- */

static struct check_completion *completion_of(const struct check_worker *worker, const char *word)
{
	uint64_t id = check_map_key(word);

	for (size_t i = worker->completion_count; i-- > 0;)
		if (worker->completions[i].id == id)
			return &worker->completions[i];
	return NULL;
}

static int compare_items(const void *a, const void *b)
{
	const struct check_item *one = a;
	const struct check_item *other = b;

	return (one->job > other->job) - (one->job < other->job);
}

/* JOB:OUTCOME:CLAIM */
static bool read_item(char *word, struct check_item *item)
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

/* What its worker knows of the end of a job. */
static void note_told(struct check *check, const struct check_item *item)
{
	unsigned flags = check_claims_flags(check, item->job, item->claim);
	bool ran = item->outcome == 'c' || item->outcome == 'f' || item->outcome == 'r';

	check_claims_note(check, item->job, item->claim, CHECK_TOLD_END);
	if (item->outcome == 'c')
		check_claims_note(check, item->job, item->claim, CHECK_DONE);
	if (ran && (flags & CHECK_TOLD_CLAIM) != 0 && (flags & CHECK_BEGUN) == 0)
		check_read_gap(check,
			       "%s:%" PRId64 ": nothing tells that job %" PRId64
			       " was begun, whose end was sent",
			       check->file, check->line, item->job);
}

static bool read_items(struct check *check, struct check_completion *completion, char **words)
{
	for (size_t i = 0; i < completion->count; i++) {
		struct check_item *item = &completion->items[i];

		if (!read_item(words[i], item))
			return false;
		note_told(check, item);
		if (check_workers_knows_lost(check->own, item->job, item->claim))
			VIOLATE(S9, item->job, "was completed after it was known to be reassigned");
	}
	qsort(completion->items, completion->count, sizeof(*completion->items), compare_items);
	return true;
}

static struct check_item *item_of(const struct check_completion *completion, int64_t job)
{
	struct check_item key = { .job = job };

	return bsearch(&key, completion->items, completion->count, sizeof(key), compare_items);
}

/* The same completion again, or a part of it, is no new one; but what was answered is not asked again. */
static bool read_again(struct check *check, const struct check_completion *completion, char **words,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct check_item *known;
		struct check_item item;

		if (!read_item(words[i], &item))
			return false;
		known = item_of(completion, item.job);
		if (known != NULL && known->answered &&
		    check_workers_knows_lost(check->own, item.job, item.claim))
			VIOLATE(S9, item.job, "was completed after it was known to be reassigned");
	}
	return true;
}

bool check_completions_complete(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_worker *worker = check->own;
	struct check_completion completion = { .id = check_map_key(words[1]), .count = count - 2 };
	const struct check_completion *known = completion_of(worker, words[1]);

	check_workers_note_life(check, at_us);
	if (known != NULL)
		return read_again(check, known, words + 2, count - 2);
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

bool check_completions_unknown(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_completion *completion = completion_of(check->own, words[1]);

	(void)count;
	check_read_time(check, &check->unknowns, at_us);
	check_workers_note_life(check, at_us);
	if (completion != NULL && !completion->unknown) {
		completion->unknown = true;
		completion->unknown_us = at_us;
		check->verdict->commits_unknown++;
	}
	return true;
}

/* --- answers ------------------------------------------------------------------------------------ */

static void deny(struct check *check, const struct check_item *item)
{
	const struct check_job *job = check_jobs_at(check, item->job);

	if (check->may_lose) {
		check->verdict->completions_lost++;
		return;
	}
	check->verdict->stale_accepts += job != NULL && job->claim != item->claim;
	VIOLATE(S5, item->job,
		"was accepted by the word of its worker, not by that of the database");
}

/* accepted, mine */
static void judge_accepted(struct check *check, const struct check_item *item, bool at_once)
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
static void judge_lost(struct check *check, const struct check_item *item, const char *verdict)
{
	const struct check_job *job = check_jobs_at(check, item->job);

	if (job != NULL && job->claim == item->claim && (job->flags & CHECK_CLAIMED_END) != 0)
		VIOLATE(S5, item->job,
			"is %s by the word of its worker, though its completion was accepted",
			verdict);
}

static void resolve(struct check *check, struct check_completion *completion, bool accepted)
{
	if (!completion->unknown)
		return;
	completion->unknown = false;
	if (accepted)
		check->verdict->resolved_accepted++;
	else
		check->verdict->resolved_lost++;
}

static bool judge_answer(struct check *check, int64_t at_us, struct check_completion *completion,
			 struct check_item *item, const char *verdict)
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
	check_workers_learn_lost(check, at_us, item->job, item->claim);
	return true;
}

static void close_completion(struct check_worker *worker, struct check_completion *completion)
{
	free(completion->items);
	*completion = worker->completions[--worker->completion_count];
}

bool check_completions_answer(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_completion *completion = completion_of(check->own, words[1]);

	check_workers_note_contact(check, at_us);
	if (check_read_is_behind_record(check, at_us)) {
		if (completion != NULL)
			completion->abandoned = true;
		return true;
	}
	if (completion == NULL)
		return false;
	for (size_t i = 2; i < count; i++) {
		char *colon = strchr(words[i], ':');
		struct check_item *item;
		int64_t job;

		if (colon == NULL)
			return false;
		*colon = '\0';
		if (!check_read_number(words[i], &job))
			return false;
		item = item_of(completion, job);
		if (item == NULL || !judge_answer(check, at_us, completion, item, colon + 1))
			return false;
	}
	if (completion->open == 0)
		close_completion(check->own, completion);
	return true;
}

/* Completed by the run's own transaction. */
bool check_completions_settled(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_item item = { .outcome = 'c', .claim = check_map_key(words[2]) };

	(void)count;
	check_workers_note_life(check, at_us);
	if (!check_read_number(words[1], &item.job))
		return false;
	note_told(check, &item);
	if (check_read_is_behind_record(check, at_us))
		return true;
	judge_accepted(check, &item, true);
	return true;
}
