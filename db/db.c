#include "db/db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/embedded.h"
#include "db/sqlstate.h"
#include "db/statement.h"

enum { CONNECT_TIMEOUT_S = 10, DETAIL_SIZE = 512, NAME_SIZE = 64 };

struct db {
	PGconn *conn;
	int64_t answer_ms;
	bool prepare;
	bool lost;
	bool *prepared; /* by index of EMBEDDED_STATEMENTS */
	char detail[DETAIL_SIZE];
};

/* libpq ends its messages with a line break and may give several lines: keeps the first, without its
 * "ERROR:" or "FATAL:". */
static void set_message(struct error *err, enum error_kind kind, const char *message)
{
	static const char *const PREFIXES[] = { "ERROR:  ", "FATAL:  ", "PANIC:  " };

	for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++)
		if (strncmp(message, PREFIXES[i], strlen(PREFIXES[i])) == 0)
			message += strlen(PREFIXES[i]);
	error_set(err, kind, "%.*s", (int)strcspn(message, "\n"), message);
}

static int fail_lost(struct db *db, struct error *err)
{
	db->lost = true;
	set_message(err, ERROR_RETRY, PQerrorMessage(db->conn));
	if (err != NULL && err->text[0] == '\0')
		error_set(err, ERROR_RETRY, "the connection to the database was lost");
	return -1;
}

static int fail_result(struct db *db, const PGresult *result, struct error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	if (sqlstate == NULL)
		return fail_lost(db, err);
	snprintf(db->detail, sizeof(db->detail), "%s", detail == NULL ? "" : detail);
	set_message(err, sqlstate_kind(sqlstate), message == NULL ? "" : message);
	if (err != NULL)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	/* The server said that it is going; the connection will not answer again. */
	if (strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
	    PQstatus(db->conn) == CONNECTION_BAD)
		db->lost = true;
	return -1;
}

/* No answer came at all: is it worth trying again? The server's refusals have no SQLSTATE here. */
static int fail_connect(PGconn *conn, struct error *err)
{
	static const char *const HOPELESS[] = {
		"authentication failed",
		"no password supplied",
		"no pg_hba.conf entry",
		"is not permitted to log in",
	};
	const char *message = PQerrorMessage(conn);
	enum error_kind kind = ERROR_RETRY;

	for (size_t i = 0; i < sizeof(HOPELESS) / sizeof(HOPELESS[0]); i++)
		if (strstr(message, "FATAL:") != NULL && strstr(message, HOPELESS[i]) != NULL)
			kind = ERROR_FATAL;
	set_message(err, kind, message);
	return error_prefix(err, "cannot connect to the database");
}

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
	set_message(err, ERROR_INPUT, message == NULL ? "out of memory" : message);
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

	if (uuid_is_none(options->incarnation))
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

static int prepare_session(struct db *db, const struct db_options *options, struct error *err)
{
	struct args args;

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
	opened->prepare = options->prepared;
	opened->prepared = calloc(statement_count() + 1, sizeof(bool));
	opened->conn = connect_params(options);
	if (opened->prepared == NULL || opened->conn == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	if (PQstatus(opened->conn) != CONNECTION_OK) {
		fail_connect(opened->conn, err);
		goto fail;
	}
	PQsetNoticeReceiver(opened->conn, ignore_notice, NULL);
	if (PQsetnonblocking(opened->conn, 1) != 0 || PQenterPipelineMode(opened->conn) != 1) {
		fail_lost(opened, err);
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

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	PQfinish(db->conn);
	free(db->prepared);
	free(db);
}

/* Waits until the socket is readable, or writable too when `writing`. */
static int wait_socket(struct db *db, bool writing, int64_t deadline_ms, struct error *err)
{
	struct pollfd pollfd = { .fd = PQsocket(db->conn), .events = POLLIN };
	int64_t left_ms = deadline_ms - clock_monotonic_ms();
	int ready;

	if (writing)
		pollfd.events |= POLLOUT;
	ready = left_ms <= 0 ? 0 : poll(&pollfd, 1, left_ms > 60000 ? 60000 : (int)left_ms);
	if (ready < 0 && errno != EINTR)
		return fail_lost(db, err);
	if (ready == 0 && clock_monotonic_ms() >= deadline_ms) {
		db->lost = true;
		return error_set(err, ERROR_RETRY, "the database did not answer within %lld ms",
				 (long long)db->answer_ms);
	}
	if (ready > 0 && (pollfd.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
	    PQconsumeInput(db->conn) != 1)
		return fail_lost(db, err);
	return 0;
}

static int flush_all(struct db *db, int64_t deadline_ms, struct error *err)
{
	int pending;

	while ((pending = PQflush(db->conn)) == 1)
		if (wait_socket(db, true, deadline_ms, err) != 0)
			return -1;
	return pending == 0 ? 0 : fail_lost(db, err);
}

/* The next result, or NULL at the end of a command's results. */
static int next_result(struct db *db, int64_t deadline_ms, PGresult **result, struct error *err)
{
	while (PQisBusy(db->conn) == 1)
		if (wait_socket(db, false, deadline_ms, err) != 0)
			return -1;
	*result = PQgetResult(db->conn);
	return 0;
}

static int send_call(struct db *db, struct db_call *call, bool *preparing, struct error *err)
{
	const struct args *args = &call->args;
	size_t index;
	int sent;

	*preparing = false;
	if (args->failed)
		return error_set(err, ERROR_RETRY, "out of memory for %s", call->statement);
	if (statement_find(call->statement, &index, err) != 0)
		return -1;
	if (!db->prepare) {
		sent = PQsendQueryParams(
			db->conn, EMBEDDED_STATEMENTS[index].text, args->count, args->types,
			args->values, args->lengths,
			(const int[ARGS_MAX]){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 1);
		return sent == 1 ? 0 : fail_lost(db, err);
	}
	if (!db->prepared[index]) {
		*preparing = true;
		if (PQsendPrepare(db->conn, call->statement, EMBEDDED_STATEMENTS[index].text,
				  args->count, args->types) != 1)
			return fail_lost(db, err);
	}
	sent = PQsendQueryPrepared(
		db->conn, call->statement, args->count, args->values, args->lengths,
		(const int[ARGS_MAX]){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 1);
	return sent == 1 ? 0 : fail_lost(db, err);
}

/* Reads all results of one command; keeps the first that is no error, notes the first error. */
static int take_command(struct db *db, int64_t deadline_ms, PGresult **kept, bool *failed,
			struct error *err)
{
	ExecStatusType status;
	PGresult *result;

	for (;;) {
		if (next_result(db, deadline_ms, &result, err) != 0)
			return -1;
		if (result == NULL)
			return 0;
		status = PQresultStatus(result);
		if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
			PQclear(*kept); /* of several commands the last answer is kept */
			*kept = result;
			continue;
		}
		if (status != PGRES_PIPELINE_ABORTED) {
			if (!*failed)
				fail_result(db, result, err);
			*failed = true;
		}
		PQclear(result);
		if (PQstatus(db->conn) == CONNECTION_BAD) {
			db->lost = true;
			return -1;
		}
	}
}

/* Reads up to the Sync. A broken connection shows here as an error or as no result at all. */
static int take_sync(struct db *db, int64_t deadline_ms, bool *failed, struct error *err)
{
	PGresult *result;
	ExecStatusType status;

	if (next_result(db, deadline_ms, &result, err) != 0)
		return -1;
	if (result == NULL)
		return fail_lost(db, err);
	status = PQresultStatus(result);
	if (status != PGRES_PIPELINE_SYNC) {
		/* The commit itself may fail, after each statement went well. */
		if (!*failed)
			fail_result(db, result, err);
		*failed = true;
		PQclear(result);
		return db->lost ? -1 : take_sync(db, deadline_ms, failed, err);
	}
	PQclear(result);
	return 0;
}

static int take_all(struct db *db, struct db_call *calls, size_t count, const bool *preparing,
		    PGresult **results, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + db->answer_ms;
	bool failed = false;
	size_t index;

	if (flush_all(db, deadline_ms, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		PGresult *prepared = NULL;

		if (preparing[i]) {
			if (take_command(db, deadline_ms, &prepared, &failed, err) != 0)
				return -1;
			if (prepared != NULL &&
			    statement_find(calls[i].statement, &index, err) == 0)
				db->prepared[index] = true;
			PQclear(prepared);
		}
		if (take_command(db, deadline_ms, &results[i], &failed, err) != 0)
			return -1;
	}
	if (take_sync(db, deadline_ms, &failed, err) != 0)
		return -1;
	return failed ? -1 : 0;
}

static int send_all(struct db *db, struct db_call *calls, size_t count, bool *preparing,
		    struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (send_call(db, &calls[i], &preparing[i], err) != 0) {
			db->lost =
				true; /* what was queued is never sent; the connection is of no use */
			return -1;
		}
	}
	return PQpipelineSync(db->conn) == 1 ? 0 : fail_lost(db, err);
}

enum { CALLS_MAX = 8 };

int db_run(struct db *db, struct db_call *calls, size_t count, PGresult **results,
	   struct error *err)
{
	PGresult *taken[CALLS_MAX] = { NULL };
	bool preparing[CALLS_MAX] = { false };
	int status = -1;

	db->detail[0] = '\0';
	if (count > CALLS_MAX)
		error_set(err, ERROR_FATAL, "%zu calls in one transaction", count);
	else if (db->lost)
		error_set(err, ERROR_RETRY, "the connection to the database was lost");
	else if (send_all(db, calls, count, preparing, err) == 0)
		status = take_all(db, calls, count, preparing, taken, err);
	for (size_t i = 0; i < count; i++) {
		args_fini(&calls[i].args);
		if (status == 0)
			results[i] = taken[i];
		else if (i < CALLS_MAX)
			PQclear(taken[i]);
	}
	return status;
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
	int64_t deadline_ms = clock_monotonic_ms() + db->answer_ms;
	PGresult *result = NULL;
	bool failed = false;
	int taken;

	db->detail[0] = '\0';
	if (db->lost)
		return error_set(err, ERROR_RETRY, "the connection to the database was lost");
	if (PQexitPipelineMode(db->conn) != 1 || PQsendQuery(db->conn, text) != 1)
		return fail_lost(db, err);
	if (flush_all(db, deadline_ms, err) != 0)
		return -1;
	taken = take_command(db, deadline_ms, &result, &failed, err);
	PQclear(result);
	if (taken != 0)
		return -1;
	if (PQenterPipelineMode(db->conn) != 1)
		return fail_lost(db, err);
	return failed ? -1 : 0;
}

int db_listen(struct db *db, const char *channel, struct error *err)
{
	char *quoted = PQescapeIdentifier(db->conn, channel, strlen(channel));
	char command[NAME_SIZE * 3];

	if (quoted == NULL)
		return fail_lost(db, err);
	snprintf(command, sizeof(command), "LISTEN %s", quoted);
	PQfreemem(quoted);
	return db_execute(db, command, err);
}

bool db_notified(struct db *db)
{
	PGnotify *notify;
	bool any = false;

	if (db->lost)
		return false;
	if (PQconsumeInput(db->conn) != 1)
		db->lost = true;
	while ((notify = PQnotifies(db->conn)) != NULL) {
		PQfreemem(notify);
		any = true;
	}
	return any;
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

const char *db_error_detail(const struct db *db)
{
	return db->detail;
}
