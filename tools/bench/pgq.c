#include "tools/bench/race.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#include "tools/bench/sql.h"

static int fail(PGconn *conn, struct error *err)
{
	return error_set(err, ERROR_FATAL, "pgq: %s", PQerrorMessage(conn));
}

static void pgq_close(void *loop)
{
	PQfinish(loop);
}

static int prepare(PGconn *conn, const char *name, struct error *err)
{
	PGresult *result = PQprepare(conn, name, sql_text(name), 0, NULL);
	int prepared = PQresultStatus(result) == PGRES_COMMAND_OK;

	PQclear(result);
	return prepared ? 0 : fail(conn, err);
}

static int pgq_open(void **loop, const struct race *race, struct error *err)
{
	PGconn *conn = PQconnectdb(race->conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		fail(conn, err);
	else if (prepare(conn, "pgq_next", err) == 0 && prepare(conn, "pgq_events", err) == 0 &&
		 prepare(conn, "pgq_finish", err) == 0) {
		*loop = conn;
		return 0;
	}
	pgq_close(conn);
	return -1;
}

/* The rows of a statement, the caller's to PQclear, or NULL. */
static PGresult *rows_of(PGconn *conn, const char *name, const char *batch_id, struct error *err)
{
	PGresult *result = PQexecPrepared(conn, name, batch_id != NULL, &batch_id, NULL, NULL, 0);

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	PQclear(result);
	fail(conn, err);
	return NULL;
}

/* Reads one batch and finishes it. Sets how many events it had. */
static int consume(PGconn *conn, const char *batch_id, size_t *events, struct error *err)
{
	PGresult *result = rows_of(conn, "pgq_events", batch_id, err);
	int finished;

	if (result == NULL)
		return -1;
	*events = (size_t)PQntuples(result);
	PQclear(result);
	result = rows_of(conn, "pgq_finish", batch_id, err);
	if (result == NULL)
		return -1;
	finished = strcmp(PQgetvalue(result, 0, 0), "1") == 0;
	PQclear(result);
	return finished ? 0 : error_set(err, ERROR_FATAL, "pgq: batch %s was not open", batch_id);
}

/* A batch may be empty, so the turn goes on until one is not. */
static int pgq_turn(void *loop, size_t *claimed, size_t *completed, struct error *err)
{
	PGconn *conn = loop;
	int status = 0;
	bool more = true;

	while (status == 0 && more && *claimed == 0) {
		PGresult *batch = rows_of(conn, "pgq_next", NULL, err);

		if (batch == NULL)
			return -1;
		more = !PQgetisnull(batch, 0, 0);
		if (more)
			status = consume(conn, PQgetvalue(batch, 0, 0), claimed, err);
		PQclear(batch);
	}
	*completed = *claimed;
	return status;
}

const struct contestant PGQ_CONTESTANT = { "pgq", pgq_open, pgq_turn, pgq_close };
