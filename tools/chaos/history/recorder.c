#include "tools/chaos/history/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/sql.h"

enum { PATH_MAX_BYTES = 4096 };

static const char *text_of(const char *name)
{
	for (const struct embedded_sql *sql = EMBEDDED_CHAOS; sql->name != NULL; sql++)
		if (strcmp(sql->name, name) == 0)
			return sql->text;
	return NULL;
}

static int server_error(PGconn *conn, const char *what, struct error *err)
{
	const char *message = PQerrorMessage(conn);

	error_set(err, ERROR_FATAL, "%s: %.*s", what, (int)strcspn(message, "\n"), message);
	return -1;
}

/* Runs tools/chaos/sql/NAME.sql. The result is the caller's; NULL on error. */
static PGresult *run(PGconn *conn, const char *name, struct error *err)
{
	PGresult *result = PQexec(conn, text_of(name));
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_OUT)
		return result;
	server_error(conn, name, err);
	PQclear(result);
	return NULL;
}

/* The first column of its first row. */
static int ask(PGconn *conn, const char *name, char *value, size_t size, struct error *err)
{
	PGresult *result = run(conn, name, err);

	if (result == NULL)
		return -1;
	snprintf(value, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return 0;
}

static int do_script(PGconn *conn, const char *name, struct error *err)
{
	PGresult *result = run(conn, name, err);

	PQclear(result);
	return result == NULL ? -1 : 0;
}

int recorder_install(PGconn *conn, bool *ordered, struct error *err)
{
	char made[8];

	if (do_script(conn, "recorder_install", err) != 0 ||
	    ask(conn, "recorder_slot", made, sizeof(made), err) != 0)
		return -1;
	*ordered = strcmp(made, "t") == 0;
	return 0;
}

/* Stores the order of commits that the slot tells, piece by piece. */
static int take_order(PGconn *conn, struct error *err)
{
	char value[32];

	if (ask(conn, "recorder_has_slot", value, sizeof(value), err) != 0)
		return -1;
	if (strcmp(value, "t") != 0)
		return 0;
	do
		if (ask(conn, "recorder_order", value, sizeof(value), err) != 0)
			return -1;
	while (strcmp(value, "0") != 0);
	return 0;
}

/* Passes on what the COPY sends; *count gets the number of its lines. */
static int pour(PGconn *conn, FILE *file, int64_t *count, struct error *err)
{
	PGresult *result;
	char *line;
	int length;
	int status = 0;

	while ((length = PQgetCopyData(conn, &line, 0)) > 0) {
		fwrite(line, 1, (size_t)length, file);
		PQfreemem(line);
		(*count)++;
	}
	if (length == -2)
		status = server_error(conn, "export", err);
	while ((result = PQgetResult(conn)) != NULL) {
		if (status == 0 && PQresultStatus(result) != PGRES_COMMAND_OK)
			status = server_error(conn, "export", err);
		PQclear(result);
	}
	return status;
}

/* Writes the lines of that statement to FOLDER/FILE_NAME, and that it is whole behind them. */
static int export(PGconn *conn, const char *statement, const char *folder, const char *file_name,
		  struct error *err)
{
	char path[PATH_MAX_BYTES];
	int64_t count = 0;
	int status = -1;
	PGresult *result;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s", folder, file_name) >= PATH_MAX_BYTES)
		return error_set(err, ERROR_INPUT, "%s: the path is too long", folder);
	file = fopen(path, "we");
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "%s", path);
	result = run(conn, statement, err);
	if (result != NULL)
		status = pour(conn, file, &count, err);
	PQclear(result);
	if (status == 0)
		fprintf(file, "0 closed %" PRId64 "\n", count);
	if ((ferror(file) | fclose(file)) != 0 && status == 0)
		status = error_set_errno(err, ERROR_FATAL, errno, "%s", path);
	return status;
}

int recorder_export(PGconn *conn, bool ordered, const char *folder, struct error *err)
{
	int status = do_script(conn, "recorder_look", err);

	if (status == 0 && ordered)
		status = take_order(conn, err);
	if (status == 0)
		status = export(conn, "recorder_export", folder, "database.log", err);
	if (status == 0)
		status = export(conn, "recorder_final", folder, "final.log", err);
	PQclear(PQexec(conn, status == 0 ? "commit" : "rollback"));
	return status;
}

int recorder_remove(PGconn *conn, struct error *err)
{
	return do_script(conn, "recorder_remove", err);
}
