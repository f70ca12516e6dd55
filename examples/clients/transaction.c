/*
 * Submits a job in the program's own transaction: the picture and its job come to be together or not at all.
 *
 *   create table picture (path text primary key);
 *
 *   cc -o transaction transaction.c $(pkg-config --cflags --libs locum libpq)
 *   ./transaction CONNINFO PATH
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <locum.h>
#include <stdbool.h>
#include <stdio.h>

static bool run(PGconn *conn, const char *statement, const char *value)
{
	PGresult *result = PQexecParams(conn, statement, value != NULL, NULL, &value, NULL, NULL,
					0);
	bool done = PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!done)
		fprintf(stderr, "%s", PQresultErrorMessage(result));
	PQclear(result);
	return done;
}

/* Returns the id of the job, or -1, and then nothing was stored. */
static int64_t add_picture(PGconn *conn, const char *path)
{
	struct locum_options options = LOCUM_OPTIONS_INIT;
	struct locum_error error = { LOCUM_ERROR_NONE, "", 0, "" };
	struct locum *locum = locum_on(conn, &error);
	int64_t id = -1;

	options.key = path;
	if (locum != NULL && run(conn, "begin", NULL) &&
	    run(conn, "insert into picture (path) values ($1)", path))
		id = locum_submit(locum, "thumb", NULL, &options, &error);
	if (error.kind != LOCUM_ERROR_NONE)
		fprintf(stderr, "%s\n", error.message);
	if (!run(conn, id < 0 ? "rollback" : "commit", NULL))
		id = -1;
	locum_close(locum);
	return id;
}

int main(int argc, char **argv)
{
	PGconn *conn = PQconnectdb(argc > 1 ? argv[1] : "");
	int64_t id = -1;

	if (argc < 3)
		fprintf(stderr, "usage: transaction CONNINFO PATH\n");
	else if (PQstatus(conn) != CONNECTION_OK)
		fprintf(stderr, "%s", PQerrorMessage(conn));
	else
		id = add_picture(conn, argv[2]);
	PQfinish(conn);
	if (id >= 0)
		printf("job %" PRId64 "\n", id);
	return id < 0;
}
