#include "tools/chaos/faults/grip.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/sql.h"
#include "tools/chaos/stage/answer.h"
#include "tools/chaos/stage/stage.h"

enum { ANSWER_MS = 30000 };

struct grip {
	PGconn *conn;
};

/* What the server says besides is not for stderr. */
static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

/* libpq keeps the code of a refused connection to itself; its text is the server's. */
static void note_refusal(PGconn *conn, struct error *err)
{
	const char *text = PQerrorMessage(conn);

	error_set(err, ERROR_RETRY, "%.*s", (int)strcspn(text, "\n"), text);
	if (err != NULL && (strstr(text, "too many clients") != NULL ||
			    strstr(text, "remaining connection slots") != NULL))
		snprintf(err->sqlstate, sizeof(err->sqlstate), "53300");
}

struct grip *grip_open(const struct server *server, struct error *err)
{
	struct grip *grip = calloc(1, sizeof(*grip));

	if (grip == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	grip->conn = PQconnectdb(server_conninfo(server));
	PQsetNoticeReceiver(grip->conn, ignore_notice, NULL);
	if (PQstatus(grip->conn) == CONNECTION_OK)
		return grip;
	note_refusal(grip->conn, err);
	grip_close(grip);
	return NULL;
}

void grip_close(struct grip *grip)
{
	if (grip == NULL)
		return;
	PQfinish(grip->conn);
	free(grip);
}

static const char *text_of(const char *name)
{
	for (const struct embedded_sql *sql = EMBEDDED_CHAOS; sql->name != NULL; sql++)
		if (strcmp(sql->name, name) == 0)
			return sql->text;
	return "";
}

int grip_run(struct grip *grip, const char *name, struct error *err)
{
	PGresult *result = PQsendQuery(grip->conn, text_of(name)) == 1
				   ? answer_await(grip->conn, ANSWER_MS)
				   : NULL;
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	if (result == NULL)
		return error_set(err, ERROR_RETRY, "%s: the server did not answer", name);
	return error_set(err, ERROR_RETRY, "%s: %s", name, PQerrorMessage(grip->conn));
}

int grip_pid(const struct grip *grip)
{
	return PQbackendPID(grip->conn);
}
