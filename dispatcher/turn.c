#include "dispatcher/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "db/job.h"
#include "db/sqlstate.h"
#include "dispatcher/completer.h"
#include "dispatcher/gathering.h"
#include "dispatcher/intake.h"
#include "dispatcher/probation.h"

enum {
	WRITE_INTERVAL_MS = 250, /* between two writings of what has started */
	WRITE_AGE_MS = 200,      /* what runs no longer than this is never written as active */
	WRITE_MOST = 1000,
	DUE_MOST = 1000,
	EXPIRE_MOST = 500,
	SWEEP_INTERVAL_MS = 1000,
	UNSENT_BYTES = 8 * 1024 * 1024, /* nothing is claimed while more waits for an agent */
	EXTRA_JOBS = 500,               /* less than this is not worth a transaction of its own */
};

enum part { PART_COMPLETE, PART_START, PART_DUE, PART_EXPIRE, PART_HORIZON, PART_CLAIM, PARTS };

/* The columns of what is written as started. */
struct started {
	int64_t ids[WRITE_MOST];
	struct uuid claim_ids[WRITE_MOST];
	int64_t ago_ms[WRITE_MOST];
	size_t count;
};

/* A transaction that is being put together, or on its way. */
struct turn {
	struct db_call calls[PARTS];
	size_t count;
	int place[PARTS]; /* of each part among the calls, or -1 */
	struct outbox_batch *batch;
	struct started *started;
	struct intake intake;
	struct uuid receipts[PUMP_RECEIPTS_MAX]; /* that go along */
	size_t receipt_count;
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
	    ago_ms < holding->write_ago_ms || started->count == WRITE_MOST)
		return;
	holding->place = ROW_PLACE_UNKNOWN;
	started->ids[started->count] = holding->id;
	started->claim_ids[started->count] = holding->claim_id;
	started->ago_ms[started->count++] = ago_ms;
}

static void add_started(struct pump *pump, struct turn *turn, int64_t now_ms)
{
	struct collection collection = { .boot_ms = clock_boottime_ms() };
	struct started *started;

	if (now_ms < pump->write_due_ms)
		return;
	pump->write_due_ms = now_ms + WRITE_INTERVAL_MS;
	collection.started = turn->started = started = calloc(1, sizeof(*started));
	if (started == NULL)
		return;
	ledger_each(pump->ledger, collect_started, &collection);
	if (started->count > 0)
		job_start_call(add_part(turn, PART_START), started->ids, started->claim_ids,
			       started->ago_ms, started->count);
}

/* How many jobs claims on their way may bring to the agent. */
static size_t asked_for(const struct pump *pump, int agent)
{
	size_t asked = 0;

	for (int i = -1; i < PUMP_EXTRA; i++) {
		const struct turn *turn = (i < 0 ? &pump->main : &pump->extra[i])->turn;

		if (turn != NULL && turn->place[PART_CLAIM] >= 0 && turn->intake.agent == agent)
			asked += (size_t)turn->intake.asked;
	}
	return asked;
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
		       : claimer_room(pump->claimers[agent],
				      ledger_load(pump->ledger, agent) + asked_for(pump, agent));
}

static bool may_claim(const struct pump *pump)
{
	return pump->alive && !pump->draining && !pump->quiet && !pump->reconcile && !pump->careful;
}

/* Jobs become due and expire beside the claims that come anyway, and without one when none comes: no slot is
 * free, or nothing may be claimed. */
static int64_t sweep_due_ms(const struct pump *pump, bool claims)
{
	return pump->due_due_ms + (claims ? 0 : pump->options.config->poll_interval_ms);
}

static void add_sweeps(struct pump *pump, struct turn *turn, bool claims, int64_t now_ms)
{
	if (now_ms < sweep_due_ms(pump, claims))
		return;
	pump->due_due_ms = now_ms + SWEEP_INTERVAL_MS;
	job_due_call(add_part(turn, PART_DUE), DUE_MOST);
	if (now_ms >= pump->expire_due_ms)
		job_expire_call(add_part(turn, PART_EXPIRE), EXPIRE_MOST);
}

/* There is more than one sweep took. */
static void take_sweeps(struct pump *pump, const PGresult *due, const PGresult *expired)
{
	if (rows_count(due) == DUE_MOST || (expired != NULL && rows_count(expired) == EXPIRE_MOST))
		pump->due_due_ms = 0;
}

/* Claims for the next agent that has room for `least` or more. */
static void add_claim(struct pump *pump, struct turn *turn, int least, int64_t now_ms)
{
	struct job_claim_args claim = { .incarnation = pump->incarnation };
	struct intake *intake = &turn->intake;
	struct claimer *claimer;

	for (int i = 0; may_claim(pump) && intake->asked < least && i < pump->agent_count; i++) {
		intake->agent = (pump->next_agent + i) % pump->agent_count;
		intake->asked = claim_room(pump, intake->agent, now_ms);
	}
	if (intake->asked < least)
		return;
	claimer = pump->claimers[intake->agent];
	pump->next_agent = (intake->agent + 1) % pump->agent_count;
	add_sweeps(pump, turn, true, now_ms);
	if (claimer_wants_horizon(claimer)) {
		struct db_call *call = add_part(turn, PART_HORIZON);

		call->statement = "job_horizon";
		args_init(&call->args);
	}
	intake->claim_id = uuid_make();
	intake->began_ms = now_ms;
	claim.claim_id = intake->claim_id;
	claim.most = intake->asked;
	claim.probation = probation_is_free(pump);
	claim.range_count = claimer_begin(claimer, now_ms, &claim.ranges);
	claim.handlers = claimer_handlers(claimer, &claim.handler_count);
	job_claim_call(add_part(turn, PART_CLAIM), &claim);
}

/* Those that go along are dropped with the commit. */
static void take_receipts(struct pump *pump, struct turn *turn)
{
	memcpy(turn->receipts, pump->receipts, pump->receipt_count * sizeof(struct uuid));
	turn->receipt_count = pump->receipt_count;
	pump->receipt_count = 0;
}

static void give_receipts_back(struct pump *pump, const struct turn *turn)
{
	for (size_t i = 0; i < turn->receipt_count && pump->receipt_count < PUMP_RECEIPTS_MAX; i++)
		pump->receipts[pump->receipt_count++] = turn->receipts[i];
}

static void add_completion(struct pump *pump, struct turn *turn, int64_t now_ms)
{
	turn->batch = gathering_send(pump, now_ms);
	if (turn->batch == NULL) {
		pump->careful = false;
		return;
	}
	take_receipts(pump, turn);
	trace_complete(pump->options.trace, turn->batch);
	completer_call(pump, turn->batch, turn->receipts, turn->receipt_count,
		       add_part(turn, PART_COMPLETE));
}

/* One that the database did not take is locked, or lost; a signal or its own end will say so. */
static void mark_written(struct pump *pump, const struct started *started, const PGresult *rows)
{
	for (size_t i = 0; i < started->count; i++) {
		struct holding *holding = ledger_find(pump->ledger, started->ids[i],
						      started->claim_ids[i]);

		if (holding == NULL)
			continue;
		holding->written = job_rows_have(rows, holding->id);
		holding->write_ago_ms = 2 * started->ago_ms[i];
	}
}

static void turn_free(struct turn *turn)
{
	free(turn->started);
	free(turn);
}

/* What follows from a turn of which nobody knows what became, or nothing. */
static void unwind(struct pump *pump, struct turn *turn)
{
	if (turn->batch != NULL)
		outbox_unsent(turn->batch);
	give_receipts_back(pump, turn);
	if (turn->place[PART_CLAIM] >= 0)
		claimer_drop(pump->claimers[turn->intake.agent]);
}

void turn_drop(struct pump *pump, struct connection *connection)
{
	struct turn *turn = connection->turn;

	if (turn == NULL)
		return;
	connection->turn = NULL;
	if (turn->place[PART_CLAIM] >= 0)
		pump->reconcile = true;
	trace_unknown(pump->options.trace, turn->batch);
	unwind(pump, turn);
	turn_free(turn);
}

static void take_parts(struct pump *pump, struct connection *connection, struct turn *turn,
		       PGresult **results)
{
	const struct intake *intake = &turn->intake;
	struct error err = { ERROR_NONE, "", "" };

	pump_succeed(pump, connection);
	if (db_is_unreplicated(connection->db))
		completer_say_unreplicated(pump, turn->place[PART_COMPLETE] < 0
							 ? NULL
							 : results[turn->place[PART_COMPLETE]]);
	pump->careful = pump->careful && outbox_count(pump->outbox) > 0;
	if (turn->place[PART_COMPLETE] >= 0)
		completer_take(pump, connection, turn->batch, results[turn->place[PART_COMPLETE]]);
	if (turn->place[PART_START] >= 0)
		mark_written(pump, turn->started, results[turn->place[PART_START]]);
	if (turn->place[PART_DUE] >= 0)
		take_sweeps(pump, results[turn->place[PART_DUE]],
			    turn->place[PART_EXPIRE] < 0 ? NULL
							 : results[turn->place[PART_EXPIRE]]);
	if (turn->place[PART_HORIZON] >= 0)
		claimer_set_horizon(pump->claimers[intake->agent],
				    rows_int(results[turn->place[PART_HORIZON]], 0, 0));
	if (turn->place[PART_CLAIM] < 0)
		return;
	if (connection->db == NULL || !pump->alive) { /* claimed, and lost while completing */
		claimer_drop(pump->claimers[intake->agent]);
		pump->reconcile = true;
	} else if (intake_take(pump, connection->db, intake, results[turn->place[PART_CLAIM]],
			       &err) != 0) {
		/* The database counts them as ours, and we do not have them: give them back. */
		pump->reconcile = true;
		pump_fail(pump, connection, &err);
	}
}

/* Somebody holds something locked that the turn would have changed. All the rest goes at once. */
static void hold_up(struct pump *pump, const struct turn *turn, const struct error *err)
{
	int64_t now_ms = clock_monotonic_ms();

	log_debug("a transaction had to wait and comes again", log_err(err));
	/* It may be the one as well as the other; a batch that is not at fault is not to be taken apart. */
	if (turn->batch != NULL && (!turn->batch->skip || turn->count == 1))
		outbox_hold_up(pump->outbox, turn->batch, now_ms);
	if (turn->place[PART_EXPIRE] >= 0)
		pump->expire_due_ms = now_ms + SWEEP_INTERVAL_MS;
	if (turn->place[PART_DUE] >= 0)
		pump->due_due_ms = 0;
}

/* A single job waits alone, whatever else there is goes on. */
static void take_conflict(struct pump *pump, struct connection *connection, struct turn *turn,
			  const struct error *err)
{
	bool conflict = sqlstate_is_conflict(err->sqlstate);

	if (turn->batch->count > 1)
		pump_fail(pump, connection, err);
	else
		log_warning(conflict ? "a completion met a conflict and comes again"
				     : "a completion failed and comes again",
			    log_number("job", turn->batch->ended[0]->id), log_err(err),
			    log_text("sqlstate", err->sqlstate));
	(conflict ? outbox_conflict : outbox_failed)(pump->outbox, turn->batch, err->text,
						     clock_monotonic_ms());
}

static void fail_turn(struct pump *pump, struct connection *connection, struct turn *turn,
		      struct error *err)
{
	bool lost = db_is_lost(connection->db);
	bool completes = turn->place[PART_COMPLETE] >= 0 && !lost;

	if (turn->place[PART_CLAIM] >= 0)
		pump->reconcile = pump->reconcile || lost;
	trace_unknown(pump->options.trace, lost ? turn->batch : NULL);
	unwind(pump, turn);
	/* First make sure that it is the completion that fails: what goes along must not hold it up. */
	if (completes)
		turn->batch->alone = true;
	if (!lost && sqlstate_is_locked(err->sqlstate)) {
		hold_up(pump, turn, err);
	} else if (completes && turn->count > 1) {
		LOG_LINE(sqlstate_is_conflict(err->sqlstate) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
			 "a transaction failed; its completions come again alone", log_err(err),
			 log_text("sqlstate", err->sqlstate));
	} else if (completes && err->kind == ERROR_INPUT) {
		completer_refused(pump, connection, turn->batch, err);
		pump->careful = true;
	} else if (completes && (err->kind == ERROR_FATAL || sqlstate_is_conflict(err->sqlstate))) {
		take_conflict(pump, connection, turn, err);
	} else {
		pump_fail(pump, connection, err);
	}
}

void turn_take(struct pump *pump, struct connection *connection)
{
	struct turn *turn = connection->turn;
	PGresult *results[PARTS] = { NULL };
	struct error err = { ERROR_NONE, "", "" };

	connection->turn = NULL;
	if (db_take(connection->db, results, &err) == 0)
		take_parts(pump, connection, turn, results);
	else
		fail_turn(pump, connection, turn, &err);
	for (size_t i = 0; i < turn->count; i++)
		PQclear(results[i]);
	turn_free(turn);
}

static void hurry(const struct connection *connection, int64_t most_ms)
{
	if (connection->turn != NULL)
		db_hurry(connection->db, most_ms);
}

void turn_take_all(struct pump *pump, int64_t most_ms)
{
	hurry(&pump->main, most_ms);
	for (int i = 0; i < PUMP_EXTRA; i++)
		hurry(&pump->extra[i], most_ms);
	if (pump->main.turn != NULL)
		turn_take(pump, &pump->main);
	for (int i = 0; i < PUMP_EXTRA; i++)
		if (pump->extra[i].turn != NULL)
			turn_take(pump, &pump->extra[i]);
}

static struct turn *make_turn(void)
{
	struct turn *turn = calloc(1, sizeof(*turn));

	for (int i = 0; turn != NULL && i < PARTS; i++)
		turn->place[i] = -1;
	return turn;
}

static void begin(struct pump *pump, struct connection *connection, struct turn *turn,
		  int64_t now_ms)
{
	struct error err = { ERROR_NONE, "", "" };

	if (turn->count == 0) {
		turn_free(turn);
		return;
	}
	connection->used_ms = now_ms;
	if (db_send(connection->db, turn->calls, turn->count, &err) == 0) {
		if (turn->place[PART_CLAIM] >= 0 || turn->place[PART_COMPLETE] >= 0)
			PROBE(claim_sent);
		connection->turn = turn;
		return;
	}
	fail_turn(pump, connection, turn, &err);
	turn_free(turn);
}

static bool goes_alone(const struct pump *pump, const struct turn *turn)
{
	const struct outbox_batch *batch = turn->batch;

	return pump->careful ||
	       (batch != NULL && (batch->alone || batch->skip || outbox_is_suspect(batch)));
}

void turn_begin(struct pump *pump, int64_t now_ms)
{
	struct turn *turn = make_turn();

	if (turn == NULL)
		return;
	add_completion(pump, turn, now_ms);
	if (!goes_alone(pump, turn)) {
		add_started(pump, turn, now_ms);
		add_claim(pump, turn, 1, now_ms);
		add_sweeps(pump, turn, false, now_ms);
	}
	begin(pump, &pump->main, turn, now_ms);
}

bool turn_is_worth_another(const struct pump *pump, int64_t now_ms)
{
	/* Notes go on main, and before the completions that came after them. */
	if (pump->careful || !pump->alive || pump->notes.count > 0)
		return false;
	if (outbox_count(pump->outbox) >= EXTRA_JOBS)
		return true;
	for (int i = 0; may_claim(pump) && i < pump->agent_count; i++)
		if (claimer_is_full(pump->claimers[i]) && claim_room(pump, i, now_ms) >= EXTRA_JOBS)
			return true;
	return false;
}

void turn_begin_extra(struct pump *pump, struct connection *connection, int64_t now_ms)
{
	struct turn *turn = make_turn();

	if (turn == NULL)
		return;
	if (outbox_count(pump->outbox) >= EXTRA_JOBS)
		add_completion(pump, turn, now_ms);
	if (!goes_alone(pump, turn))
		add_claim(pump, turn, EXTRA_JOBS, now_ms);
	begin(pump, connection, turn, now_ms);
}

bool turn_may_claim(const struct pump *pump, int agent, int64_t now_ms)
{
	return may_claim(pump) && claim_room(pump, agent, now_ms) > 0;
}

void turn_skip_sweeps(struct pump *pump, int64_t now_ms)
{
	pump->due_due_ms = now_ms + SWEEP_INTERVAL_MS;
}

bool turn_is_claiming(const struct pump *pump)
{
	for (int i = 0; i < pump->agent_count; i++)
		if (asked_for(pump, i) > 0)
			return true;
	return false;
}

int64_t turn_due_ms(const struct pump *pump)
{
	int64_t due_ms = sweep_due_ms(pump, false);
	int64_t now_ms = clock_monotonic_ms();

	if (ledger_count(pump->ledger) > 0 && pump->write_due_ms < due_ms)
		due_ms = pump->write_due_ms;
	if (gathering_due_ms(pump) < due_ms)
		due_ms = gathering_due_ms(pump);
	for (int i = 0; may_claim(pump) && i < pump->agent_count; i++) {
		int64_t claim_ms = claimer_due_ms(pump->claimers[i]);

		if (claim_ms < due_ms &&
		    claim_room(pump, i, claim_ms > now_ms ? claim_ms : now_ms) > 0)
			due_ms = claim_ms;
	}
	return due_ms;
}
