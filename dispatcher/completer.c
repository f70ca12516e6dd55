#include "dispatcher/completer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "db/gate.h"
#include "db/house.h"
#include "db/job.h"
#include "db/state.h"

enum { CONFIRM_MS = 1000 };

/* The columns of job_complete; one allocation holds them all. */
struct columns {
	int64_t ids[LIMIT_COMPLETION_JOBS];
	struct uuid claim_ids[LIMIT_COMPLETION_JOBS];
	struct row_place places[LIMIT_COMPLETION_JOBS];
	struct args_text outcomes[LIMIT_COMPLETION_JOBS];
	struct args_text results[LIMIT_COMPLETION_JOBS];
	struct args_text errors[LIMIT_COMPLETION_JOBS];
	struct args_text logs[LIMIT_COMPLETION_JOBS];
	int64_t started_ago_ms[LIMIT_COMPLETION_JOBS];
	int64_t delay_ms[LIMIT_COMPLETION_JOBS];
};

static void fill_column(struct columns *columns, size_t i, const struct ended *ended,
			int64_t boot_ms)
{
	columns->ids[i] = ended->id;
	columns->claim_ids[i] = ended->claim_id;
	columns->places[i] = ended->place;
	columns->outcomes[i] = (struct args_text){ ended->outcome, strlen(ended->outcome) };
	columns->results[i] = (struct args_text){ ended->result, ended->result_length };
	columns->errors[i] = (struct args_text){ ended->error, ended->error_length };
	columns->logs[i] = (struct args_text){ ended->log, ended->log_length };
	columns->started_ago_ms[i] = ended->started_ms > 0 ? boot_ms - ended->started_ms : -1;
	columns->delay_ms[i] = ended->delay_ms;
}

void completer_call(struct pump *pump, const struct outbox_batch *batch,
		    const struct uuid *confirmed, size_t confirmed_count, struct db_call *call)
{
	struct columns *columns = malloc(sizeof(*columns));
	int64_t boot_ms = clock_boottime_ms();
	struct job_completion completion = {
		.incarnation = pump->incarnation,
		.completion_id = batch->completion_id,
		.confirmed = confirmed,
		.confirmed_count = confirmed_count,
		.count = batch->count,
		.skip = batch->skip,
	};

	if (columns == NULL) {
		call->statement = "job_complete";
		args_init(&call->args);
		call->args.failed = true; /* the run fails with "out of memory" and comes again */
		return;
	}
	for (size_t i = 0; i < batch->count; i++)
		fill_column(columns, i, batch->ended[i], boot_ms);
	completion.ids = columns->ids;
	completion.claim_ids = columns->claim_ids;
	/* What comes again is looked for by its id: it may have been elsewhere. */
	completion.places = batch->skip ? NULL : columns->places;
	completion.outcomes = columns->outcomes;
	completion.results = columns->results;
	completion.errors = columns->errors;
	completion.logs = columns->logs;
	completion.started_ago_ms = columns->started_ago_ms;
	completion.delay_ms = columns->delay_ms;
	job_complete_call(call, &completion);
	free(columns);
}

static void drop_holding(struct pump *pump, const struct ended *ended)
{
	struct holding *holding = ledger_find(pump->ledger, ended->id, ended->claim_id);

	if (holding != NULL)
		ledger_drop(pump->ledger, holding);
}

/* The handler of a job in hand, or NULL when the present configuration has it no more. */
static const struct handler *handler_of(const struct pump *pump, const struct ended *ended)
{
	const struct holding *holding = ledger_find(pump->ledger, ended->id, ended->claim_id);

	if (holding == NULL || holding->handler < 0)
		return NULL;
	return &pump->options.config->handlers[holding->handler];
}

static bool is_failure(const struct ended *ended)
{
	return strcmp(ended->outcome, "failed") == 0 || strcmp(ended->outcome, "retry") == 0;
}

static void say_end(const struct pump *pump, const struct ended *ended, const char *state)
{
	const struct handler *handler = handler_of(pump, ended);
	enum log_level level = LOG_LEVEL_INFO;

	if (handler != NULL && is_failure(ended))
		level = handler->log_failures;
	LOG_LINE(level, "job ended", log_number("job", ended->id),
		 log_text("handler", handler == NULL ? "" : handler->name),
		 log_text("outcome", ended->outcome), log_text("state", state),
		 log_text("reason", ended->error));
}

/* Whether nothing more follows for the job. */
static bool is_end(const char *state)
{
	enum state read;

	return state_read(state, &read) == 0 && state_is_terminal(read);
}

/* The job goes back into line without having ended. */
static bool is_hand_back(const struct ended *ended)
{
	static const char *const OUTCOMES[] = { "interrupt", "recover", "release" };

	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++)
		if (strcmp(ended->outcome, OUTCOMES[i]) == 0)
			return true;
	return false;
}

/* State is the one that is stored: the run's own transaction may have been quicker than the outcome that it got, and a
 * job that was to be tried again may have been cancelled. */
static void accept(struct pump *pump, const struct ended *ended, const char *state)
{
	const struct holding *holding = ledger_find(pump->ledger, ended->id, ended->claim_id);

	pump->counts.completed++;
	outbox_accepted(pump->outbox);
	if (pump->draining && is_hand_back(ended))
		pump->counts.handed_back++;
	if (holding != NULL && is_end(state))
		recent_add(pump->recent, holding);
	if (strcmp(state, "completed") == 0 && strcmp(ended->outcome, "completed") == 0)
		log_debug("job completed", log_number("job", ended->id));
	else
		say_end(pump, ended, state);
	drop_holding(pump, ended);
}

static void abandon(struct pump *pump, const struct ended *ended)
{
	const struct holding *holding = ledger_find(pump->ledger, ended->id, ended->claim_id);

	log_error("job was reassigned", log_number("job", ended->id),
		  log_number("claim_seq", holding == NULL ? 0 : holding->claim_seq),
		  log_text("outcome", ended->outcome),
		  log_text("likely_cause", "this dispatcher was silent for longer than its "
					   "ping_death_interval; the outcome is dropped"));
	trace_reassigned(pump->options.trace, ended->id, ended->claim_id);
	pump->counts.reassigned++;
	drop_holding(pump, ended);
}

/* Ends what holds these jobs locked though their runs are over. What cannot be ended so goes with time. */
static void end_gates(struct pump *pump, struct db *db, const int64_t *ids,
		      const struct uuid *claim_ids, size_t count)
{
	struct error err = { ERROR_NONE, "", "" };
	int ended = count == 0 ? 0 : gate_end(db, pump->incarnation, ids, claim_ids, count, &err);

	if (ended < 0)
		log_debug("connections cannot be ended", log_err(&err));
	else if (ended > 0)
		log_info("connections of runs that are over were ended",
			 log_number("connections", ended));
}

/* What became of the entries that were not accepted. Returns -1 when that could not be found out. */
static int look_up(struct pump *pump, struct db *db, struct outbox_batch *batch, const size_t *open,
		   size_t count, struct error *err)
{
	int64_t *ids = calloc(count, sizeof(*ids));
	struct uuid *claim_ids = calloc(count, sizeof(*claim_ids));
	struct job_fate *fates = calloc(count, sizeof(*fates));
	size_t held = 0;
	int status = -1;

	if (ids == NULL || claim_ids == NULL || fates == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		ids[i] = batch->ended[open[i]]->id;
		claim_ids[i] = batch->ended[open[i]]->claim_id;
	}
	status = completion_lookup(db, batch->completion_id, ids, claim_ids, count, fates, err);
	if (status == 0)
		trace_fates(pump->options.trace, batch, open, fates, count);
	for (size_t i = 0; status == 0 && i < count; i++) {
		struct ended *ended = batch->ended[open[i]];

		switch (fates[i].lookup) {
		case JOB_MINE:
			accept(pump, ended, fates[i].state);
			break;
		case JOB_HELD:
			ids[held] = ended->id;
			claim_ids[held++] = ended->claim_id;
			outbox_again(pump->outbox, batch, open[i], clock_monotonic_ms());
			break;
		case JOB_LOST:
			abandon(pump, ended);
			break;
		case JOB_GONE:
			log_warning("job is gone", log_number("job", ended->id));
			pump->counts.gone++;
			drop_holding(pump, ended);
			break;
		}
	}
	if (status == 0)
		end_gates(pump, db, ids, claim_ids, held);
out:
	free(ids);
	free(claim_ids);
	free(fates);
	return status;
}

/* A row of the answer; the state is the answer's. */
struct accepted {
	int64_t id;
	const char *state;
};

static int by_number(const void *a, const void *b)
{
	const struct accepted *left = a;
	const struct accepted *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* The jobs that an answer holds, by their ids. */
static struct accepted *read_accepted(const PGresult *rows, size_t *count)
{
	struct accepted *accepted = calloc((size_t)rows_count(rows) + 1, sizeof(*accepted));

	*count = (size_t)rows_count(rows);
	for (size_t i = 0; accepted != NULL && i < *count; i++)
		accepted[i] = (struct accepted){ rows_int(rows, (int)i, 0),
						 rows_text(rows, (int)i, 1) };
	if (accepted != NULL)
		qsort(accepted, *count, sizeof(*accepted), by_number);
	return accepted;
}

static const struct accepted *find_accepted(const struct accepted *accepted, size_t count,
					    int64_t id)
{
	struct accepted key = { .id = id };

	return bsearch(&key, accepted, count, sizeof(*accepted), by_number);
}

/* The batch was accepted in part or whole; its receipt waits to be confirmed. */
static void remember_receipt(struct pump *pump, struct uuid completion_id)
{
	if (pump->receipt_count < PUMP_RECEIPTS_MAX)
		pump->receipts[pump->receipt_count++] = completion_id;
	pump->confirm_due_ms = clock_monotonic_ms() + CONFIRM_MS;
}

void completer_take(struct pump *pump, struct connection *connection, struct outbox_batch *batch,
		    const PGresult *rows)
{
	struct uuid completion_id = batch->completion_id;
	struct error err = { ERROR_NONE, "", "" };
	size_t count;
	struct accepted *accepted = read_accepted(rows, &count);
	size_t *open = calloc(batch->count + 1, sizeof(*open));
	size_t open_count = 0;
	bool shared;

	if (count > 0)
		PROBE(completion_answered);
	trace_accepted(pump->options.trace, completion_id, rows);
	if (accepted == NULL || open == NULL) {
		error_set(&err, ERROR_RETRY, "out of memory");
		goto failed;
	}
	for (size_t i = 0; i < batch->count; i++)
		if (find_accepted(accepted, count, batch->ended[i]->id) == NULL)
			open[open_count++] = i;
	if (open_count > 0 && look_up(pump, connection->db, batch, open, open_count, &err) != 0)
		goto failed;
	for (size_t i = 0; i < batch->count; i++) {
		const struct ended *ended = batch->ended[i];
		const struct accepted *row = ended == NULL
						     ? NULL
						     : find_accepted(accepted, count, ended->id);

		if (row != NULL)
			accept(pump, ended, row->state);
	}
	shared = batch->shared;
	outbox_settle(pump->outbox, batch);
	if (!shared || !outbox_is_open(pump->outbox, completion_id))
		remember_receipt(pump, completion_id);
	goto out;
failed:
	/* Sent again as it is: its receipt tells then what was accepted now. */
	trace_unknown(pump->options.trace, batch);
	outbox_unsent(batch);
	pump_lose(pump, connection, &err);
out:
	free(accepted);
	free(open);
}

void completer_refused(struct pump *pump, struct connection *connection, struct outbox_batch *batch,
		       struct error *err)
{
	struct error failure = { ERROR_NONE, "", "" };
	int made = 0;

	/* A check that fails, and a partition that is missing: the server's words are in any language. */
	if (strcmp(err->sqlstate, "23514") == 0)
		made = partition_prepare(connection->db, &failure);
	if (made < 0)
		pump_fail(pump, connection, &failure);
	if (made != 0)
		return;
	trace_refused(pump->options.trace, batch);
	log_debug("a value of a completion was refused", log_err(err));
	if (outbox_bisect(pump->outbox, batch, err->text, &failure) == 0)
		return;
	/* The others need not wait for it. */
	log_warning("a completion is refused and comes again",
		    log_number("job", batch->ended[0]->id), log_err(&failure),
		    log_text("sqlstate", err->sqlstate));
	outbox_failed(pump->outbox, batch, failure.text, clock_monotonic_ms());
}

void completer_confirm(struct pump *pump, int64_t now_ms)
{
	struct error err = { ERROR_NONE, "", "" };
	struct db_call call;
	PGresult *rows = NULL;

	if (pump->receipt_count == 0 || now_ms < pump->confirm_due_ms || pump->main.db == NULL)
		return;
	receipt_confirm_call(&call, pump->receipts, pump->receipt_count);
	if (db_run(pump->main.db, &call, 1, &rows, &err) != 0) {
		pump_fail(pump, &pump->main, &err);
		return;
	}
	PQclear(rows);
	pump->receipt_count = 0;
}

void completer_say_unreplicated(struct pump *pump, const PGresult *rows)
{
	int accepted = rows == NULL ? 0 : rows_count(rows);

	pump->counts.unreplicated += (uint64_t)accepted;
	log_warning("a commit's wait for its standby was cancelled; a failover may forget it",
		    log_number("accepted", accepted));
}
