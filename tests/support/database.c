#include "tests/support/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/rows.h"
#include "db/schema.h"

static const char EDGES[] = "tests/db/edges.sql";

/* Replaces the name of the database at the end of the server's conninfo: a later word wins. */
static void set_names(struct database *d)
{
	const char *server = getenv("LOCUM_TEST_CONNINFO");

	if (server == NULL)
		fail_msg(
			"LOCUM_TEST_CONNINFO is not set; run tests/run, or see tests/db/README.md");
	snprintf(d->name, sizeof(d->name), "locum_test_%d", (int)getpid());
	snprintf(d->conninfo, sizeof(d->conninfo), "%s dbname=%s", server, d->name);
}

static void ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

PGconn *database_connection(struct database *d)
{
	PGconn *connection = PQconnectdb(d->conninfo);

	if (PQstatus(connection) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(connection));
	PQsetNoticeReceiver(connection, ignore_notice, NULL);
	return connection;
}

struct db *database_db(struct database *d, const char *role)
{
	const struct db_options options = {
		.conninfo = d->conninfo,
		.role = role,
		.prepared = true,
		.pinned = true,
		.answer_ms = 60000,
	};
	struct db *db;

	if (db_open(&db, &options, &d->err) != 0)
		fail_msg("%s", d->err.text);
	return db;
}

static void run_on_server(struct database *d, const char *before, const char *after)
{
	char command[256];
	PGconn *server = PQconnectdb(getenv("LOCUM_TEST_CONNINFO"));
	PGresult *result;

	PQsetNoticeReceiver(server, ignore_notice, NULL);
	snprintf(command, sizeof(command), "%s %s %s", before, d->name, after);
	result = PQexec(server, command);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(server));
	PQclear(result);
	PQfinish(server);
}

static void install_edges(struct database *d)
{
	FILE *file = fopen(EDGES, "r");
	size_t length;

	if (file == NULL)
		fail_msg("no %s: run from the root of the tree", EDGES);
	length = fread(d->text, 1, sizeof(d->text) - 1, file);
	fclose(file);
	d->text[length] = '\0';
	if (db_execute(d->db, d->text, &d->err) != 0)
		fail_msg("%s", d->err.text);
}

int database_open(void **state)
{
	struct database *d = calloc(1, sizeof(*d));
	struct schema_change change;

	if (d == NULL)
		return -1;
	set_names(d);
	run_on_server(d, "drop database if exists", "with (force)");
	run_on_server(d, "create database", "");
	d->sql = database_connection(d);
	d->db = database_db(d, "test");
	if (schema_init(d->db, &change, &d->err) != 0)
		fail_msg("%s", d->err.text);
	install_edges(d);
	*state = d;
	return 0;
}

int database_close(void **state)
{
	struct database *d = *state;

	if (d == NULL)
		return 0; /* the set-up failed */
	db_close(d->db);
	PQfinish(d->sql);
	run_on_server(d, "drop database", "with (force)");
	free(d);
	return 0;
}

int database_clear(void **state)
{
	struct database *d = *state;

	database_do(d, "rollback");
	database_do(d, "reset all");
	database_do(d, "truncate locum.queue, locum.job, locum.finished, locum.receipt, "
		       "locum.dispatcher, locum.dispatcher_ping, locum.agent, locum.death, "
		       "locum.signal, locum.request, public.left_job restart identity");
	database_do(d, "insert into locum.queue (name) values ('default')");
	return 0;
}

__attribute__((format(printf, 2, 0))) static PGresult *run(struct database *d, const char *format,
							   va_list list)
{
	char query[DATABASE_QUERY_SIZE];
	int length = vsnprintf(query, sizeof(query), format, list);

	if (length < 0 || length >= (int)sizeof(query))
		fail_msg("the query is too long: %.100s", query);
	return PQexec(d->sql, query);
}

static PGresult *checked(struct database *d, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		PQclear(result);
		fail_msg("%s", PQerrorMessage(d->sql));
	}
	return result;
}

void database_do(struct database *d, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	PQclear(checked(d, run(d, format, list)));
	va_end(list);
}

void database_hold_finish(struct database *d)
{
	database_do(d, "drop table if exists public.passes; create table public.passes (); "
		       "create or replace function public.wait_for_pass() returns trigger "
		       "language plpgsql as $$ begin "
		       "while not exists (select from public.passes) loop "
		       "perform pg_sleep(0.01); end loop; return new; end $$; "
		       "create trigger waits before insert on locum.finished "
		       "for each row execute function public.wait_for_pass()");
}

void database_let_finish(struct database *d)
{
	database_do(d, "insert into public.passes default values");
}

static void append(struct database *d, const char *text)
{
	size_t length = strlen(d->text);

	if (length + strlen(text) >= sizeof(d->text))
		fail_msg("the answer is too long");
	snprintf(d->text + length, sizeof(d->text) - length, "%s", text);
}

const char *database_text(struct database *d, const char *format, ...)
{
	PGresult *result;
	va_list list;

	va_start(list, format);
	result = checked(d, run(d, format, list));
	va_end(list);
	d->text[0] = '\0';
	for (int row = 0; row < PQntuples(result); row++) {
		append(d, row == 0 ? "" : "\n");
		for (int column = 0; column < PQnfields(result); column++) {
			append(d, column == 0 ? "" : "|");
			append(d, PQgetisnull(result, row, column)
					  ? "-"
					  : PQgetvalue(result, row, column));
		}
	}
	PQclear(result);
	return d->text;
}

int64_t database_int(struct database *d, const char *format, ...)
{
	PGresult *result;
	va_list list;
	int64_t value;

	va_start(list, format);
	result = checked(d, run(d, format, list));
	va_end(list);
	assert_int_equal(PQntuples(result), 1);
	value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return value;
}

const char *database_refusal(struct database *d, const char *format, ...)
{
	PGresult *result;
	const char *detail;
	va_list list;

	va_start(list, format);
	result = run(d, format, list);
	va_end(list);
	if (PQresultStatus(result) != PGRES_FATAL_ERROR) {
		PQclear(result);
		return "accepted";
	}
	detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	snprintf(d->text, sizeof(d->text), "%s %s%s%s",
		 PQresultErrorField(result, PG_DIAG_SQLSTATE),
		 PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), detail == NULL ? "" : "|",
		 detail == NULL ? "" : detail);
	PQclear(result);
	return d->text;
}

PGresult *database_try(struct database *d, const char *statement, struct args *args)
{
	struct args none;

	args_init(&none);
	return db_call(d->db, statement, args == NULL ? &none : args, &d->err);
}

PGresult *database_call(struct database *d, const char *statement, struct args *args)
{
	PGresult *result = database_try(d, statement, args);

	if (result == NULL)
		fail_msg("%s: %s %s", statement, d->err.sqlstate, d->err.text);
	return result;
}

int64_t database_count(struct database *d, const char *statement, struct args *args)
{
	PGresult *result = database_call(d, statement, args);
	int64_t count = PQnfields(result) > 0 ? PQntuples(result) : rows_affected(result);

	PQclear(result);
	return count;
}
