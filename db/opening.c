#include "db/opening.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "db/conninfo.h"
#include "db/db_state.h"
#include "db/dial.h"
#include "db/failure.h"
#include "db/rows.h"
#include "db/statement.h"

struct opening {
	struct db_options options;
	struct dial *dial;
};

struct opening *opening_begin(const struct db_options *options, struct error *err)
{
	struct opening *opening;

	if (conninfo_check(options->conninfo, err) != 0)
		return NULL;
	opening = calloc(1, sizeof(*opening));
	if (opening == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	opening->options = *options;
	opening->dial = dial_open(&opening->options, err);
	if (opening->dial != NULL)
		return opening;
	free(opening);
	return NULL;
}

void opening_close(struct opening *opening)
{
	if (opening == NULL)
		return;
	dial_close(opening->dial);
	free(opening);
}

/* Errors come back as results, and what else the server says is not for stderr. That the wait for a synchronous standby
 * was cancelled is told by a warning of no SQLSTATE of its own (01000), which a trigger's might be as well; the words
 * are in any language, the place in the server's code is not. */
static void take_notice(void *context, const PGresult *result)
{
	struct db *db = context;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *place = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

	if (sqlstate != NULL && strcmp(sqlstate, "01000") == 0 && place != NULL &&
	    strcmp(place, "SyncRepWaitForLSN") == 0)
		db->unreplicated = true;
}

/* Whether another process than the one that greeted us serves statements. Prepares nothing. */
static int find_pooler(struct db *db, bool *pooled, struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	rows = db_call(db, "backend_pid", &args, err);
	if (rows == NULL)
		return -1;
	*pooled = rows_int(rows, 0, 0) != PQbackendPID(db->conn);
	PQclear(rows);
	return 0;
}

static int prepare_session(struct db *db, const struct db_options *options, struct error *err)
{
	bool pooled = false;
	struct args args;

	if (options->wary && find_pooler(db, &pooled, err) != 0)
		return -1;
	db->prepare = options->prepared && !pooled;
	if (options->pinned) {
		args_init(&args);
		if (db_do(db, "session_pin", &args, err) != 0)
			return -1;
	}
	if (options->statement_ms > 0) {
		args_init(&args);
		args_int8(&args, options->statement_ms);
		if (db_do(db, "session_limit", &args, err) != 0)
			return -1;
	}
	return options->check == NULL ? 0 : options->check(db, options->context, err);
}

/* Takes the connection over, whatever happens. */
static struct db *make(struct opening *opening, PGconn *conn, struct error *err)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL) {
		PQfinish(conn);
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	db->conn = conn;
	db->halt = opening->options.halt;
	db->answer_ms = dial_connect_ms(opening->dial);
	db->prepared = calloc(statement_count() + 1, sizeof(bool));
	if (db->prepared == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	PQsetNoticeReceiver(db->conn, take_notice, db);
	if (PQsetnonblocking(db->conn, 1) != 0 || PQenterPipelineMode(db->conn) != 1) {
		failure_lost(db, err);
		goto fail;
	}
	if (prepare_session(db, &opening->options, err) != 0)
		goto fail;
	db->answer_ms = opening->options.answer_ms;
	return db;
fail:
	db_close(db);
	return NULL;
}

int opening_advance(struct opening *opening, struct db **db, struct error *err)
{
	struct error refusal = { ERROR_NONE, "", "" };
	struct db *made;
	int status;

	while ((status = dial_advance(opening->dial, err)) == 1) {
		made = make(opening, dial_take(opening->dial), &refusal);
		if (made != NULL) {
			dial_remember(opening->dial);
			*db = made;
			return 1;
		}
		dial_refuse(opening->dial, &refusal);
	}
	return status;
}

struct pollfd opening_poll(const struct opening *opening)
{
	return dial_poll(opening->dial);
}

int64_t opening_deadline_ms(const struct opening *opening)
{
	return dial_deadline_ms(opening->dial);
}
