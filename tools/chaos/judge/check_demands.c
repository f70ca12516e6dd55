/* Deaths: their evidence, how soon the jobs came back, who lived on; and what the faults demand besides. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/judge/check.h"

/* --- one death ---------------------------------------------------------------------------------- */

/* A dispatcher that proves to be its own corpse needs no other evidence. */
static bool is_own_corpse(const struct check *check, const struct check_life *life)
{
	const uint64_t *killer = check_map_find(&check->life_by_key, life->killer);

	return killer != NULL && check->lives[*killer].id == life->id;
}

/* Where the database's clock jumped meanwhile, only how long the ping was the same counts. */
static void judge_evidence(struct check *check, const struct check_life *life)
{
	int64_t silent_us = life->ended_us - life->ping_sent_us;
	int64_t since_us = life->ping_sent_us != 0 ? life->ping_sent_us : life->born_us;

	if (life->interval_us < 0)
		verdict_violate(check->verdict, VERDICT_S8,
				"%s was declared dead, and its ping stayed", life->name);
	else if (life->age_us < life->interval_us &&
		 !check_bouts_jumped(check, since_us, life->ended_us))
		verdict_violate(check->verdict, VERDICT_S8,
				"%s was declared dead %" PRId64 " ms after its last ping",
				life->name, life->age_us / 1000);
	else if (life->ping_sent_us != 0 && silent_us < life->interval_us - CHECK_CLOCK_US)
		verdict_violate(check->verdict, VERDICT_S8,
				"%s was declared dead after only %" PRId64 " ms without a ping",
				life->name, silent_us / 1000);
}

/* Whether a fault that may silence it was on. */
static bool was_silenced(const struct check *check, const struct check_life *life, int64_t since_us)
{
	for (size_t i = 0; i < check->bout_count; i++) {
		const struct check_bout *bout = &check->bouts[i];

		if (bout->injected_us <= life->ended_us && bout->settled_us >= since_us &&
		    (bout->demands & FAULT_NO_DEATH) == 0 && check_bouts_hurts(bout, life))
			return true;
	}
	return false;
}

/* One that lived, while the machine stood still for long: that alone may have silenced it, and tells nothing of locum. */
static bool was_stalled(const struct check *check, const struct check_life *life)
{
	int64_t since_us = life->ping_sent_us != 0 ? life->ping_sent_us : life->born_us;

	return life->lived_on &&
	       check_stalls_us(check, since_us, life->ended_us) >= check->death_us / 2;
}

static void classify(struct check *check, const struct check_life *life)
{
	int64_t since_us = life->ping_sent_us != 0 ? life->ping_sent_us : life->born_us;

	if (!life->lived_on) {
		check->verdict->deaths_true++;
		return;
	}
	if (was_silenced(check, life, since_us)) {
		check->verdict->deaths_forced++;
		return;
	}
	if (was_stalled(check, life)) {
		check->verdict->deaths_forced++;
		check_read_gap(check,
			       "%s was declared dead and lived, and the machine stood still for "
			       "%" PRId64 " ms meanwhile",
			       life->name, check_stalls_us(check, since_us, life->ended_us) / 1000);
		return;
	}
	check->verdict->deaths_false++;
	verdict_violate(check->verdict, VERDICT_S8,
			"%s was declared dead, lived, and nothing was done to it that may cause it",
			life->name);
}

/* Who dies again and again waits longer each time before it takes a new incarnation. */
static int64_t flap_us(const struct check *check, const struct check_life *life)
{
	int64_t pause_us = check->death_us / 2;
	bool flapped = true;

	while (flapped && pause_us < CHECK_FLAPS * check->death_us) {
		flapped = false;
		for (size_t i = 0; i < check->life_count && !flapped; i++) {
			const struct check_life *former = &check->lives[i];

			flapped = former->is_dead && former->id == life->id &&
				  former->pid == life->pid &&
				  former->successor_us == life->born_us &&
				  life->ended_us - life->born_us < CHECK_FLAPS * check->death_us;
			if (flapped)
				life = former;
		}
		pause_us *= flapped ? 2 : 1;
	}
	return pause_us > CHECK_FLAPS * check->death_us ? CHECK_FLAPS * check->death_us : pause_us;
}

/* One that lives comes back, soon after what silenced it is over. */
static void judge_return(struct check *check, const struct check_life *life)
{
	int64_t healed_us = check_bouts_heal(check, life->ended_us, life->ended_us);
	int64_t from_us = healed_us > life->ended_us ? healed_us : life->ended_us;
	int64_t until_us = from_us + check->death_us + flap_us(check, life) + CHECK_SLACK_US;

	until_us += check_stalls_us(check, life->ended_us, until_us);
	if (!life->lived_on || (life->successor_us != 0 && life->successor_us <= until_us))
		return;
	for (size_t i = 0; i < check->bout_count; i++)
		if (check->bouts[i].injected_us > life->ended_us &&
		    check->bouts[i].injected_us <= until_us)
			return;
	if (check_read_is_behind_record(check, until_us))
		return;
	verdict_violate(check->verdict, VERDICT_L4,
			"%s was declared dead, lived, and did not come back within %" PRId64 " ms",
			life->name, (until_us - from_us) / 1000);
}

/* --- reclaiming --------------------------------------------------------------------------------- */

/* From the last that the database heard of it, and from a sibling's birth, which may be later. A ping whose answer it did
 * not get may have been heard. */
static int64_t silent_since(const struct check *check, const struct check_life *life)
{
	int64_t heard_us = life->contact_us != 0 ? life->contact_us : life->born_us;
	int64_t contact_us = life->unanswered_us > heard_us ? life->unanswered_us : heard_us;
	int64_t sibling_us = INT64_MAX;

	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *other = &check->lives[i];

		if (other->id != life->id && other->born_us < sibling_us &&
		    (other->ended_us == 0 || other->ended_us > life->ended_us))
			sibling_us = other->born_us;
	}
	return sibling_us != INT64_MAX && sibling_us > contact_us ? sibling_us : contact_us;
}

/* In milliseconds; 0: nothing bounds it. */
static int64_t bound_ms(const struct check *check, const struct check_life *life)
{
	unsigned demands = check_bouts_all(check, life->ended_us, life->ended_us);
	int64_t bound_us = check->death_us + 2 * check->scan_us + check->poll_us + CHECK_SLACK_US;

	if ((demands & FAULT_MASS) != 0)
		return (bound_us + check->death_us + 5000000) / 1000;
	return (demands & FAULT_RECLAIM) != 0 ? bound_us / 1000 : 0;
}

static void note_reclaim(struct check *check, const struct check_life *life, int64_t ms)
{
	for (size_t i = 0; i < check->bout_count; i++) {
		const struct check_bout *bout = &check->bouts[i];
		struct verdict_fault *fault = &check->verdict->faults[bout->fault];

		if (bout->injected_us <= life->ended_us && bout->settled_us >= life->ended_us &&
		    ms > fault->reclaim_max_ms)
			fault->reclaim_max_ms = ms;
	}
}

static int compare(const void *a, const void *b)
{
	const int64_t *one = a;
	const int64_t *other = b;

	return (*one > *other) - (*one < *other);
}

static void note_percentiles(struct verdict *verdict, int64_t *all_ms, size_t count)
{
	if (count == 0)
		return;
	qsort(all_ms, count, sizeof(*all_ms), compare);
	verdict->reclaim_p50_ms = all_ms[(count - 1) / 2];
	verdict->reclaim_p99_ms = all_ms[(count - 1) * 99 / 100];
	verdict->reclaim_max_ms = all_ms[count - 1];
}

/* Only those of the dead: what a dispatcher left that stopped in good order waits for no death. Where nothing bounds
 * them, for the server itself was away or slow, they are the fault's figure only. */
static void judge_reclaims(struct check *check)
{
	int64_t *all_ms = calloc(check->reclaim_count + 1, sizeof(*all_ms));
	int64_t since_us = 0;
	size_t count = 0;
	size_t last = SIZE_MAX;
	bool bounded = false;

	for (size_t i = 0; all_ms != NULL && i < check->reclaim_count; i++) {
		const struct check_reclaim *reclaim = &check->reclaims[i];
		const struct check_life *life = &check->lives[reclaim->life];

		if (!life->is_dead || is_own_corpse(check, life))
			continue;
		if (reclaim->life != last) {
			since_us = silent_since(check, life);
			bounded = bound_ms(check, life) != 0;
		}
		last = reclaim->life;
		all_ms[count] = (reclaim->at_us - since_us) / 1000;
		note_reclaim(check, life, all_ms[count]);
		count += bounded;
	}
	note_percentiles(check->verdict, all_ms, count);
	free(all_ms);
}

static void judge_bound(struct check *check, const struct check_life *life)
{
	int64_t most_ms = bound_ms(check, life);
	int64_t since_us = silent_since(check, life);
	int64_t took_ms = (life->back_us - since_us) / 1000;

	if (most_ms == 0 || life->back_us == 0 || took_ms <= most_ms)
		return;
	most_ms += check_stalls_delay(check, since_us, life->back_us) / 1000;
	if (took_ms > most_ms)
		verdict_violate(check->verdict, VERDICT_L2,
				"the last job of %s came back after %" PRId64
				" ms; at most %" PRId64 " are allowed",
				life->name, took_ms, most_ms);
}

static void judge_death(struct check *check, const struct check_life *life)
{
	if (!life->is_dead || is_own_corpse(check, life))
		return;
	judge_evidence(check, life);
	classify(check, life);
	judge_return(check, life);
	judge_bound(check, life);
}

/* --- bouts -------------------------------------------------------------------------------------- */

static void break_bout(struct check *check, const struct check_bout *bout, const char *what)
{
	struct verdict_fault *fault = &check->verdict->faults[bout->fault];

	fault->broken++;
	if (check->verdict->why[0] == '\0')
		snprintf(check->verdict->why, VERDICT_TEXT, "%s (bout %d): %s", fault->name,
			 bout->number, what);
}

static int deaths_in(const struct check *check, const struct check_bout *bout)
{
	int deaths = 0;

	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];

		deaths += life->is_dead && !is_own_corpse(check, life) &&
			  life->ended_us >= bout->injected_us && life->ended_us <= bout->settled_us;
	}
	return deaths;
}

static int stalled_in(const struct check *check, const struct check_bout *bout)
{
	int deaths = 0;

	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];

		deaths += life->is_dead && !is_own_corpse(check, life) &&
			  life->ended_us >= bout->injected_us &&
			  life->ended_us <= bout->settled_us && was_stalled(check, life);
	}
	return deaths;
}

/* Whether some died, or the one that it was to hurt did, and none of them had a job that came back: what the other of a pair
 * had is no substitute. */
static bool is_empty(const struct check *check, const struct check_bout *bout)
{
	int deaths = 0;
	int reclaims = 0;
	int own_deaths = 0;
	int own_reclaims = 0;

	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];
		bool own = check_bouts_hurts(bout, life);
		bool back = life->back_us != 0;

		if (!life->is_dead || life->ended_us < bout->injected_us ||
		    life->ended_us > bout->settled_us)
			continue;
		deaths += !is_own_corpse(check, life);
		reclaims += back;
		own_deaths += own && !is_own_corpse(check, life);
		own_reclaims += own && back;
	}
	return (deaths > 0 && reclaims == 0) || (own_deaths > 0 && own_reclaims == 0);
}

/* Whether all that were on were to cause a death, and the one that it was to did not come. Who buries itself died, too. */
static bool is_spared(const struct check *check, const struct check_bout *bout)
{
	for (size_t i = 0; i < check->bout_count; i++) {
		const struct check_bout *other = &check->bouts[i];

		if (other->injected_us <= bout->settled_us &&
		    other->settled_us >= bout->injected_us &&
		    (other->demands & (FAULT_RECLAIM | FAULT_MASS)) == 0)
			return false;
	}
	for (size_t i = 0; i < check->life_count; i++) {
		const struct check_life *life = &check->lives[i];

		if (life->is_dead && life->ended_us >= bout->injected_us &&
		    life->ended_us <= bout->settled_us && check_bouts_hurts(bout, life))
			return false;
	}
	return true;
}

/* What makes the fate of commits unknown leaves somebody who did not know; beside another fault, who may be gone. */
static void judge_unknowns(struct check *check, const struct check_bout *bout)
{
	const char *name = check->verdict->faults[bout->fault].name;

	for (size_t i = 0; i < check->bout_count; i++)
		if (&check->bouts[i] != bout && check->bouts[i].injected_us <= bout->settled_us &&
		    check->bouts[i].settled_us >= bout->injected_us)
			return;
	if (strncmp(name, "commit-answer", strlen("commit-answer")) == 0 && bout->witnesses > 0 &&
	    !check_read_any(&check->unknowns, bout->injected_us, bout->settled_us))
		check_read_gap(check,
			       "no worker's log tells of the unknown fate after %s (bout %d)", name,
			       bout->number);
}

/* What a death brings about that a stall of the machine may have caused tells nothing, of the fault or of locum. */
static void break_harmless(struct check *check, const struct check_bout *bout, bool stalled,
			   const char *what)
{
	if (stalled)
		check_read_gap(check, "%s (bout %d): %s, and the machine stood still meanwhile",
			       check->verdict->faults[bout->fault].name, bout->number, what);
	else
		break_bout(check, bout, what);
}

static void judge_harm(struct check *check, const struct check_bout *bout, unsigned demands,
		       int deaths)
{
	int stalled = stalled_in(check, bout);

	if ((demands & FAULT_NO_DEATH) != 0 && deaths > 0)
		break_harmless(check, bout, deaths == stalled, "a dispatcher was declared dead");
	if ((demands & FAULT_NO_CONFLICT) != 0 &&
	    check_read_any(&check->conflicts, bout->injected_us, bout->settled_us))
		break_harmless(check, bout, stalled > 0, "a job was reassigned");
	if ((demands & FAULT_NO_ATTEMPT) != 0 &&
	    check_read_any(&check->attempts, bout->injected_us, bout->settled_us))
		break_harmless(check, bout, stalled > 0, "a run was counted against a job");
}

/* A bout of a pair demands only what the other one demands too. */
static void judge_bout(struct check *check, struct check_bout *bout)
{
	unsigned demands = check_bouts_all(check, bout->injected_us, bout->settled_us);
	int deaths = deaths_in(check, bout);
	char why[VERDICT_TEXT];

	check->verdict->faults[bout->fault].deaths += deaths;
	bout->empty = (bout->demands & (FAULT_RECLAIM | FAULT_MASS)) != 0 && is_empty(check, bout);
	bout->spared = is_spared(check, bout);
	judge_unknowns(check, bout);
	judge_harm(check, bout, demands, deaths);
	check_latency_count_untold(check, bout, demands);
	if (!check_latency_is_met(check, bout, demands, why, sizeof(why)))
		break_bout(check, bout, why);
}

void check_demands(struct check *check)
{
	for (size_t i = 0; i < check->life_count; i++)
		judge_death(check, &check->lives[i]);
	judge_reclaims(check);
	for (size_t i = 0; i < check->bout_count; i++)
		judge_bout(check, &check->bouts[i]);
}
