#include "dispatcher/intake.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/probe.h"
#include "db/rows.h"
#include "dispatcher/courier.h"
#include "dispatcher/probation.h"

enum {
	LARGE_AT_ONCE = 32,                   /* payloads fetched by one statement */
	UNSENT_BYTES_MOST = 64 * 1024 * 1024, /* nothing is sent while more waits for an agent */
};

/* Columns of a statement about some of the jobs. */
struct claims {
	int64_t ids[LIMIT_CLAIM_BATCH];
	struct uuid claim_ids[LIMIT_CLAIM_BATCH];
	int64_t ago_ms[LIMIT_CLAIM_BATCH];
	size_t count;
};

/* Whether the start of a job must be committed before it starts: it was reclaimed before, or its policy is
 * not to run twice. */
static bool is_eager(const struct job_claimed *job)
{
	return job->recoveries > 0 || !job->retries_when_interrupted;
}

/* What is written as started must start at once, or it would be blamed for a death that was its neighbour's:
 * keeps eager jobs only as far as slots are free for them. The rest is given back, and as long as eager jobs
 * come no more is claimed than can start. Of those to be on probation one is kept. */
static void hold_back(struct pump *pump, const struct intake *intake, struct job_claimed *jobs,
		      size_t *count)
{
	int agent = intake->agent;
	size_t slots = (size_t)pump->options.config->agents[agent].size;
	size_t load = ledger_load(pump->ledger, agent);
	bool any_eager = false;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		any_eager = any_eager || is_eager(&jobs[i]);
		if ((is_eager(&jobs[i]) && load + kept >= slots) ||
		    (probation_applies(&jobs[i]) && !probation_is_free(pump)))
			continue;
		if (probation_applies(&jobs[i]))
			probation_enter(pump, &jobs[i], intake->claim_id);
		jobs[kept++] = jobs[i];
	}
	if (kept < *count)
		pump->reconcile = true;
	*count = kept;
	claimer_restrain(pump->claimers[agent], any_eager);
}

/* Commits the start of eager jobs. Keeps in jobs only those whose claim still stands. */
static int commit_starts(struct pump *pump, struct db *db, struct uuid claim_id,
			 struct job_claimed *jobs, size_t *count, struct error *err)
{
	struct claims *eager = calloc(1, sizeof(*eager));
	struct db_call call;
	PGresult *rows = NULL;
	size_t kept = 0;
	int status = 0;

	if (eager == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < *count; i++) {
		if (!is_eager(&jobs[i]))
			continue;
		jobs[i].place = ROW_PLACE_UNKNOWN;
		eager->ids[eager->count] = jobs[i].id;
		eager->claim_ids[eager->count++] = claim_id;
	}
	if (eager->count == 0)
		goto out;
	job_start_call(&call, eager->ids, eager->claim_ids, eager->ago_ms, eager->count);
	status = db_run(db, &call, 1, &rows, err);
	for (size_t i = 0; status == 0 && i < *count; i++)
		if (!is_eager(&jobs[i]) || job_rows_have(rows, jobs[i].id))
			jobs[kept++] = jobs[i];
	if (status == 0) {
		/* Those that are not with us now are locked, for a moment, or lost. */
		pump->reconcile = pump->reconcile || kept < *count;
		*count = kept;
	}
out:
	PQclear(rows);
	free(eager);
	return status;
}

/* Fetches the payloads that were too large for the claim; their texts live in *rows. */
static int fetch_payloads(struct db *db, struct uuid claim_id, struct job_claimed *jobs,
			  size_t *count, PGresult **rows, struct error *err)
{
	struct claims *large = calloc(1, sizeof(*large));
	struct db_call call;
	size_t kept = 0;
	int status = 0;

	if (large == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < *count; i++) {
		if (jobs[i].payload != NULL)
			continue;
		large->ids[large->count] = jobs[i].id;
		large->claim_ids[large->count++] = claim_id;
	}
	if (large->count == 0)
		goto out;
	job_payload_call(&call, large->ids, large->claim_ids, large->count);
	status = db_run(db, &call, 1, rows, err);
	for (size_t i = 0; status == 0 && i < *count; i++) {
		for (int row = 0; jobs[i].payload == NULL && row < rows_count(*rows); row++) {
			if (rows_int(*rows, row, 0) != jobs[i].id)
				continue;
			jobs[i].payload = rows_text(*rows, row, 1);
			jobs[i].payload_length = rows_length(*rows, row, 1);
		}
		if (jobs[i].payload != NULL)
			jobs[kept++] = jobs[i];
	}
	if (status == 0)
		*count = kept;
out:
	free(large);
	return status;
}

/* In the order in which they stood in line. */
static int by_line(const void *a, const void *b)
{
	const struct job_claimed *left = a;
	const struct job_claimed *right = b;

	if (left->priority != right->priority)
		return left->priority - right->priority;
	if (left->lane != right->lane)
		return left->lane - right->lane;
	return (left->id > right->id) - (left->id < right->id);
}

/* How many of the first jobs go together: with at most LARGE_AT_ONCE payloads to be fetched. */
static size_t part_size(const struct job_claimed *jobs, size_t count)
{
	size_t large = 0;
	size_t size = 0;

	while (size < count && large < LARGE_AT_ONCE)
		large += jobs[size++].payload == NULL;
	return size;
}

/* Sends jobs with their payloads, part by part. What an agent that does not read has no room for is given
 * back. */
static int send_all(struct pump *pump, struct db *db, const struct intake *intake,
		    struct job_claimed *jobs, size_t count, struct error *err)
{
	size_t part;
	int status = 0;

	for (size_t at = 0; at < count && status == 0; at += part) {
		PGresult *payloads = NULL;
		size_t kept;

		if (buffer_length(&pump->links[intake->agent].out) > UNSENT_BYTES_MOST) {
			pump->reconcile = true;
			return 0;
		}
		part = part_size(jobs + at, count - at);
		kept = part;
		status = fetch_payloads(db, intake->claim_id, jobs + at, &kept, &payloads, err);
		if (status == 0)
			status = courier_send(pump, intake->agent, intake->claim_id, jobs + at,
					      kept, err);
		PQclear(payloads);
	}
	return status;
}

/* What is claimed is looked at as often as we ping. */
static void look_soon(struct pump *pump)
{
	int64_t due_ms = clock_monotonic_ms() + pump->options.config->ping_interval_ms;

	if (pump->reconcile_due_ms > due_ms)
		pump->reconcile_due_ms = due_ms;
}

int intake_take(struct pump *pump, struct db *db, const struct intake *intake,
		const PGresult *answer, struct error *err)
{
	struct claimer *claimer = pump->claimers[intake->agent];
	struct error failure = { ERROR_NONE, "", "" };
	size_t count;
	struct job_claimed *jobs = job_claim_rows(answer, &count, &failure);
	int status = failure.kind == ERROR_NONE ? 0 : -1;

	trace_claim(pump->options.trace, pump->incarnation, intake->claim_id, jobs, count);
	claimer_take(claimer, jobs, count, intake->asked, intake->began_ms, clock_monotonic_ms());
	if (status != 0)
		*err = failure;
	if (count > 0)
		PROBE(claim_answered);
	if (count > 1)
		qsort(jobs, count, sizeof(*jobs), by_line);
	if (count > 0 && pump->links[intake->agent].fd < 0) {
		pump->reconcile = true; /* the agent died meanwhile: nobody would run them */
		count = 0;
	}
	hold_back(pump, intake, jobs, &count);
	if (status == 0 && count > 0)
		status = commit_starts(pump, db, intake->claim_id, jobs, &count, err);
	if (status == 0 && count > 0)
		status = send_all(pump, db, intake, jobs, count, err);
	if (status == 0)
		courier_flush(pump);
	if (count > 0)
		PROBE(jobs_handed_out);
	look_soon(pump);
	free(jobs);
	return status;
}
