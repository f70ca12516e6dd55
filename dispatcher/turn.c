#include "dispatcher/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "db/job.h"
#include "dispatcher/completer.h"
#include "dispatcher/courier.h"

enum {
	WRITE_INTERVAL_MS = 250, /* between two writings of what has started */
	WRITE_AGE_MS = 200,      /* what runs no longer than this is never written as active */
	WRITE_MOST = 1000,
	DUE_MOST = 1000,
	DUE_INTERVAL_MS = 1000,
	LARGE_AT_ONCE = 32,                   /* payloads fetched by one statement */
	UNSENT_BYTES = 8 * 1024 * 1024,       /* nothing is claimed while more waits for an agent */
	UNSENT_BYTES_MOST = 64 * 1024 * 1024, /* nothing is sent while more does */
};

enum part { PART_COMPLETE, PART_START, PART_DUE, PART_EXPIRE, PART_HORIZON, PART_CLAIM, PARTS };

/* The transaction that is being put together. */
struct turn {
	struct db_call calls[PARTS];
	size_t count;
	int place[PARTS]; /* of each part among the calls, or -1 */
	struct outbox_batch *batch;
	struct started {
		int64_t ids[WRITE_MOST];
		struct uuid claim_ids[WRITE_MOST];
		int64_t ago_ms[WRITE_MOST];
		size_t count;
	} * started;
	int agent; /* that claims */
	int asked;
	struct uuid claim_id;
	int64_t began_ms;
};

static struct db_call *add_part(struct turn *turn, enum part part)
{
	turn->place[part] = (int)turn->count;
	return &turn->calls[turn->count++];
}

struct collection {
	struct started *started;
	int64_t boot_ms;
};

static void collect_started(struct holding *holding, void *context)
{
	struct collection *collection = context;
	struct started *started = collection->started;
	int64_t ago_ms = collection->boot_ms - holding->started_ms;

	if (holding->written || holding->stage != HOLDING_STARTED || ago_ms < WRITE_AGE_MS ||
	    started->count == WRITE_MOST)
		return;
	started->ids[started->count] = holding->id;
	started->claim_ids[started->count] = holding->claim_id;
	started->ago_ms[started->count++] = ago_ms;
}

static void add_started(struct pump *pump, struct turn *turn, int64_t now_ms)
{
	struct collection collection = { .boot_ms = clock_boottime_ms() };

	if (now_ms < pump->write_due_ms)
		return;
	pump->write_due_ms = now_ms + WRITE_INTERVAL_MS;
	turn->started = calloc(1, sizeof(*turn->started));
	collection.started = turn->started;
	if (turn->started == NULL)
		return;
	ledger_each(pump->ledger, collect_started, &collection);
	if (turn->started->count > 0)
		job_start_call(add_part(turn, PART_START), turn->started->ids,
			       turn->started->claim_ids, turn->started->ago_ms,
			       turn->started->count);
}

/* Whether this agent may claim now, and how many. */
static int claim_room(const struct pump *pump, int agent, int64_t now_ms)
{
	size_t handlers;

	if (!link_is_ready(&pump->links[agent]) || now_ms < claimer_due_ms(pump->claimers[agent]) ||
	    buffer_length(&pump->links[agent].out) > UNSENT_BYTES)
		return 0;
	claimer_handlers(pump->claimers[agent], &handlers);
	return handlers == 0
		       ? 0
		       : claimer_room(pump->claimers[agent], ledger_load(pump->ledger, agent));
}

static bool may_claim(const struct pump *pump)
{
	return pump->alive && !pump->draining && !pump->quiet && !pump->reconcile && !pump->careful;
}

static void add_claim(struct pump *pump, struct turn *turn, int64_t now_ms)
{
	struct job_claim_args claim = { .incarnation = pump->incarnation };

	for (int i = 0; may_claim(pump) && turn->asked == 0 && i < pump->agent_count; i++) {
		turn->agent = (pump->next_agent + i) % pump->agent_count;
		turn->asked = claim_room(pump, turn->agent, now_ms);
	}
	if (turn->asked == 0)
		return;
	pump->next_agent = (turn->agent + 1) % pump->agent_count;
	if (now_ms >= pump->due_due_ms) {
		pump->due_due_ms = now_ms + DUE_INTERVAL_MS;
		job_due_call(add_part(turn, PART_DUE), DUE_MOST);
		job_expire_call(add_part(turn, PART_EXPIRE), DUE_MOST);
	}
	if (claimer_wants_horizon(pump->claimers[turn->agent])) {
		struct db_call *call = add_part(turn, PART_HORIZON);

		call->statement = "job_horizon";
		args_init(&call->args);
	}
	turn->claim_id = uuid_make();
	turn->began_ms = now_ms;
	claim.claim_id = turn->claim_id;
	claim.most = turn->asked;
	claim.range_count = claimer_ranges(pump->claimers[turn->agent], now_ms, &claim.ranges);
	claim.handlers = claimer_handlers(pump->claimers[turn->agent], &claim.handler_count);
	job_claim_call(add_part(turn, PART_CLAIM), &claim);
}

static void mark_written(struct pump *pump, const struct started *started)
{
	for (size_t i = 0; i < started->count; i++) {
		struct holding *holding = ledger_find(pump->ledger, started->ids[i],
						      started->claim_ids[i]);

		/* One that the database did not take was lost; a signal or the commit will say so. */
		if (holding != NULL)
			holding->written = true;
	}
}

/* Whether the start of a job must be committed before it starts: it was reclaimed before, or its policy is
 * not to run twice. */
static bool is_eager(const struct job_claimed *job)
{
	return job->recoveries > 0 || !job->retries_when_interrupted;
}

/* What is written as started must start at once, or it would be blamed for a death that was its neighbour's:
 * keeps eager jobs only as far as slots are free for them. The rest is given back, and as long as eager jobs
 * come no more is claimed than can start. */
static void hold_back(struct pump *pump, int agent, struct job_claimed *jobs, size_t *count)
{
	size_t slots = (size_t)pump->options.config->agents[agent].size;
	size_t load = ledger_load(pump->ledger, agent);
	bool any_eager = false;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		any_eager = any_eager || is_eager(&jobs[i]);
		if (!is_eager(&jobs[i]) || load + kept < slots)
			jobs[kept++] = jobs[i];
	}
	if (kept < *count)
		pump->reconcile = true;
	*count = kept;
	claimer_restrain(pump->claimers[agent], any_eager);
}

/* Commits the start of eager jobs. Keeps in jobs only those whose claim still stands. */
static int commit_starts(struct pump *pump, struct uuid claim_id, struct job_claimed *jobs,
			 size_t *count, struct error *err)
{
	struct started *eager = calloc(1, sizeof(*eager));
	struct db_call call;
	PGresult *rows = NULL;
	size_t kept = 0;
	int status = 0;

	if (eager == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < *count; i++) {
		if (!is_eager(&jobs[i]))
			continue;
		eager->ids[eager->count] = jobs[i].id;
		eager->claim_ids[eager->count++] = claim_id;
	}
	if (eager->count == 0)
		goto out;
	job_start_call(&call, eager->ids, eager->claim_ids, eager->ago_ms, eager->count);
	status = db_run(pump->db, &call, 1, &rows, err);
	for (size_t i = 0; status == 0 && i < *count; i++)
		if (!is_eager(&jobs[i]) || job_rows_have(rows, jobs[i].id))
			jobs[kept++] = jobs[i];
	if (status == 0)
		*count = kept;
out:
	PQclear(rows);
	free(eager);
	return status;
}

/* Fetches the payloads that were too large for the claim; their texts live in *rows. */
static int fetch_payloads(struct pump *pump, struct uuid claim_id, struct job_claimed *jobs,
			  size_t *count, PGresult **rows, struct error *err)
{
	struct started *large = calloc(1, sizeof(*large));
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
	status = db_run(pump->db, &call, 1, rows, err);
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
static int send_all(struct pump *pump, const struct turn *turn, struct job_claimed *jobs,
		    size_t count, struct error *err)
{
	size_t part;
	int status = 0;

	for (size_t at = 0; at < count && status == 0; at += part) {
		PGresult *payloads = NULL;
		size_t kept;

		if (buffer_length(&pump->links[turn->agent].out) > UNSENT_BYTES_MOST) {
			pump->reconcile = true;
			return 0;
		}
		part = part_size(jobs + at, count - at);
		kept = part;
		status = fetch_payloads(pump, turn->claim_id, jobs + at, &kept, &payloads, err);
		if (status == 0)
			status = courier_send(pump, turn->agent, turn->claim_id, jobs + at, kept,
					      err);
		PQclear(payloads);
	}
	return status;
}

static void take_claim(struct pump *pump, const struct turn *turn, const PGresult *answer)
{
	struct claimer *claimer = pump->claimers[turn->agent];
	struct error err = { ERROR_NONE, "", "" };
	size_t count;
	struct job_claimed *jobs = job_claim_rows(answer, &count, &err);

	claimer_take(claimer, jobs, count, turn->asked, turn->began_ms, clock_monotonic_ms());
	if (err.kind != ERROR_NONE)
		goto failed;
	if (count > 1)
		qsort(jobs, count, sizeof(*jobs), by_line);
	hold_back(pump, turn->agent, jobs, &count);
	if (count > 0 && (commit_starts(pump, turn->claim_id, jobs, &count, &err) != 0 ||
			  send_all(pump, turn, jobs, count, &err) != 0))
		goto failed;
	courier_flush(pump);
	goto out;
failed:
	/* The database counts them as ours, and we do not have them: give them back. */
	pump->reconcile = true;
	pump_fail(pump, &err);
out:
	free(jobs);
}

static void take_parts(struct pump *pump, struct turn *turn, PGresult **results)
{
	pump->troubles = 0;
	pump->careful = pump->careful && outbox_count(pump->outbox) > 0;
	if (turn->place[PART_COMPLETE] >= 0)
		completer_take(pump, turn->batch, results[turn->place[PART_COMPLETE]]);
	if (turn->place[PART_START] >= 0)
		mark_written(pump, turn->started);
	if (turn->place[PART_HORIZON] >= 0)
		claimer_set_horizon(pump->claimers[turn->agent],
				    rows_int(results[turn->place[PART_HORIZON]], 0, 0));
	if (turn->place[PART_CLAIM] >= 0 && pump->db != NULL)
		take_claim(pump, turn, results[turn->place[PART_CLAIM]]);
	else if (turn->place[PART_CLAIM] >= 0)
		pump->reconcile = true; /* claimed, and the connection went while completing */
}

static void fail_turn(struct pump *pump, const struct turn *turn, struct error *err)
{
	if (turn->place[PART_CLAIM] >= 0)
		pump->reconcile = pump->reconcile || db_is_lost(pump->db);
	if (turn->place[PART_COMPLETE] >= 0 && err->kind == ERROR_INPUT && !db_is_lost(pump->db)) {
		/* First make sure that it is the completion that is refused. */
		if (turn->count == 1)
			completer_refused(pump, err);
		pump->careful = true;
	} else {
		pump_fail(pump, err);
	}
}

bool turn_run(struct pump *pump, int64_t now_ms)
{
	struct turn turn = { .place = { -1, -1, -1, -1, -1, -1 } };
	PGresult *results[PARTS] = { NULL };
	struct error err = { ERROR_NONE, "", "" };

	turn.batch = outbox_batch(pump->outbox, &err);
	if (turn.batch == NULL)
		pump->careful = false;
	else
		completer_call(pump, turn.batch, add_part(&turn, PART_COMPLETE));
	if (!pump->careful)
		add_started(pump, &turn, now_ms);
	add_claim(pump, &turn, now_ms);
	if (turn.count > 0) {
		if (db_run(pump->db, turn.calls, turn.count, results, &err) == 0)
			take_parts(pump, &turn, results);
		else
			fail_turn(pump, &turn, &err);
	}
	for (size_t i = 0; i < turn.count; i++)
		PQclear(results[i]);
	free(turn.started);
	return turn.count > 0;
}

int64_t turn_due_ms(const struct pump *pump)
{
	int64_t due_ms = ledger_count(pump->ledger) > 0 ? pump->write_due_ms : INT64_MAX;
	int64_t now_ms = clock_monotonic_ms();

	for (int i = 0; may_claim(pump) && i < pump->agent_count; i++) {
		int64_t claim_ms = claimer_due_ms(pump->claimers[i]);

		if (claim_ms < due_ms &&
		    claim_room(pump, i, claim_ms > now_ms ? claim_ms : now_ms) > 0)
			due_ms = claim_ms;
	}
	return due_ms;
}
