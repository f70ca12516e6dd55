#include "dispatcher/recent.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/job.h"

enum { CHUNK = 1000 };

struct completion {
	int64_t id;
	struct uuid claim_id;
	int64_t boot_ms; /* when it was acknowledged */
	int queue_id;
	bool lost; /* and said to be: it is not looked for again */
};

struct recent {
	struct completion *ring; /* of LIMIT_RECENT_COMPLETIONS */
	size_t count;
	size_t next;   /* the place of the next one */
	size_t looked; /* of a check that failed: so many of the oldest were found */
};

/* What a chunk is asked for. */
struct question {
	int64_t ids[CHUNK];
	struct uuid claim_ids[CHUNK];
	int32_t queues[CHUNK];
	int64_t ages_ms[CHUNK];
	size_t count;
	size_t end; /* of what it is about, in the ring */
};

struct recent *recent_open(void)
{
	struct recent *recent = calloc(1, sizeof(*recent));

	if (recent == NULL)
		return NULL;
	recent->ring = calloc(LIMIT_RECENT_COMPLETIONS, sizeof(*recent->ring));
	if (recent->ring != NULL)
		return recent;
	free(recent);
	return NULL;
}

void recent_close(struct recent *recent)
{
	if (recent == NULL)
		return;
	free(recent->ring);
	free(recent);
}

static struct completion *at(struct recent *recent, size_t i)
{
	size_t oldest = recent->next + LIMIT_RECENT_COMPLETIONS - recent->count;

	return &recent->ring[(oldest + i) % LIMIT_RECENT_COMPLETIONS];
}

void recent_add(struct recent *recent, const struct holding *holding)
{
	recent->ring[recent->next] = (struct completion){
		.id = holding->id,
		.claim_id = holding->claim_id,
		.boot_ms = clock_boottime_ms(),
		.queue_id = holding->queue_id,
	};
	recent->next = (recent->next + 1) % LIMIT_RECENT_COMPLETIONS;
	if (recent->count < LIMIT_RECENT_COMPLETIONS)
		recent->count++;
	else if (recent->looked > 0)
		recent->looked--;
}

size_t recent_count(const struct recent *recent)
{
	return recent->count;
}

static void put_question(struct recent *recent, struct question *question)
{
	int64_t boot_ms = clock_boottime_ms();

	question->count = 0;
	question->end = recent->looked;
	while (question->end < recent->count && question->count < CHUNK) {
		const struct completion *completion = at(recent, question->end++);
		size_t i = question->count;

		if (completion->lost)
			continue;
		question->ids[i] = completion->id;
		question->claim_ids[i] = completion->claim_id;
		question->queues[i] = completion->queue_id;
		question->ages_ms[i] = boot_ms - completion->boot_ms;
		question->count++;
	}
}

static void mark_lost(struct recent *recent, const struct question *question, int64_t id,
		      struct uuid claim_id)
{
	for (size_t i = recent->looked; i < question->end; i++) {
		struct completion *completion = at(recent, i);

		if (completion->id == id && uuid_same(completion->claim_id, claim_id))
			completion->lost = true;
	}
}

static void say_lost(struct recent *recent, const struct question *question, const PGresult *rows)
{
	for (int row = 0; row < rows_count(rows); row++) {
		int64_t id = rows_int(rows, row, 0);

		log_error("acknowledged completion was lost by a failover", log_number("job", id),
			  log_text("found", rows_text(rows, row, 2)));
		mark_lost(recent, question, id, rows_uuid(rows, row, 1));
	}
}

int64_t recent_check(struct recent *recent, struct db *db, struct error *err)
{
	struct question *question = malloc(sizeof(*question));
	int64_t lost = 0;

	if (question == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	while (recent->looked < recent->count) {
		struct db_call call;
		PGresult *rows = NULL;

		put_question(recent, question);
		completion_check_call(&call, question->ids, question->claim_ids, question->queues,
				      question->ages_ms, question->count);
		if (db_run(db, &call, 1, &rows, err) != 0) {
			free(question);
			return -1;
		}
		say_lost(recent, question, rows);
		lost += rows_count(rows);
		recent->looked = question->end;
		PQclear(rows);
	}
	recent->looked = 0;
	free(question);
	return lost;
}
