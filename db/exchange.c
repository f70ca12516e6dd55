#include "db/exchange.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "db/embedded.h"
#include "db/failure.h"
#include "db/statement.h"

/* The exchange cannot go on: whether the server does what was sent is unknown. */
static int break_off(struct db *db)
{
	struct exchange *x = &db->exchange;

	if (!x->failed)
		failure_lost(db, &x->err);
	x->failed = true;
	x->over = true;
	db->lost = true;
	return 1;
}

/* --- out --------------------------------------------------------------------------------------- */

static int send_call(struct db *db, const struct db_call *call, size_t place, struct error *err)
{
	static const int BINARY[ARGS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	const struct args *args = &call->args;
	size_t index;
	int sent;

	if (args->failed)
		return error_set(err, ERROR_RETRY, "out of memory for %s", call->statement);
	if (statement_find(call->statement, &index, err) != 0)
		return -1;
	db->exchange.statements[place] = index;
	db->exchange.commits[place] = strcmp(call->statement, "transaction_commit") == 0;
	if (!db->prepare) {
		sent = PQsendQueryParams(db->conn, EMBEDDED_STATEMENTS[index].text, args->count,
					 args->types, args->values, args->lengths, BINARY, 1);
		return sent == 1 ? 0 : failure_lost(db, err);
	}
	if (!db->prepared[index]) {
		db->exchange.preparing[place] = true;
		if (PQsendPrepare(db->conn, call->statement, EMBEDDED_STATEMENTS[index].text,
				  args->count, args->types) != 1)
			return failure_lost(db, err);
	}
	sent = PQsendQueryPrepared(db->conn, call->statement, args->count, args->values,
				   args->lengths, BINARY, 1);
	return sent == 1 ? 0 : failure_lost(db, err);
}

static void begin(struct db *db, size_t count, size_t apart)
{
	memset(&db->exchange, 0, sizeof(db->exchange));
	db->exchange.count = count;
	db->exchange.apart = apart;
	db->exchange.answer_ms = db->answer_ms;
	db->exchange.deadline_ms = clock_monotonic_ms() + db->answer_ms;
	db->detail[0] = '\0';
	db->spoilt = false;
	db->unreplicated = false;
}

int exchange_send(struct db *db, struct db_call *calls, size_t count, size_t apart,
		  struct error *err)
{
	if (count > DB_CALLS_MAX)
		return error_set(err, ERROR_FATAL, "%zu calls in one transaction", count);
	if (db->lost)
		return error_set(err, ERROR_RETRY, "the connection to the database was lost");
	begin(db, count, apart);
	for (size_t i = 0; i < count; i++) {
		if (i == apart && PQpipelineSync(db->conn) != 1)
			return failure_lost(db, err);
		if (send_call(db, &calls[i], i, err) != 0) {
			db->lost = true; /* what was queued is never sent: of no use any more */
			return -1;
		}
	}
	if (PQpipelineSync(db->conn) == 1 && PQflush(db->conn) >= 0)
		return 0;
	return failure_lost(db, err);
}

/* --- in ---------------------------------------------------------------------------------------- */

static void note_failure(struct db *db, const PGresult *result)
{
	struct exchange *x = &db->exchange;
	struct error ignored;

	if (x->parted) {
		x->spoilt = true;
		failure_result(db, result, &ignored);
	} else if (!x->failed) {
		failure_result(db, result, &x->err);
		x->failed = true;
	}
}

/* COMMIT of a transaction that has failed goes well, and says that it rolled back. */
static bool has_rolled_back(const struct exchange *x, PGresult *result)
{
	return x->commits[x->at] && strcmp(PQcmdStatus(result), "COMMIT") != 0;
}

static void note_rollback(struct exchange *x)
{
	if (x->failed)
		return;
	error_set(&x->err, ERROR_RETRY, "the transaction was rolled back instead of committed");
	snprintf(x->err.sqlstate, sizeof(x->err.sqlstate), "40000");
	x->failed = true;
}

/* Takes a result of the call whose turn it is; NULL ends that call's. */
static void take_answer(struct db *db, PGresult *result)
{
	struct exchange *x = &db->exchange;
	bool preparation = x->at < x->count && x->preparing[x->at];
	ExecStatusType status = PQresultStatus(result);

	if (result == NULL) {
		x->preparing[x->at] = false;
		x->at += !preparation;
	} else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		if (preparation) {
			db->prepared[x->statements[x->at]] = true;
			PQclear(result);
		} else if (has_rolled_back(x, result)) {
			note_rollback(x);
			PQclear(result);
		} else {
			PQclear(x->results
					[x->at]); /* of several commands the last answer is kept */
			x->results[x->at] = result;
		}
	} else {
		if (status != PGRES_PIPELINE_ABORTED)
			note_failure(db, result);
		PQclear(result);
	}
}

/* Takes what comes after the last call of a transaction. Returns whether that is over. The commit itself may fail,
 * after each statement went well; a broken connection shows here as an error or as no result at all. */
static bool take_sync(struct db *db, PGresult *result)
{
	bool over = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	if (result == NULL)
		return break_off(db);
	if (!over)
		note_failure(db, result);
	PQclear(result);
	return over;
}

/* Takes what has arrived up to the Sync. */
static int take_arrived(struct db *db)
{
	struct exchange *x = &db->exchange;

	if (PQflush(db->conn) < 0 || PQconsumeInput(db->conn) != 1)
		return break_off(db);
	while (!x->over && PQisBusy(db->conn) == 0) {
		PGresult *result = PQgetResult(db->conn);

		if (x->at == x->apart && x->at < x->count && !x->parted)
			x->parted = take_sync(db, result);
		else if (x->at < x->count)
			take_answer(db, result);
		else
			x->over = take_sync(db, result);
		if (db->lost || PQstatus(db->conn) == CONNECTION_BAD)
			return break_off(db);
	}
	return x->over;
}

/* Whether the time for the answer is over. */
static bool is_late(struct db *db)
{
	struct exchange *x = &db->exchange;

	int64_t now_ms = clock_monotonic_ms();

	if (now_ms < x->deadline_ms && now_ms < halt_deadline_ms(db->halt))
		return false;
	if (!x->failed && now_ms < x->deadline_ms)
		error_set(&x->err, ERROR_RETRY, "the database did not answer before the end");
	else if (!x->failed)
		error_set(&x->err, ERROR_RETRY, "the database did not answer within %lld ms",
			  (long long)x->answer_ms);
	x->failed = true;
	return break_off(db) == 1;
}

void exchange_hurry(struct db *db, int64_t most_ms)
{
	struct exchange *x = &db->exchange;
	int64_t left_ms = x->deadline_ms - clock_monotonic_ms();

	if (left_ms <= most_ms)
		return;
	x->answer_ms -= left_ms - most_ms;
	x->deadline_ms -= left_ms - most_ms;
}

int exchange_advance(struct db *db)
{
	return db->exchange.over || take_arrived(db) != 0 || is_late(db);
}

/* Waits for the socket, as long as the deadline allows. */
static void wait_socket(struct db *db)
{
	struct pollfd pollfd = { .fd = PQsocket(db->conn), .events = db_events(db) };

	if (halt_poll(db->halt, &pollfd, db->exchange.deadline_ms) != 0)
		break_off(db);
}

void exchange_wait(struct db *db)
{
	while (exchange_advance(db) == 0)
		wait_socket(db);
}

void exchange_forget(struct db *db)
{
	for (size_t i = 0; i < DB_CALLS_MAX; i++)
		PQclear(db->exchange.results[i]);
	memset(&db->exchange, 0, sizeof(db->exchange));
}

int exchange_end(struct db *db, PGresult **results, struct error *err)
{
	struct exchange *x = &db->exchange;
	bool failed = x->failed;

	if (failed && err != NULL)
		*err = x->err;
	for (size_t i = 0; !failed && i < x->count; i++) {
		results[i] = x->results[i];
		x->results[i] = NULL;
	}
	db->spoilt = x->spoilt;
	exchange_forget(db);
	return failed ? -1 : 0;
}

/* --- a plain command --------------------------------------------------------------------------- */

/* The end of the commands' results stands for the Sync. */
static int advance_command(struct db *db)
{
	struct exchange *x = &db->exchange;

	if (PQflush(db->conn) < 0 || PQconsumeInput(db->conn) != 1)
		return break_off(db);
	while (x->at < x->count && PQisBusy(db->conn) == 0) {
		take_answer(db, PQgetResult(db->conn));
		if (db->lost || PQstatus(db->conn) == CONNECTION_BAD)
			return break_off(db);
	}
	return x->at == x->count || is_late(db);
}

int exchange_command(struct db *db, const char *text, struct error *err)
{
	PGresult *result = NULL;
	int status;

	if (db->lost)
		return error_set(err, ERROR_RETRY, "the connection to the database was lost");
	if (PQexitPipelineMode(db->conn) != 1 || PQsendQuery(db->conn, text) != 1)
		return failure_lost(db, err);
	begin(db, 1, 1);
	db->exchange.commits[0] = strcmp(text, "commit") == 0;
	while (advance_command(db) == 0)
		wait_socket(db);
	status = exchange_end(db, &result, err);
	PQclear(result);
	if (!db->lost && PQenterPipelineMode(db->conn) != 1)
		return failure_lost(db, err);
	return status;
}
