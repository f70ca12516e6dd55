#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_state.h"
#include "db/exchange.h"
#include "db/failure.h"
#include "db/rows.h"
#include "db/statement.h"

enum { NAME_SIZE = 64 };

static int check_conninfo(const char *conninfo, struct error *err)
{
	char *message = NULL;
	PQconninfoOption *parsed;

	if (strchr(conninfo, '=') == NULL && strstr(conninfo, "://") == NULL)
		return 0; /* the bare name of a database, or nothing */
	parsed = PQconninfoParse(conninfo, &message);
	if (parsed != NULL) {
		PQconninfoFree(parsed);
		return 0;
	}
	failure_message(err, ERROR_INPUT, message == NULL ? "out of memory" : message);
	PQfreemem(message);
	return error_prefix(err, "the connection string is wrong");
}

/* Later keywords go before earlier ones: what the user's string says beats our defaults, and our name
 * beats the user's. */
static PGconn *connect_params(const struct db_options *options)
{
	char name[NAME_SIZE];
	char uuid[UUID_TEXT_SIZE];
	const char *keys[] = { "client_encoding",
			       "connect_timeout",
			       "tcp_user_timeout",
			       "target_session_attrs",
			       "dbname",
			       "application_name",
			       NULL };
	const char *values[] = {
		"UTF8", "10", "20000", "read-write", options->conninfo, name, NULL
	};

	snprintf(name, sizeof(name), "locum");
	if (options->role == NULL)
		keys[5] = "fallback_application_name";
	else if (uuid_is_none(options->incarnation))
		snprintf(name, sizeof(name), "locum/%s", options->role);
	else
		snprintf(name, sizeof(name), "locum/%s/%s", options->role,
			 uuid_text(options->incarnation, uuid));
	return PQconnectdbParams(keys, values, 1);
}

/* Errors come back as results; what else the server says is not for stderr. */
static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
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
	return 0;
}

int db_open(struct db **db, const struct db_options *options, struct error *err)
{
	struct db *opened;

	if (check_conninfo(options->conninfo, err) != 0)
		return -1;
	opened = calloc(1, sizeof(*opened));
	if (opened == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	opened->answer_ms = options->answer_ms;
	opened->prepared = calloc(statement_count() + 1, sizeof(bool));
	opened->conn = connect_params(options);
	if (opened->prepared == NULL || opened->conn == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	if (PQstatus(opened->conn) != CONNECTION_OK) {
		failure_connect(opened->conn, err);
		goto fail;
	}
	PQsetNoticeReceiver(opened->conn, ignore_notice, NULL);
	if (PQsetnonblocking(opened->conn, 1) != 0 || PQenterPipelineMode(opened->conn) != 1) {
		failure_lost(opened, err);
		goto fail;
	}
	if (prepare_session(opened, options, err) != 0)
		goto fail;
	*db = opened;
	return 0;
fail:
	db_close(opened);
	return -1;
}

struct db *db_adopt(PGconn *conn, struct error *err)
{
	struct db *adopted = calloc(1, sizeof(*adopted));

	if (adopted == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	*adopted = (struct db){ .conn = conn, .answer_ms = INT64_MAX / 2, .adopted = true };
	return adopted;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	exchange_forget(db);
	if (!db->adopted)
		PQfinish(db->conn);
	free(db->prepared);
	free(db);
}

static int send_calls(struct db *db, struct db_call *calls, size_t count, size_t apart,
		      struct error *err)
{
	int status = exchange_send(db, calls, count, apart, err);

	for (size_t i = 0; i < count; i++)
		args_fini(&calls[i].args);
	return status;
}

int db_send(struct db *db, struct db_call *calls, size_t count, struct error *err)
{
	return send_calls(db, calls, count, count, err);
}

bool db_has_answer(struct db *db)
{
	return exchange_advance(db) != 0;
}

int db_take(struct db *db, PGresult **results, struct error *err)
{
	exchange_wait(db);
	return exchange_end(db, results, err);
}

short db_events(const struct db *db)
{
	return PQflush(db->conn) == 1 ? POLLIN | POLLOUT : POLLIN;
}

int64_t db_deadline_ms(const struct db *db)
{
	return db->exchange.deadline_ms;
}

int db_run(struct db *db, struct db_call *calls, size_t count, PGresult **results,
	   struct error *err)
{
	return db_send(db, calls, count, err) == 0 ? db_take(db, results, err) : -1;
}

int db_run_apart(struct db *db, struct db_call *calls, size_t count, PGresult **results,
		 struct error *err)
{
	return send_calls(db, calls, count, count - 1, err) == 0 ? db_take(db, results, err) : -1;
}

PGresult *db_call(struct db *db, const char *statement, struct args *args, struct error *err)
{
	struct db_call call = { .statement = statement, .args = *args };
	PGresult *result = NULL;

	/* Small values live inside the struct: the copy's pointers must lead into the copy. */
	for (int i = 0; i < call.args.count; i++)
		if (call.args.values[i] == args->small[i])
			call.args.values[i] = call.args.small[i];
	args_init(args);
	return db_run(db, &call, 1, &result, err) == 0 ? result : NULL;
}

int db_do(struct db *db, const char *statement, struct args *args, struct error *err)
{
	PGresult *result = db_call(db, statement, args, err);

	PQclear(result);
	return result == NULL ? -1 : 0;
}

int db_execute(struct db *db, const char *text, struct error *err)
{
	return exchange_command(db, text, err);
}

int db_listen(struct db *db, const char *channel, struct error *err)
{
	char *quoted = PQescapeIdentifier(db->conn, channel, strlen(channel));
	char command[NAME_SIZE * 3];

	if (quoted == NULL)
		return failure_lost(db, err);
	snprintf(command, sizeof(command), "LISTEN %s", quoted);
	PQfreemem(quoted);
	return db_execute(db, command, err);
}

bool db_notified(struct db *db, bool *told)
{
	PGnotify *notify;
	bool any = false;
	bool payload = false;

	if (!db->lost && PQconsumeInput(db->conn) != 1)
		db->lost = true;
	while ((notify = PQnotifies(db->conn)) != NULL) {
		payload = payload || notify->extra[0] != '\0';
		PQfreemem(notify);
		any = true;
	}
	if (told != NULL)
		*told = payload;
	return any;
}

void db_give_up(struct db *db)
{
	db->lost = true;
}

bool db_is_lost(const struct db *db)
{
	return db->lost;
}

int db_fd(const struct db *db)
{
	return PQsocket(db->conn);
}

PGconn *db_connection(const struct db *db)
{
	return db->conn;
}

bool db_is_spoilt(const struct db *db)
{
	return db->spoilt;
}

const char *db_error_detail(const struct db *db)
{
	return db->detail;
}
