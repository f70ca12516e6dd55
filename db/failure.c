#include "db/failure.h"

#include <stdio.h>
#include <string.h>

#include "db/sqlstate.h"

/* libpq ends its messages with a line break and may give several lines: keeps the first, without its
 * "ERROR:" or "FATAL:". */
int failure_message(struct error *err, enum error_kind kind, const char *message)
{
	static const char *const PREFIXES[] = { "ERROR:  ", "FATAL:  ", "PANIC:  " };

	for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++)
		if (strncmp(message, PREFIXES[i], strlen(PREFIXES[i])) == 0)
			message += strlen(PREFIXES[i]);
	return error_set(err, kind, "%.*s", (int)strcspn(message, "\n"), message);
}

int failure_lost(struct db *db, struct error *err)
{
	db->lost = true;
	failure_message(err, ERROR_RETRY, PQerrorMessage(db->conn));
	if (err != NULL && err->text[0] == '\0')
		error_set(err, ERROR_RETRY, "the connection to the database was lost");
	return -1;
}

int failure_result(struct db *db, const PGresult *result, struct error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	if (sqlstate == NULL)
		return failure_lost(db, err);
	snprintf(db->detail, sizeof(db->detail), "%s", detail == NULL ? "" : detail);
	failure_message(err, sqlstate_kind(sqlstate), message == NULL ? "" : message);
	if (err != NULL)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	/* The server said that it is going; the connection will not answer again. */
	if (strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
	    PQstatus(db->conn) == CONNECTION_BAD)
		db->lost = true;
	return -1;
}

/* No answer came at all: is it worth trying again? The server's refusals have no SQLSTATE here. */
int failure_connect(const PGconn *conn, struct error *err)
{
	static const char *const HOPELESS[] = {
		"authentication failed", "no password supplied", "no pg_hba.conf entry",
		"FATAL:  role \"", /* does not exist, may not log in */
	};
	const char *message = PQerrorMessage(conn);
	enum error_kind kind = ERROR_RETRY;

	for (size_t i = 0; i < sizeof(HOPELESS) / sizeof(HOPELESS[0]); i++)
		if (strstr(message, "FATAL:") != NULL && strstr(message, HOPELESS[i]) != NULL)
			kind = ERROR_FATAL;
	failure_message(err, kind, message);
	return error_prefix(err, "cannot connect to the database");
}
