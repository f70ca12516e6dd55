#include "tools/chaos/play/nemesis.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tools/chaos/faults/fault.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/play/burden.h"
#include "tools/chaos/play/load.h"

enum {
	SETTLE_LEAST_MS = 120000,
	WORK_MS = 60000,
	PACE_MS = 12000,
	WINDOW_MS = 1000,
	LOOK_MS = 20,
	HEAL_MS = 30000,
	HEAL_PAUSE_MS = 200,
	BOUT_MOST = 2,
	TRIES = 5
};

struct nemesis {
	struct stage *stage;
	const atomic_bool *enough;
	nemesis_tell *tell;
	void *to;
	uint64_t seed;
	int64_t began_ms;
	int64_t ended;  /* jobs, before */
	int64_t deaths; /* the last one before the bout */
	int number;     /* of the last bout */
	int done;       /* injections or pairs */
	int all;
	bool *skipped; /* by the place of the fault: it was told that it is */
	bool broken;   /* the fleet is beyond repair: nothing more is injected */
};

/* A bout and how far it is. */
struct play {
	struct bout bout;
	pid_t victim; /* whom it is to hurt, 0: whomever */
	bool bit;     /* inject succeeded */
	bool healed;
	int64_t heals_ms;    /* when, or when again */
	int64_t gives_up_ms; /* what could not be healed by then stays */
	struct error why;    /* it did not */
};

static void note(struct nemesis *nemesis, const char *what, const char *fault,
		 const struct error *err)
{
	history_write(&nemesis->stage->nemesis, "note %s %s: %s", fault, what, err->text);
}

static bool is_cut_off(const struct nemesis *nemesis)
{
	return atomic_load(nemesis->stage->stop);
}

/* --- what cannot be done ------------------------------------------------------------------------ */

/* The place of a fault among all. */
static size_t place_of(const struct fault *wanted)
{
	const struct fault *fault = NULL;
	size_t place = 0;

	while ((fault = fault_next(fault)) != NULL && fault != wanted)
		place++;
	return place;
}

/* Tells once why it cannot be played. */
static bool is_possible(struct nemesis *nemesis, const struct fault *fault)
{
	struct error err = { .kind = ERROR_NONE };
	size_t place = place_of(fault);

	if (fault->possible == NULL || fault->possible(&err) == 0)
		return true;
	if (!nemesis->skipped[place])
		history_write(&nemesis->stage->nemesis, "skip %s %s", fault->name, err.text);
	nemesis->skipped[place] = true;
	return false;
}

/* --- one bout ----------------------------------------------------------------------------------- */

static void begin(struct nemesis *nemesis, struct play *play, const struct fault *fault, int target)
{
	int number = ++nemesis->number;

	target = fault->untargeted ? -1 : target;
	*play = (struct play){
		.bout = { .number = number,
			  .fault = fault,
			  .stage = nemesis->stage,
			  .chance = chance_part(nemesis->seed, (uint64_t)number),
			  .target = target,
			  .began_us = history_now_us() },
	};
	history_write(&nemesis->stage->nemesis, "inject %d %s %d", number, fault->name, target);
}

static int64_t hold_ms(const struct bout *bout)
{
	const struct plan_intervals *intervals = &bout->stage->act->intervals;

	if (bout->fault->hold_ms != NULL)
		return bout->fault->hold_ms(bout);
	if ((bout->fault->demands & (FAULT_RECLAIM | FAULT_MASS)) != 0)
		return 2 * intervals->death_ms;
	return intervals->ping_ms;
}

static void inject(struct play *play)
{
	const struct bout *bout = &play->bout;

	play->victim = bout->target < 0 ? 0 : fleet_pid(bout->stage->fleet, bout->target);
	play->bit = play->bout.fault->inject(&play->bout, &play->why) == 0;
	play->healed = false;
	play->heals_ms = clock_monotonic_ms() + (play->bit ? hold_ms(&play->bout) : 0);
	play->gives_up_ms = play->heals_ms + HEAL_MS;
}

/* What the other of a pair prevents, such as one that stopped the server, is tried again. */
static void heal(struct nemesis *nemesis, struct play *play)
{
	struct bout *bout = &play->bout;
	struct error err = { .kind = ERROR_NONE };

	if (bout->fault->heal != NULL && bout->fault->heal(bout, &err) != 0) {
		int64_t now_ms = clock_monotonic_ms();

		if (now_ms < play->gives_up_ms && !is_cut_off(nemesis)) {
			play->heals_ms = now_ms + HEAL_PAUSE_MS;
			return;
		}
		note(nemesis, "was not healed", bout->fault->name, &err);
	}
	play->healed = true;
	history_write(&nemesis->stage->nemesis, "heal %d", bout->number);
}

/* Until then, or until the run is cut off. */
static void await_moment(const struct nemesis *nemesis, int64_t until_ms)
{
	int64_t left = until_ms - clock_monotonic_ms();

	while (left > 0 && !is_cut_off(nemesis)) {
		poll(NULL, 0, (int)(left < LOOK_MS ? left : LOOK_MS));
		left = until_ms - clock_monotonic_ms();
	}
}

static struct play *next_to_heal(struct play *plays, int count)
{
	struct play *next = NULL;

	for (int i = 0; i < count; i++)
		if (!plays[i].healed && (next == NULL || plays[i].heals_ms < next->heals_ms))
			next = &plays[i];
	return next;
}

static void inject_all(struct nemesis *nemesis, struct play *plays, int count, bool punctual)
{
	for (int i = 0; i < count; i++) {
		if (plays[i].bout.fault->punctual != punctual)
			continue;
		inject(&plays[i]);
		if (!plays[i].bit)
			heal(nemesis, &plays[i]);
	}
}

/* The other of a pair may take its time to bite. */
static void do_harm(struct nemesis *nemesis, struct play *plays, int count)
{
	struct play *next;

	inject_all(nemesis, plays, count, false);
	inject_all(nemesis, plays, count, true);
	while ((next = next_to_heal(plays, count)) != NULL) {
		await_moment(nemesis, next->heals_ms);
		heal(nemesis, next);
	}
}

/* --- afterwards --------------------------------------------------------------------------------- */

static int64_t settle_ms(const struct nemesis *nemesis)
{
	return SETTLE_LEAST_MS + 10 * nemesis->stage->act->intervals.death_ms;
}

static int await_work(struct nemesis *nemesis, struct error *err)
{
	const struct load *load = nemesis->stage->load;
	const int64_t before = load_ended(load);
	const int64_t deadline_ms = clock_monotonic_ms() + WORK_MS;

	while (load_ended(load) <= before) {
		if (is_cut_off(nemesis))
			return 0;
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(err, ERROR_RETRY, "no job ended within %d ms", WORK_MS);
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

/* Until as many jobs end in a second as do in 0.9 seconds of the act, so that the judge can tell how soon that is; that they
 * do not is no harm. */
static void await_pace(const struct nemesis *nemesis)
{
	const struct load *load = nemesis->stage->load;
	int64_t from_ms = clock_monotonic_ms();
	int64_t from = load_ended(load);
	const int64_t deadline_ms = from_ms + PACE_MS;
	int64_t now_ms;

	while ((now_ms = clock_monotonic_ms()) < deadline_ms && !is_cut_off(nemesis) &&
	       !atomic_load(nemesis->enough)) {
		int64_t ended = load_ended(load);

		if (now_ms - from_ms >= WINDOW_MS) {
			if ((ended - from) * (now_ms - nemesis->began_ms) * 10 >=
			    (ended - nemesis->ended) * (now_ms - from_ms) * 9)
				return;
			from_ms = now_ms;
			from = ended;
		}
		poll(NULL, 0, LOOK_MS);
	}
}

static void settle(struct nemesis *nemesis, struct play *plays, int count)
{
	struct error err = { .kind = ERROR_NONE };

	if (fleet_settle(nemesis->stage->fleet, settle_ms(nemesis), &err) == 0 &&
	    await_work(nemesis, &err) == 0) {
		await_pace(nemesis);
		return;
	}
	if (is_cut_off(nemesis))
		return;
	nemesis->broken = true;
	for (int i = 0; i < count; i++)
		bout_broken(&plays[i].bout, "the fleet is not whole after it: %s", err.text);
}

static bool is_to_kill(const struct fault *fault)
{
	return (fault->demands & (FAULT_RECLAIM | FAULT_MASS)) != 0;
}

static void count_deaths(struct nemesis *nemesis)
{
	if (server_run(nemesis->stage->server, "death_last", NULL, 0, &nemesis->deaths, NULL) != 0)
		nemesis->deaths = INT64_MAX;
}

/* Whoever was to die did, and had nothing that others could take; what the other of a pair had is no substitute. */
static bool is_empty(const struct nemesis *nemesis, const struct play *play)
{
	char after[24];
	char victim[24];
	const char *const params[] = { after, victim };
	int64_t empty = 0;

	snprintf(after, sizeof(after), "%" PRId64, nemesis->deaths);
	snprintf(victim, sizeof(victim), "%d", (int)play->victim);
	return is_to_kill(play->bout.fault) &&
	       server_run(nemesis->stage->server, "death_empty", params, 2, &empty, NULL) == 0 &&
	       empty != 0;
}

/* Whether it did what it is for; play->why: what it did not. */
static bool has_bitten(const struct nemesis *nemesis, struct play *play)
{
	if (!play->bit)
		return false;
	if (play->bout.witnesses > 0 && !is_empty(nemesis, play))
		return true;
	error_set(&play->why, ERROR_RETRY, "%s",
		  play->bout.witnesses == 0 ? "nothing shows that it bit"
					    : "nobody who held a job died");
	return false;
}

/* What kept one from biting, such as the other of a pair, may have gone. */
static void try_again(struct nemesis *nemesis, struct play *play)
{
	for (int tries = 1; tries < TRIES && !is_cut_off(nemesis) && !nemesis->broken; tries++) {
		if (has_bitten(nemesis, play))
			return;
		note(nemesis, "is injected again", play->bout.fault->name, &play->why);
		history_write(&nemesis->stage->nemesis, "again %d", play->bout.number);
		free(play->bout.own);
		play->bout.own = NULL;
		if (is_to_kill(play->bout.fault))
			burden_lay(nemesis->stage, play->bout.target, -1);
		do_harm(nemesis, play, 1);
		settle(nemesis, play, 1);
	}
	if (!play->bit)
		note(nemesis, "was not injected", play->bout.fault->name, &play->why);
}

static void judge(struct nemesis *nemesis, struct play *play)
{
	struct bout *bout = &play->bout;
	struct error err = { .kind = ERROR_NONE };

	if (play->bit && !nemesis->broken && !is_cut_off(nemesis) && bout->fault->judge != NULL &&
	    bout->fault->judge(bout, &err) != 0)
		note(nemesis, "has its criterion broken", bout->fault->name, &err);
	if (!nemesis->broken)
		history_write(&nemesis->stage->nemesis, "settled %d", bout->number);
	free(bout->own);
	bout->own = NULL;
}

/* --- bout after bout ---------------------------------------------------------------------------- */

/* Two that overlap hurt two dispatchers, when there are two. */
static void draw_targets(struct nemesis *nemesis, int targets[static BOUT_MOST])
{
	uint64_t chance = chance_part(~nemesis->seed, (uint64_t)nemesis->number);
	unsigned size = (unsigned)fleet_size(nemesis->stage->fleet);

	targets[0] = (int)chance_below(&chance, size);
	targets[1] = size < 2 ? targets[0]
			      : (targets[0] + 1 + (int)chance_below(&chance, size - 1)) % (int)size;
}

/* Who is to die has something that others can take. */
static void burden_targets(struct nemesis *nemesis, const struct plan_bout *planned,
			   int targets[static BOUT_MOST])
{
	struct stage *stage = nemesis->stage;

	if (is_to_kill(planned->first))
		targets[0] = burden_lay(stage, planned->first->untargeted ? -1 : targets[0],
					planned->second == NULL ? -1 : targets[1]);
	if (planned->second != NULL && is_to_kill(planned->second))
		targets[1] = burden_lay(stage, planned->second->untargeted ? -1 : targets[1],
					targets[0]);
}

static void play_bout(struct nemesis *nemesis, const struct plan_bout *planned)
{
	const int count = planned->second == NULL ? 1 : BOUT_MOST;
	struct play plays[BOUT_MOST];
	int targets[BOUT_MOST];

	count_deaths(nemesis);
	draw_targets(nemesis, targets);
	burden_targets(nemesis, planned, targets);
	begin(nemesis, &plays[0], planned->first, targets[0]);
	if (count == BOUT_MOST) {
		begin(nemesis, &plays[1], planned->second, targets[1]);
		plays[0].bout.paired = true;
		plays[1].bout.paired = true;
	}
	do_harm(nemesis, plays, count);
	settle(nemesis, plays, count);
	for (int i = 0; i < count; i++)
		try_again(nemesis, &plays[i]);
	for (int i = 0; i < count; i++)
		judge(nemesis, &plays[i]);
}

static void tell(const struct nemesis *nemesis, const struct plan_bout *planned)
{
	char what[160];

	snprintf(what, sizeof(what), "%s%s%s", planned->first->name,
		 planned->second == NULL ? "" : " + ",
		 planned->second == NULL ? "" : planned->second->name);
	if (nemesis->tell != NULL)
		nemesis->tell(nemesis->to, nemesis->done, nemesis->all, what);
}

static bool is_enough(const struct nemesis *nemesis)
{
	return nemesis->broken || atomic_load(nemesis->enough) || is_cut_off(nemesis);
}

static bool is_time_over(const struct nemesis *nemesis)
{
	return clock_monotonic_ms() - nemesis->began_ms >= nemesis->stage->act->for_ms;
}

/* The first round is played whole: each fault and each pair has its turn. */
static void play_round(struct nemesis *nemesis, const struct plan_bout *bouts, size_t count)
{
	const bool first = nemesis->done == 0;

	nemesis->all = nemesis->done + (int)count;
	for (size_t i = 0; i < count && !is_enough(nemesis); i++) {
		if (!first && is_time_over(nemesis))
			return;
		tell(nemesis, &bouts[i]);
		if (is_possible(nemesis, bouts[i].first) &&
		    (bouts[i].second == NULL || is_possible(nemesis, bouts[i].second)))
			play_bout(nemesis, &bouts[i]);
		nemesis->done++;
	}
}

/* Nothing that can be played is no reason to go round and round. */
static bool goes_on(const struct nemesis *nemesis)
{
	return !is_enough(nemesis) && nemesis->number > 0 && !is_time_over(nemesis);
}

static size_t count_faults(void)
{
	const struct fault *fault = NULL;
	size_t count = 0;

	while ((fault = fault_next(fault)) != NULL)
		count++;
	return count;
}

int nemesis_play(struct stage *stage, const atomic_bool *enough, nemesis_tell *tell_it, void *to,
		 struct error *err)
{
	struct nemesis nemesis = { .stage = stage,
				   .enough = enough,
				   .tell = tell_it,
				   .to = to,
				   .seed = stage->act->seed,
				   .began_ms = clock_monotonic_ms(),
				   .ended = load_ended(stage->load),
				   .skipped = calloc(count_faults() + 1, sizeof(bool)) };
	struct plan_bout *bouts;
	int status = 0;
	size_t count;
	int round = 0;

	if (nemesis.skipped == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	history_write(&stage->nemesis, "begin %" PRIu64, nemesis.seed);
	if (await_work(&nemesis, err) != 0) {
		free(nemesis.skipped);
		return error_prefix(err, "before the first fault");
	}
	do {
		status = plan_deal(stage->act, nemesis.seed, round++, &bouts, &count, err);
		if (status == 0) {
			play_round(&nemesis, bouts, count);
			free(bouts);
		}
	} while (status == 0 && goes_on(&nemesis));
	free(nemesis.skipped);
	return status;
}
