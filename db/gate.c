#include "db/gate.h"

#include <stdlib.h>
#include <string.h>

#include "db/rows.h"

static struct db_call plain_call(const char *statement)
{
	struct db_call call = { .statement = statement };

	args_init(&call.args);
	return call;
}

static void limit_call(struct db_call *call, int64_t timeout_ms)
{
	call->statement = "transaction_limit";
	args_init(&call->args);
	args_int8(&call->args, timeout_ms);
}

static void clear(PGresult **results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		PQclear(results[i]);
}

int gate_take(struct db *db, const struct gate_claim *claim, int64_t *transaction,
	      struct error *err)
{
	struct db_call calls[3] = { plain_call("transaction_begin") };
	PGresult *results[3];
	bool held;

	limit_call(&calls[1], claim->timeout_ms);
	calls[2].statement = "job_gate";
	args_init(&calls[2].args);
	args_int8(&calls[2].args, claim->id);
	args_uuid(&calls[2].args, claim->claim_id);
	if (db_run(db, calls, 3, results, err) != 0) {
		if (!db_is_lost(db))
			gate_undo(db, NULL);
		return -1;
	}
	held = rows_count(results[2]) == 1;
	if (held)
		*transaction = rows_int(results[2], 0, 2);
	clear(results, 3);
	if (held)
		return 1;
	return gate_undo(db, err);
}

int gate_lend(struct db *db, PGconn **conn, struct error *err)
{
	PGconn *lent = db_connection(db);

	if (PQexitPipelineMode(lent) != 1 || PQsetnonblocking(lent, 0) != 0)
		return error_set(err, ERROR_RETRY, "cannot hand out the connection: %s",
				 PQerrorMessage(lent));
	*conn = lent;
	return 0;
}

static int enter_pipeline(PGconn *conn, struct error *err)
{
	if (PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1)
		return 0;
	return error_set(err, ERROR_RETRY, "the connection to the database was lost");
}

static const char *fault_of(const PGconn *conn)
{
	if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
		return "the handler left its connection in pipeline mode";
	switch (PQtransactionStatus(conn)) {
	case PQTRANS_INTRANS:
		return NULL;
	case PQTRANS_INERROR:
		return "a statement of the handler failed";
	case PQTRANS_ACTIVE:
		return "the handler left a statement running on its connection";
	case PQTRANS_IDLE:
		return "the handler ended the transaction, which is not its to end";
	case PQTRANS_UNKNOWN:
		break;
	}
	return NULL; /* the connection is lost, and that is said below */
}

int gate_return(struct db *db, struct error *err)
{
	PGconn *conn = db_connection(db);
	const char *fault = fault_of(conn);

	if (fault != NULL)
		return error_set(err, ERROR_INPUT, "%s", fault);
	return enter_pipeline(conn, err);
}

/* LOST is an answer. */
static int answer(struct error *err)
{
	return err->kind == ERROR_LOST ? 0 : -1;
}

static char *text_of(struct wire_bytes bytes)
{
	return bytes.bytes == NULL ? NULL : strndup(bytes.bytes, bytes.length);
}

int gate_settle(struct db *db, const struct gate_claim *claim, int64_t transaction,
		struct wire_bytes result, struct wire_bytes log, int64_t ran_ms, struct error *err)
{
	struct db_call calls[3] = { { .statement = "job_settle" },
				    plain_call("transaction_commit"),
				    plain_call("session_refresh") };
	struct args *args = &calls[0].args;
	char *result_text = text_of(result);
	char *log_text = text_of(log);
	PGresult *results[3];
	int status;

	args_init(args);
	args_int8(args, claim->id);
	args_uuid(args, claim->claim_id);
	args_text(args, result_text);
	args_text(args, log_text);
	args_int8(args, ran_ms);
	args_int8(args, transaction);
	args->failed |= (result.bytes != NULL && result_text == NULL) ||
			(log.bytes != NULL && log_text == NULL);
	status = db_run_apart(db, calls, 3, results, err);
	free(result_text);
	free(log_text);
	if (status != 0)
		return answer(err);
	clear(results, 3);
	return 1;
}

int gate_undo(struct db *db, struct error *err)
{
	struct db_call calls[2] = { plain_call("transaction_rollback"),
				    plain_call("session_refresh") };
	PGconn *conn = db_connection(db);
	PGresult *results[2];

	if (PQpipelineStatus(conn) == PQ_PIPELINE_OFF &&
	    (PQtransactionStatus(conn) == PQTRANS_ACTIVE || enter_pipeline(conn, err) != 0))
		return error_set(err, ERROR_RETRY, "the connection cannot be rolled back");
	if (db_run_apart(db, calls, 2, results, err) != 0)
		return -1;
	clear(results, 2);
	return 0;
}

static enum gate_call read_call(const PGresult *rows)
{
	const char *said = rows_text(rows, 0, 0);

	if (strcmp(said, "settled") == 0)
		return GATE_CALL_SETTLED;
	return strcmp(said, "lost") == 0 ? GATE_CALL_LOST : GATE_CALL_MISSING;
}

int gate_call(struct db *db, const struct gate_claim *claim, const char *function,
	      const char *payload, enum gate_call *end, struct error *err)
{
	struct db_call calls[3] = { { .statement = "transaction_limit" },
				    { .statement = "handler_call" },
				    plain_call("session_refresh") };
	struct args *args = &calls[1].args;
	PGresult *results[3];

	limit_call(&calls[0], claim->timeout_ms);
	args_init(args);
	args_text(args, function);
	args_int8(args, claim->id);
	args_uuid(args, claim->claim_id);
	args_text(args, payload);
	if (db_run_apart(db, calls, 3, results, err) != 0)
		return -1;
	*end = read_call(results[1]);
	clear(results, 3);
	return 0;
}

int gate_end(struct db *db, struct uuid incarnation, const int64_t *ids,
	     const struct uuid *claim_ids, size_t count, struct error *err)
{
	struct args args;
	PGresult *rows;
	int ended;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int8_array(&args, ids, count);
	args_uuid_array(&args, claim_ids, count);
	rows = db_call(db, "gate_end", &args, err);
	if (rows == NULL)
		return -1;
	ended = rows_count(rows);
	PQclear(rows);
	return ended;
}
