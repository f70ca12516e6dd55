/* What the database's own witness tells, in the order of commits: accepting, fencing, leases, owners, edges. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/history/history.h"
#include "tools/chaos/judge/check.h"

/* The record that is being taken. */
struct event {
	int64_t at_us;
	int64_t id;
	struct check_job *job;
	uint64_t claim; /* 0: none */
	int64_t seq;
	struct check_life *life; /* NULL: none, or not known */
	const char *incarnation;
};

#define VIOLATE(invariant, event, what, ...)                                                       \
	verdict_violate(check->verdict, VERDICT_##invariant, "job %" PRId64 " " what,              \
			(event)->id __VA_OPT__(, ) __VA_ARGS__)

static bool is_held(const struct check_job *job)
{
	return job->step == CHECK_ASSIGNED || job->step == CHECK_ACTIVE;
}

static uint32_t since_began_ms(const struct check *check, int64_t at_us)
{
	return at_us <= check->began_us ? 0 : (uint32_t)((at_us - check->began_us) / 1000);
}

/* JOB XID CLAIM SEQ INCARNATION, as most records have. */
static bool read_event(struct check *check, int64_t at_us, char **words, struct event *event)
{
	*event = (struct event){ .at_us = check_bouts_time(check, at_us) };
	if (!check_read_number(words[1], &event->id))
		return false;
	event->job = check_jobs_at(check, event->id);
	return event->job != NULL;
}

static bool read_claim(struct check *check, int64_t at_us, char **words, struct event *event)
{
	if (!read_event(check, at_us, words, event) || !check_read_number(words[4], &event->seq))
		return false;
	event->claim = strcmp(words[3], "-") == 0 ? 0 : check_map_key(words[3]);
	event->incarnation = words[5];
	event->life = check_lives_find(check, words[5]);
	return true;
}

/* --- leases ------------------------------------------------------------------------------------- */

static void hold(struct check *check, const struct event *event)
{
	struct check_life *life = event->life;

	life->held++;
	life->claims++;
	if (check->leases > 0 && life->held > check->leases)
		VIOLATE(S11, event,
			"is one too many: %s holds %" PRId64 " claims, and %" PRId64 " are allowed",
			life->name, life->held, check->leases);
}

/* Ends the lease that the job is under, and looks whether it came back in time. */
static void let_go(struct check *check, const struct event *event)
{
	struct check_life *life = check_lives_of(check, event->job);
	int64_t most_us = check->death_us + 2 * check->scan_us + CHECK_SLACK_US;

	if (life == NULL)
		return;
	if (--life->held == 0)
		life->idle_us = event->at_us;
	if (life->ended_us == 0)
		return;
	check->verdict->reclaims++;
	life->back_us = event->at_us;
	if (check_read_room(check, &check->reclaims, &check->reclaim_room, check->reclaim_count,
			    sizeof(*check->reclaims)))
		check->reclaims[check->reclaim_count++] = (struct check_reclaim){ event->job->life,
										  event->at_us };
	if (event->at_us - life->ended_us > most_us &&
	    !check_bouts_on(check, life->ended_us, event->at_us))
		VIOLATE(L3, event, "was left to %s for %" PRId64 " ms after its end", life->name,
			(event->at_us - life->ended_us) / 1000);
}

/* --- waiting ------------------------------------------------------------------------------------ */

static bool somebody_idled(const struct check *check, int64_t since_us)
{
	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];

		if (life->ended_us == 0 && life->held == 0 && life->claims > 0 &&
		    life->idle_us <= since_us)
			return true;
	}
	return false;
}

/* A first claim: a job that came back may have to wait until it can run alone. */
static void judge_wait(struct check *check, const struct event *event)
{
	int64_t ready_us = check->began_us + event->job->since_ms * INT64_C(1000);
	int64_t most_us = check->poll_us + 3 * CHECK_SLACK_US;
	int64_t overtaken_us = ((int64_t)check->newest_ready_ms - event->job->since_ms) *
			       INT64_C(1000);

	check_latency(check, CHECK_CLAIM, ready_us, event->at_us);
	if (overtaken_us > CHECK_STARVED_US + check->death_us)
		VIOLATE(L5, event, "was passed over while jobs %" PRId64 " ms younger were taken",
			overtaken_us / 1000);
	if (event->at_us - ready_us > most_us && check->last_claim_us < ready_us &&
	    somebody_idled(check, ready_us) &&
	    (!check_bouts_on(check, ready_us, event->at_us) ||
	     (check_bouts_all(check, ready_us, event->at_us) & FAULT_POLLED) != 0))
		VIOLATE(L6, event, "waited %" PRId64 " ms for a dispatcher that had nothing to do",
			(event->at_us - ready_us) / 1000);
}

/* --- jobs --------------------------------------------------------------------------------------- */

static void set_ready(struct check *check, const struct event *event, const char *state)
{
	event->job->step = strcmp(state, "pending") == 0 ? CHECK_READY : CHECK_WAITING;
	event->job->since_ms = since_began_ms(check, event->at_us);
}

/* HANDLER, and how often it may run: MAX_ATTEMPTS ON_INTERRUPT. */
static bool read_terms(struct check_job *job, char **words, size_t count)
{
	int64_t attempts = LIMIT_ATTEMPTS_DEFAULT;

	if (count > 5 && (!check_read_number(words[5], &attempts) || attempts < 1 ||
			  attempts > LIMIT_ATTEMPTS_MAX))
		return false;
	job->attempts = (uint16_t)attempts;
	if (count > 4 && strcmp(words[4], HISTORY_SILENT_HANDLER) == 0)
		job->flags |= CHECK_SILENT;
	if (count > 4 && strcmp(words[4], HISTORY_USERS_HANDLER) == 0)
		job->flags |= CHECK_USERS;
	if (count > 6 && strcmp(words[6], "fail") == 0)
		job->flags |= CHECK_BRITTLE;
	return true;
}

static bool take_submit(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct event event;

	if (!read_event(check, at_us, words, &event))
		return false;
	if (event.job->step != CHECK_ABSENT && !check->may_lose)
		VIOLATE(S12, &event, "was stored twice");
	if (!read_terms(event.job, words, count))
		return false;
	if (event.job->step == CHECK_ABSENT)
		check->stored++;
	set_ready(check, &event, words[3]);
	return true;
}

static void judge_owner(struct check *check, const struct event *event)
{
	if (event->life == NULL)
		VIOLATE(S7, event, "was claimed by %s, which never registered", event->incarnation);
	else if (event->life->ended_us != 0)
		VIOLATE(S7, event, "was claimed by %s, which was %s", event->incarnation,
			event->life->is_dead ? "dead" : "stopped");
}

static void judge_claim(struct check *check, const struct event *event)
{
	const struct check_job *job = event->job;

	if (job->step == CHECK_ABSENT)
		VIOLATE(S12, event, "was claimed and never stored");
	else if (job->step == CHECK_ENDED)
		VIOLATE(S12, event, "was claimed after its end");
	else if (is_held(job))
		VIOLATE(S6, event, "was claimed while the claim before still stood");
	if (event->seq <= job->seq && !check->may_lose)
		VIOLATE(S12, event, "got claim_seq %" PRId64 " after %" PRIu32, event->seq,
			job->seq);
	if (job->claims == CHECK_CLAIMS_MAX)
		VIOLATE(S10, event, "was claimed more than %d times", CHECK_CLAIMS_MAX);
}

static bool take_claim(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct event event;
	struct check_job *job;

	(void)count;
	if (!read_claim(check, at_us, words, &event))
		return false;
	job = event.job;
	judge_claim(check, &event);
	judge_owner(check, &event);
	if (job->claims == 0 && job->step == CHECK_READY)
		judge_wait(check, &event);
	if (is_held(job))
		let_go(check, &event);
	job->step = CHECK_ASSIGNED;
	job->flags &= (uint16_t) ~(CHECK_STARTED | CHECK_FRESH);
	if (check_read_is_behind_record(check, event.at_us + check_leaks_known_us(check)))
		job->flags |= CHECK_FRESH;
	job->claim = event.claim;
	job->seq = (uint32_t)event.seq;
	if (job->claims < UINT16_MAX)
		job->claims++;
	job->life = CHECK_NO_LIFE;
	if (event.life != NULL) {
		job->life = (uint16_t)check_lives_place(check, event.life);
		hold(check, &event);
	}
	check->last_claim_us = event.at_us;
	if (job->since_ms > check->newest_ready_ms)
		check->newest_ready_ms = job->since_ms;
	return true;
}

static bool take_start(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct event event;

	(void)count;
	if (!read_claim(check, at_us, words, &event))
		return false;
	if (event.job->step != CHECK_ASSIGNED || event.claim != event.job->claim)
		VIOLATE(S12, &event, "was started without the claim that it had");
	if (event.job->step != CHECK_ENDED)
		event.job->step = CHECK_ACTIVE;
	event.job->flags |= CHECK_STARTED;
	return true;
}

static bool take_back(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct event event;

	(void)count;
	if (!read_claim(check, at_us, words, &event))
		return false;
	if (strcmp(words[6], "pending") != 0 && strcmp(words[6], "scheduled") != 0 &&
	    strcmp(words[6], "held") != 0)
		VIOLATE(S12, &event, "went back to be %s, in which no job can wait", words[6]);
	if (!is_held(event.job)) {
		VIOLATE(S12, &event, "came back without having been claimed");
		return true;
	}
	if (event.claim != event.job->claim) {
		check->verdict->stale_accepts++;
		VIOLATE(S2, &event, "came back by a claim that was not its latest");
	}
	check_claims_back(check, event.id, event.job, event.at_us);
	let_go(check, &event);
	set_ready(check, &event, words[6]);
	return true;
}

/* --- ends --------------------------------------------------------------------------------------- */

static enum check_end end_of(const char *state)
{
	static const char *const NAMES[] = { "completed", "failed", "cancelled", "expired" };

	for (int i = 0; i < CHECK_NO_END; i++)
		if (strcmp(state, NAMES[i]) == 0)
			return (enum check_end)i;
	return CHECK_NO_END;
}

static void count_end(struct verdict *verdict, enum check_end end, bool unkept)
{
	verdict->ended++;
	switch (end) {
	case CHECK_COMPLETED:
		verdict->completed++;
		break;
	case CHECK_FAILED:
		verdict->failed++;
		break;
	case CHECK_CANCELLED:
		verdict->cancelled++;
		break;
	case CHECK_EXPIRED:
		verdict->expired++;
		break;
	case CHECK_NO_END:
		verdict->completed += unkept;
		break;
	}
}

/* Whether the end may stand on its own: no claim, or the latest and still held. */
static void judge_end(struct check *check, const struct event *event, enum check_end end)
{
	const struct check_job *job = event->job;

	if (job->step == CHECK_ABSENT)
		VIOLATE(S12, event, "ended and was never stored");
	if (event->claim == 0) {
		if (end == CHECK_COMPLETED)
			VIOLATE(S12, event, "was completed without a claim");
		return;
	}
	if (end == CHECK_EXPIRED)
		VIOLATE(S12, event, "expired under a claim");
	if (event->claim == job->claim && is_held(job))
		return;
	check->verdict->stale_accepts++;
	if (event->claim == job->claim)
		VIOLATE(S2, event, "was ended by a claim that had been taken away");
	else
		VIOLATE(S2, event, "was ended by a claim that was not its latest");
}

static bool take_end(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct event event;
	enum check_end end = end_of(words[6]);
	bool unkept = strcmp(words[6], "unkept") == 0;

	(void)count;
	if (!read_claim(check, at_us, words, &event))
		return false;
	if (event.job->step == CHECK_ENDED) {
		check->verdict->duplicate_accepts++;
		VIOLATE(S1, &event, "ended a second time, as %s", words[6]);
		return true;
	}
	if (end == CHECK_NO_END && !unkept)
		VIOLATE(S12, &event, "ended as %s, which is no end", words[6]);
	judge_end(check, &event, end);
	if (is_held(event.job) && event.job->claims == 1)
		check_latency(check, CHECK_END,
			      check->began_us + event.job->since_ms * INT64_C(1000), event.at_us);
	if (is_held(event.job))
		let_go(check, &event);
	event.job->step = CHECK_ENDED;
	event.job->end = end & 15;
	event.job->since_ms = since_began_ms(check, event.at_us);
	if (event.claim != 0 && event.claim == event.job->claim)
		event.job->flags |= CHECK_CLAIMED_END;
	if (unkept)
		event.job->flags |= CHECK_UNKEPT;
	count_end(check->verdict, end, unkept);
	check_pace_end(check, event.at_us);
	return true;
}

/* --- dispatchers -------------------------------------------------------------------------------- */

/* The former lives of a dispatcher that is born again. One that still lives is buried by it in the same transaction, or
 * there are two. */
static void succeed(struct check *check, const struct check_life *born)
{
	for (size_t i = 0; i < check->life_count; i++) {
		struct check_life *life = &check->lives[i];

		if (life == born || life->id != born->id)
			continue;
		if (life->ended_us == 0)
			life->rival = born->key;
		else if (life->successor_us == 0)
			life->successor_us = born->born_us;
	}
}

static void judge_rivals(struct check *check)
{
	for (size_t i = 0; i < check->life_count; i++)
		if (check->lives[i].rival != 0)
			verdict_violate(check->verdict, VERDICT_S8,
					"another incarnation of the dispatcher of %s was born "
					"while it lived",
					check->lives[i].name);
}

/* Its own corpse: the new life says so, and no moment lies between. */
static void bury(struct check *check, struct check_life *life)
{
	const uint64_t *place = check_map_find(&check->life_by_key, life->rival);

	if (life->rival == 0 || life->rival != life->killer || place == NULL ||
	    life->ended_us - check->lives[*place].born_us > CHECK_CLOCK_US)
		return;
	life->rival = 0;
	life->successor_us = check->lives[*place].born_us;
}

static bool take_alive(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_life *life = check_lives_find(check, words[1]);

	(void)count;
	if (life != NULL && !check->may_lose) {
		verdict_violate(check->verdict, VERDICT_S8, "%s was born twice", words[1]);
		return true;
	}
	if (life == NULL)
		life = check_lives_add(check, words[1]);
	if (life == NULL)
		return true;
	life->id = check_map_key(words[2]);
	life->born_us = life->idle_us = check_bouts_time(check, at_us);
	life->ended_us = 0;
	succeed(check, life);
	return true;
}

static struct check_life *ending(struct check *check, const char *incarnation, const char *what)
{
	struct check_life *life = check_lives_find(check, incarnation);

	if (life == NULL)
		verdict_violate(check->verdict, VERDICT_S8, "%s %s and was never born", incarnation,
				what);
	else if (life->ended_us != 0)
		verdict_violate(check->verdict, VERDICT_S8, "%s %s after its end", incarnation,
				what);
	else
		return life;
	return NULL;
}

static bool take_dead(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_life *life = ending(check, words[1], "was declared dead");
	int64_t age_us;
	int64_t interval_us;

	(void)count;
	if (!check_read_number(words[2], &age_us) || !check_read_number(words[3], &interval_us))
		return false;
	if (interval_us >= 0 && interval_us != check->death_us)
		check_read_unsound(check,
				   "%s:%" PRId64 ": the death interval of %s is %" PRId64
				   " ms, and the act's is %" PRId64,
				   check->file, check->line, words[1], interval_us / 1000,
				   check->death_us / 1000);
	if (life == NULL)
		return true;
	life->ended_us = check_bouts_time(check, at_us);
	life->is_dead = true;
	life->age_us = age_us;
	life->interval_us = interval_us;
	life->killer = check_map_key(words[4]);
	bury(check, life);
	return true;
}

static bool take_gone(struct check *check, int64_t at_us, char **words, size_t count)
{
	struct check_life *life = ending(check, words[1], "stopped");

	(void)count;
	if (life != NULL)
		life->ended_us = check_bouts_time(check, at_us);
	return true;
}

/* --- what is left ------------------------------------------------------------------------------- */

bool check_database(struct check *check)
{
	static const struct check_read_kind KINDS[] = {
		{ "submit", 4, 7, take_submit },
		{ "claim", 6, 6, take_claim },
		{ "start", 6, 6, take_start },
		{ "back", 7, 7, take_back },
		{ "end", 7, 7, take_end },
		{ "alive", 3, 3, take_alive },
		{ "dead", 5, 6, take_dead },
		{ "gone", 2, 2, take_gone },
		{ NULL, 0, 0, NULL },
	};
	bool whole = check_read(check, "database.log", KINDS);

	judge_rivals(check);
	check_leaks_orphans(check);
	return whole;
}
