/* What clients were told, held against what the database stored: no loss, no phantom. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/chaos/judge/check.h"

/* Requests on their way: how many jobs, and whether an answer got lost. */
struct clients {
	struct check_map open;
	int64_t unlisted; /* jobs in the database that no ok lists */
	int64_t example;
};

enum { WAS_UNKNOWN = 1, COUNT_SHIFT = 1 };

static bool take_submit(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct clients *clients = check->own;
	uint64_t request = check_map_key(words[1]);
	int64_t jobs;

	(void)at_us;
	(void)count;
	if (!check_read_number(words[2], &jobs) || jobs < 1)
		return false;
	if (check_map_find(&clients->open, request) != NULL)
		return true;
	check->verdict->attempted += jobs;
	check_map_put(&clients->open, request, (uint64_t)jobs << COUNT_SHIFT);
	return true;
}

static void acknowledge(struct check *check, int64_t id)
{
	struct check_job *job = check_jobs_at(check, id);

	if (job == NULL)
		return;
	check->verdict->acknowledged++;
	if ((job->flags & CHECK_ACKNOWLEDGED) != 0 && check->may_lose)
		verdict_lose(check->verdict, id); /* the first that had it */
	else if ((job->flags & CHECK_ACKNOWLEDGED) != 0)
		verdict_violate(check->verdict, VERDICT_S4,
				"%s:%" PRId64 ": job %" PRId64 " was given to two submissions",
				check->file, check->line, id);
	job->flags |= CHECK_ACKNOWLEDGED;
}

static bool take_ok(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct clients *clients = check->own;
	uint64_t request = check_map_key(words[1]);
	const uint64_t *open = check_map_find(&clients->open, request);
	int64_t id;

	(void)at_us;
	if (open == NULL)
		return false;
	if (*open >> COUNT_SHIFT != count - 2)
		verdict_violate(check->verdict, VERDICT_S5,
				"%s:%" PRId64 ": %zu of the %" PRIu64
				" jobs of a submission were stored",
				check->file, check->line, count - 2, *open >> COUNT_SHIFT);
	if ((*open & WAS_UNKNOWN) != 0) {
		check->verdict->submissions_resolved++;
		check->verdict->recovered += (int64_t)(*open >> COUNT_SHIFT);
	}
	check_map_drop(&clients->open, request);
	for (size_t i = 2; i < count; i++) {
		if (!check_read_number(words[i], &id))
			return false;
		acknowledge(check, id);
	}
	return true;
}

static bool take_fail(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct clients *clients = check->own;
	uint64_t request = check_map_key(words[1]);
	const uint64_t *open = check_map_find(&clients->open, request);

	(void)at_us;
	(void)count;
	if (open == NULL)
		return false;
	if ((*open & WAS_UNKNOWN) != 0)
		check->verdict->submissions_resolved++;
	check_map_drop(&clients->open, request);
	return true;
}

static bool take_info(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct clients *clients = check->own;
	uint64_t *open = check_map_find(&clients->open, check_map_key(words[1]));

	(void)at_us;
	(void)count;
	if (open == NULL)
		return false;
	if ((*open & WAS_UNKNOWN) == 0)
		check->verdict->submissions_unknown++;
	*open |= WAS_UNKNOWN;
	return true;
}

static bool take_cancel(struct check *check, int64_t at_us, char **words, size_t count)
{
	int64_t id;

	(void)check;
	(void)at_us;
	(void)count;
	return check_read_number(words[1], &id);
}

static bool take_cancelled(struct check *check, int64_t at_us, char **words, size_t count)
{
	const struct check_job *job;
	int64_t id;

	(void)at_us;
	(void)count;
	if (!check_read_number(words[1], &id))
		return false;
	job = check_jobs_at(check, id);
	if (job == NULL || strcmp(words[2], "yes") != 0 || check->may_lose)
		return true;
	if (job->step == CHECK_ABSENT)
		verdict_violate(check->verdict, VERDICT_S5,
				"%s:%" PRId64 ": job %" PRId64 " was cancelled and does not exist",
				check->file, check->line, id);
	else if (job->step != CHECK_ENDED ||
		 (job->end != CHECK_CANCELLED && (job->flags & CHECK_UNKEPT) == 0))
		verdict_violate(check->verdict, VERDICT_S5,
				"%s:%" PRId64 ": job %" PRId64
				" was cancelled by the word of its client, and ended otherwise",
				check->file, check->line, id);
	return true;
}

static void count_unlisted(struct check *check, int64_t id, struct check_job *job)
{
	struct clients *clients = check->own;

	if (job->step == CHECK_ABSENT || (job->flags & CHECK_ACKNOWLEDGED) != 0)
		return;
	clients->unlisted++;
	clients->example = id;
}

/* Only a submission whose answer never came may have stored jobs that no ok lists. */
static void judge_phantoms(struct check *check)
{
	const struct clients *clients = check->own;
	int64_t allowed = 0;

	for (size_t i = 0; i < clients->open.room; i++)
		if (clients->open.keys[i] != 0)
			allowed += (int64_t)(clients->open.values[i] >> COUNT_SHIFT);
	if (clients->unlisted <= allowed)
		return;
	check->verdict->unexpected += clients->unlisted - allowed;
	verdict_violate(check->verdict, VERDICT_S4,
			"%" PRId64 " jobs were stored that no client submitted, job %" PRId64
			" for one",
			clients->unlisted - allowed, clients->example);
}

static void go_on(struct check *check)
{
	(void)check;
}

void check_clients(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "submit", 3, 3, take_submit },
		{ "ok", 3, 0, take_ok },
		{ "fail", 3, 3, take_fail },
		{ "info", 3, 3, take_info },
		{ "cancel", 2, 2, take_cancel },
		{ "cancelled", 3, 3, take_cancelled },
		{ NULL, 0, 0, NULL },
	};
	struct clients clients = { 0 };
	size_t found;

	check->own = &clients;
	found = check_read_all(check, "client-", ".log", KINDS, go_on);
	if (check->clients <= 0)
		check_read_unsound(check, "the act does not say how many clients it had");
	else if ((int64_t)found != check->clients)
		check_read_unsound(check, "there %s %zu log%s of %" PRId64 " clients",
				   found == 1 ? "is" : "are", found, found == 1 ? "" : "s",
				   check->clients);
	if (check->terms != NULL && check->undrained == 0 &&
	    check->verdict->acknowledged != check->drained)
		check_read_gap(check,
			       "the clients' logs tell of %" PRId64
			       " jobs that were acknowledged, and nemesis.log of %" PRId64,
			       check->verdict->acknowledged, check->drained);
	check_jobs_each(check, count_unlisted);
	judge_phantoms(check);
	check_map_fini(&clients.open);
}
