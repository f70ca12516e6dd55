#include "tools/bench/race.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/uuid.h"
#include "db/db.h"
#include "db/dispatcher.h"
#include "db/job.h"
#include "db/queue.h"

enum {
	PRIORITIES = LIMIT_PRIORITY_MAX + 1,
	ANSWER_MS = 60000,
	DEATH_MS = 600000, /* nobody pings here */
	RUN_MS = 5,        /* that a job is said to have taken */
};

/* One dispatcher with its connection, as far as claiming and completing goes. */
struct loop {
	struct db *db;
	struct uuid incarnation;
	int batch;
	struct job_range ranges[PRIORITIES * JOB_LANES];
	struct job_completion completion; /* of the claim before; count 0: none */
	struct uuid confirmed;
};

static const char *const QUEUES[] = { "default" };
static const char *const HANDLERS[] = { "true" };

static void loop_close(void *context)
{
	struct loop *loop = context;

	db_close(loop->db);
	free(loop->completion.ids);
	free(loop->completion.claim_ids);
	free(loop->completion.outcomes);
	free(loop->completion.results);
	free(loop->completion.errors);
	free(loop->completion.logs);
	free(loop->completion.started_ago_ms);
	free(loop->completion.delay_ms);
	free(loop->completion.places);
	free(loop);
}

static int allocate(struct loop *loop, struct error *err)
{
	struct job_completion *completion = &loop->completion;
	size_t batch = (size_t)loop->batch;

	completion->ids = calloc(batch, sizeof(*completion->ids));
	completion->claim_ids = calloc(batch, sizeof(*completion->claim_ids));
	completion->outcomes = calloc(batch, sizeof(*completion->outcomes));
	completion->results = calloc(batch, sizeof(*completion->results));
	completion->errors = calloc(batch, sizeof(*completion->errors));
	completion->logs = calloc(batch, sizeof(*completion->logs));
	completion->started_ago_ms = calloc(batch, sizeof(*completion->started_ago_ms));
	completion->delay_ms = calloc(batch, sizeof(*completion->delay_ms));
	completion->places = calloc(batch, sizeof(*completion->places));
	if (completion->ids == NULL || completion->claim_ids == NULL ||
	    completion->outcomes == NULL || completion->results == NULL ||
	    completion->errors == NULL || completion->logs == NULL ||
	    completion->started_ago_ms == NULL || completion->delay_ms == NULL ||
	    completion->places == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	completion->incarnation = loop->incarnation;
	for (size_t i = 0; i < batch; i++) {
		completion->outcomes[i] = (struct args_text){ "completed", strlen("completed") };
		completion->started_ago_ms[i] = RUN_MS;
	}
	return 0;
}

static int enroll(struct loop *loop, struct error *err)
{
	const struct dispatcher_birth birth = {
		.id = uuid_make(),
		.incarnation = loop->incarnation,
		.host = "bench",
		.machine_id = "bench",
		.version = "bench",
		.death_interval_ms = DEATH_MS,
	};
	struct dispatcher_twin twin;

	return dispatcher_register(loop->db, &birth, &twin, err) == 1 ? 0 : -1;
}

/* The ranges of the queue; their lowest id is past all jobs. */
static int set_ranges(struct loop *loop, struct error *err)
{
	struct queue_row queue;

	if (queue_find(loop->db, QUEUES, 1, &queue, err) != 1)
		return error_set(err, ERROR_FATAL, "there is no queue \"%s\"", QUEUES[0]);
	for (int i = 0; i < PRIORITIES * JOB_LANES; i++)
		loop->ranges[i] = (struct job_range){
			.queue_id = queue.id,
			.priority = i / JOB_LANES,
			.lane = i % JOB_LANES,
			.lowest = INT64_MAX,
		};
	return 0;
}

static int loop_turn(void *context, size_t *claimed, size_t *completed, struct error *err);

static int loop_open(void **context, const struct race *race, struct error *err)
{
	const struct db_options options = {
		.conninfo = race->conninfo,
		.role = "bench",
		.prepared = true,
		.pinned = true,
		.answer_ms = ANSWER_MS,
	};
	struct loop *loop = calloc(1, sizeof(*loop));
	size_t none;

	if (loop == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	loop->incarnation = uuid_make();
	loop->batch = race->batch;
	/* The first turn finds nothing: it prepares the statements. */
	if (db_open(&loop->db, &options, err) != 0 || allocate(loop, err) != 0 ||
	    enroll(loop, err) != 0 || set_ranges(loop, err) != 0 ||
	    loop_turn(loop, &none, &none, err) != 0) {
		loop_close(loop);
		return -1;
	}
	for (int i = 0; i < PRIORITIES * JOB_LANES; i++)
		loop->ranges[i].lowest = 0;
	*context = loop;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct job_claimed *left = a;
	const struct job_claimed *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* Notes what was claimed, to be completed by the next turn, and moves the cursors. */
static int take_claim(struct loop *loop, const PGresult *rows, struct uuid claim_id,
		      struct error *err)
{
	size_t count;
	struct job_claimed *jobs = job_claim_rows(rows, &count, err);

	if (jobs == NULL && rows_count(rows) > 0)
		return -1;
	if (count > 1)
		qsort(jobs, count, sizeof(*jobs), by_id);
	loop->completion.count = count;
	for (size_t i = 0; i < count; i++) {
		int range = jobs[i].priority * JOB_LANES + jobs[i].lane;

		loop->completion.ids[i] = jobs[i].id;
		loop->completion.claim_ids[i] = claim_id;
		loop->completion.places[i] = jobs[i].place;
		if (jobs[i].lane == JOB_LANE_NEW)
			loop->ranges[range].lowest = jobs[i].id + 1;
	}
	free(jobs);
	return 0;
}

static int loop_turn(void *context, size_t *claimed, size_t *completed, struct error *err)
{
	struct loop *loop = context;
	struct db_call calls[2];
	PGresult *results[2];
	struct job_claim_args claim = {
		.incarnation = loop->incarnation,
		.claim_id = uuid_make(),
		.ranges = loop->ranges,
		.range_count = PRIORITIES * JOB_LANES,
		.handlers = HANDLERS,
		.handler_count = 1,
		.most = loop->batch,
		.probation = true,
	};
	int status;

	loop->completion.completion_id = uuid_make();
	loop->completion.confirmed = &loop->confirmed;
	loop->completion.confirmed_count = uuid_is_none(loop->confirmed) ? 0 : 1;
	job_complete_call(&calls[0], &loop->completion);
	job_claim_call(&calls[1], &claim);
	if (db_run(loop->db, calls, 2, results, err) != 0)
		return -1;
	*completed = (size_t)rows_count(results[0]);
	loop->confirmed = loop->completion.completion_id;
	status = take_claim(loop, results[1], claim.claim_id, err);
	*claimed = loop->completion.count;
	PQclear(results[0]);
	PQclear(results[1]);
	return status;
}

const struct contestant LOCUM_CONTESTANT = { "locum", loop_open, loop_turn, loop_close };
