#include "tools/chaos/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/plan/chance.h"
#include "tools/chaos/plan/scenario.h"
#include "tools/chaos/sql.h"

const struct plan_act plan_default = {
	.stage = STAGE_PLAIN,
	.jobs = 2000,
	.dispatchers = 3,
	.intervals = { .ping_ms = 200,
		       .death_ms = 2000,
		       .grace_ms = 200,
		       .margin_ms = 300,
		       .scan_ms = 200,
		       .poll_ms = 200 },
	.load = { .clients = 2,
		  .rate = 300,
		  .backlog = 1000,
		  .batch = 10,
		  .weights = { [PLAN_PLUGIN] = 6, [PLAN_SERVICE] = 3, [PLAN_COMMAND] = 1 },
		  .cancel_percent = 1,
		  .work_ms = 20 },
};

const char *const plan_handler_names[PLAN_HANDLERS] = {
	[PLAN_PLUGIN] = "plugin",   [PLAN_TRANSACTION] = "transaction",
	[PLAN_SERVICE] = "service", [PLAN_COMMAND] = "command",
	[PLAN_SQL] = "sql",         [PLAN_USER] = "user",
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "out of memory");
}

/* --- building ----------------------------------------------------------------------------------- */

struct plan_act *plan_add_act(struct plan *plan, const struct plan_act *like, char *name)
{
	struct plan_act *acts =
		name == NULL ? NULL : realloc(plan->acts, (plan->act_count + 1) * sizeof(*acts));

	if (acts == NULL) {
		free(name);
		return NULL;
	}
	plan->acts = acts;
	acts += plan->act_count++;
	*acts = *like;
	acts->name = name;
	acts->bouts = NULL;
	acts->bout_count = 0;
	return acts;
}

int plan_add_bout(struct plan_act *act, const struct fault *first, const struct fault *second,
		  struct error *err)
{
	struct plan_bout *bouts = realloc(act->bouts, (act->bout_count + 1) * sizeof(*bouts));

	if (bouts == NULL)
		return out_of_memory(err);
	act->bouts = bouts;
	bouts[act->bout_count++] = (struct plan_bout){ first, second };
	return 0;
}

int plan_skip(struct plan *plan, const struct fault *fault, const char *why, struct error *err)
{
	struct plan_skip *skips;

	for (size_t i = 0; i < plan->skip_count; i++)
		if (plan->skips[i].fault == fault)
			return 0;
	skips = realloc(plan->skips, (plan->skip_count + 1) * sizeof(*skips));
	if (skips == NULL)
		return out_of_memory(err);
	plan->skips = skips;
	skips[plan->skip_count++] = (struct plan_skip){ fault, why };
	return 0;
}

bool plan_suits(const struct fault *fault, enum stage_kind stage)
{
	return fault->stage == stage || fault->stage == STAGE_PLAIN;
}

int plan_check_act(const struct plan_act *act, struct error *err)
{
	const struct plan_intervals *of = &act->intervals;
	int weights = 0;

	for (int i = 0; i < PLAN_HANDLERS; i++)
		weights += act->load.weights[i];
	if (weights == 0)
		return error_set(err, ERROR_INPUT, "no handler has a weight");
	if (of->death_ms < 3 * of->ping_ms + of->grace_ms + of->margin_ms)
		return error_set(
			err, ERROR_INPUT,
			"the death interval (%lldms) is less than 3 x ping + grace + margin (%lldms)",
			(long long)of->death_ms,
			(long long)(3 * of->ping_ms + of->grace_ms + of->margin_ms));
	if (act->bout_count == 0)
		return error_set(err, ERROR_INPUT, "an act needs faults");
	return 0;
}

static bool may_lose(const struct fault *fault)
{
	return (fault->demands & FAULT_MAY_LOSE) != 0;
}

/* An act in which something may be lost is judged less strictly: it is not for the others. */
static struct plan_act *act_of(struct plan *plan, const struct fault *fault)
{
	char *name = NULL;
	struct plan_act *act;

	for (size_t i = 0; i < plan->act_count; i++)
		if (plan->acts[i].stage == fault->stage &&
		    may_lose(plan->acts[i].bouts[0].first) == may_lose(fault))
			return &plan->acts[i];
	if (asprintf(&name, "%s%s", fault_stage_name(fault->stage),
		     may_lose(fault) ? "-lossy" : "") < 0)
		return NULL;
	act = plan_add_act(plan, &plan_default, name);
	if (act != NULL)
		act->stage = fault->stage;
	return act;
}

int plan_of_faults(struct plan *plan, const struct fault *const *faults, size_t count,
		   struct error *err)
{
	*plan = (struct plan){ .name = strdup("faults") };
	for (size_t i = 0; i < count; i++) {
		struct plan_act *act = act_of(plan, faults[i]);

		if (act == NULL)
			return out_of_memory(err);
		if (plan_add_bout(act, faults[i], NULL, err) != 0)
			return -1;
	}
	return plan->name == NULL ? out_of_memory(err) : 0;
}

int plan_suite(struct plan *plan, const char *name, struct error *err)
{
	for (const struct embedded_sql *suite = EMBEDDED_SUITES; suite->name != NULL; suite++)
		if (strcmp(suite->name, name) == 0)
			return scenario_parse(plan, name, name, suite->text, err);
	return error_set(err, ERROR_INPUT, "there is no suite \"%.60s\": quick, full, soak, probes",
			 name);
}

int plan_read(struct plan *plan, const char *path, struct error *err)
{
	return scenario_read(plan, path, err);
}

void plan_cut(struct plan *plan, size_t count)
{
	for (size_t i = count; i < plan->act_count; i++) {
		free(plan->acts[i].name);
		free(plan->acts[i].bouts);
	}
	plan->act_count = count;
}

void plan_fini(struct plan *plan)
{
	plan_cut(plan, 0);
	free(plan->acts);
	free(plan->name);
	free(plan->text);
	free(plan->skips);
	*plan = (struct plan){ 0 };
}

/* --- dealing ------------------------------------------------------------------------------------ */

struct hand {
	struct plan_bout *bouts;
	size_t count;
};

static bool holds_pair(const struct hand *hand, const struct fault *a, const struct fault *b)
{
	for (size_t i = 0; i < hand->count; i++) {
		const struct plan_bout *bout = &hand->bouts[i];

		if ((bout->first == a && bout->second == b) ||
		    (bout->first == b && bout->second == a))
			return true;
	}
	return false;
}

/* Two that need the same thing, such as the one rule of the proxy, cannot overlap. */
static bool may_overlap(const struct fault *a, const struct fault *b)
{
	return a != b && !a->lonely && !b->lonely && a->stage != STAGE_ALONE &&
	       b->stage != STAGE_ALONE && (a->stage == STAGE_PLAIN || b->stage == STAGE_PLAIN);
}

static bool is_possible(const struct fault *fault)
{
	struct error none;

	return fault == NULL || fault->possible == NULL || fault->possible(&none) == 0;
}

bool plan_is_lone(const struct plan *plan)
{
	return plan->act_count == 1 && plan->acts[0].bout_count == 1 &&
	       plan->acts[0].bouts[0].second == NULL && plan->acts[0].random_pairs == 0;
}

bool plan_is_possible(const struct plan_act *act)
{
	for (size_t i = 0; i < act->bout_count; i++)
		if (is_possible(act->bouts[i].first) && is_possible(act->bouts[i].second))
			return true;
	return false;
}

/* What the pairs of an act are drawn from: its faults, and on a stage that is not the plain one those of the plain one
 * too, of which one may join one of its own. */
struct pool {
	const struct fault **faults;
	size_t count;
};

static void pool_add(struct pool *pool, const struct fault *fault)
{
	for (size_t i = 0; i < pool->count; i++)
		if (pool->faults[i] == fault)
			return;
	if (is_possible(fault))
		pool->faults[pool->count++] = fault;
}

static int pool_fill(struct pool *pool, const struct plan_act *act, struct error *err)
{
	const struct fault *fault = NULL;
	size_t most = act->bout_count;

	while ((fault = fault_next(fault)) != NULL)
		most++;
	pool->count = 0;
	pool->faults = calloc(most, sizeof(*pool->faults));
	if (pool->faults == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < act->bout_count; i++)
		pool_add(pool, act->bouts[i].first);
	while (act->stage != STAGE_PLAIN && (fault = fault_next(fault)) != NULL)
		if (fault->stage == STAGE_PLAIN)
			pool_add(pool, fault);
	return 0;
}

enum { TRIES = 200 };

static bool draw_pair(const struct plan_act *act, const struct pool *pool, struct hand *hand,
		      uint64_t *chance)
{
	for (int i = 0; i < TRIES && pool->count > 0; i++) {
		const struct fault *a = pool->faults[chance_below(chance, (unsigned)pool->count)];
		const struct fault *b = pool->faults[chance_below(chance, (unsigned)pool->count)];

		if (!may_overlap(a, b) || holds_pair(hand, a, b) ||
		    (a->stage != act->stage && b->stage != act->stage))
			continue;
		hand->bouts[hand->count++] = (struct plan_bout){ a, b };
		return true;
	}
	return false;
}

static void shuffle(struct hand *hand, uint64_t *chance)
{
	for (size_t i = hand->count; i > 1; i--) {
		size_t j = chance_below(chance, (unsigned)i);
		struct plan_bout swapped = hand->bouts[i - 1];

		hand->bouts[i - 1] = hand->bouts[j];
		hand->bouts[j] = swapped;
	}
}

int plan_deal(const struct plan_act *act, uint64_t seed, int round, struct plan_bout **bouts,
	      size_t *count, struct error *err)
{
	size_t most = act->bout_count + (size_t)act->random_pairs;
	struct hand hand = { .bouts = calloc(most, sizeof(*hand.bouts)) };
	uint64_t chance = chance_part(seed, (uint64_t)round);
	struct pool pool;

	if (hand.bouts == NULL)
		return out_of_memory(err);
	if (pool_fill(&pool, act, err) != 0) {
		free(hand.bouts);
		return -1;
	}
	memcpy(hand.bouts, act->bouts, act->bout_count * sizeof(*act->bouts));
	hand.count = act->bout_count;
	for (int i = 0; i < act->random_pairs && draw_pair(act, &pool, &hand, &chance); i++)
		;
	free(pool.faults);
	if (act->for_ms > 0)
		shuffle(&hand, &chance);
	*bouts = hand.bouts;
	*count = hand.count;
	return 0;
}
