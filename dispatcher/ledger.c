#include "dispatcher/ledger.h"

#include <stdlib.h>

#include "base/limits.h"

enum { FIRST_BUCKETS = 256 };

struct ledger {
	struct holding **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	size_t loads[LIMIT_AGENTS];
};

struct ledger *ledger_open(void)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return NULL;
	ledger->bucket_count = FIRST_BUCKETS;
	ledger->buckets = calloc(FIRST_BUCKETS, sizeof(struct holding *));
	if (ledger->buckets == NULL) {
		free(ledger);
		return NULL;
	}
	return ledger;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	for (size_t i = 0; i < ledger->bucket_count; i++) {
		struct holding *holding = ledger->buckets[i];

		while (holding != NULL) {
			struct holding *next = holding->next;

			free(holding);
			holding = next;
		}
	}
	free(ledger->buckets);
	free(ledger);
}

/* Ids come in sequence: their low bits spread well. */
static struct holding **bucket_of(const struct ledger *ledger, int64_t id)
{
	return &ledger->buckets[(uint64_t)id & (ledger->bucket_count - 1)];
}

/* Doubles the table; leaves it as it is when memory ends, which is only slower. */
static void grow(struct ledger *ledger)
{
	size_t old_count = ledger->bucket_count;
	struct holding **old = ledger->buckets;
	struct holding **buckets = calloc(old_count * 2, sizeof(*buckets));

	if (buckets == NULL)
		return;
	ledger->buckets = buckets;
	ledger->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i] != NULL) {
			struct holding *holding = old[i];
			struct holding **bucket = bucket_of(ledger, holding->id);

			old[i] = holding->next;
			holding->next = *bucket;
			*bucket = holding;
		}
	}
	free(old);
}

struct holding *ledger_add(struct ledger *ledger, const struct holding *holding)
{
	struct holding *added = malloc(sizeof(*added));
	struct holding **bucket;

	if (added == NULL)
		return NULL;
	if (ledger->count >= ledger->bucket_count)
		grow(ledger);
	*added = *holding;
	bucket = bucket_of(ledger, added->id);
	added->next = *bucket;
	*bucket = added;
	ledger->count++;
	if (added->stage != HOLDING_ENDED)
		ledger->loads[added->agent]++;
	return added;
}

struct holding *ledger_find(const struct ledger *ledger, int64_t id, struct uuid claim_id)
{
	struct holding *holding = *bucket_of(ledger, id);

	while (holding != NULL && (holding->id != id || !uuid_same(holding->claim_id, claim_id)))
		holding = holding->next;
	return holding;
}

void ledger_drop(struct ledger *ledger, struct holding *holding)
{
	struct holding **link = bucket_of(ledger, holding->id);

	while (*link != holding)
		link = &(*link)->next;
	*link = holding->next;
	ledger->count--;
	if (holding->stage != HOLDING_ENDED)
		ledger->loads[holding->agent]--;
	free(holding);
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}

size_t ledger_load(const struct ledger *ledger, int agent)
{
	return ledger->loads[agent];
}

void ledger_advance(struct ledger *ledger, struct holding *holding, enum holding_stage stage)
{
	if (stage == HOLDING_ENDED && holding->stage != HOLDING_ENDED)
		ledger->loads[holding->agent]--;
	if (stage > holding->stage)
		holding->stage = stage;
}

void ledger_each(struct ledger *ledger, void (*visit)(struct holding *, void *), void *context)
{
	for (size_t i = 0; i < ledger->bucket_count; i++) {
		struct holding *holding = ledger->buckets[i];

		while (holding != NULL) {
			struct holding *next = holding->next;

			visit(holding, context);
			holding = next;
		}
	}
}
