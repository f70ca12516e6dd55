#include "db/db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/halt.h"
#include "db/db_state.h"
#include "db/exchange.h"
#include "db/failure.h"
#include "db/opening.h"

enum { NAME_SIZE = 64 };

int db_open(struct db **db, const struct db_options *options, struct error *err)
{
	struct opening *opening = opening_begin(options, err);
	struct error failure = { ERROR_NONE, "", "" };
	int status;

	if (opening == NULL)
		return -1;
	while ((status = opening_advance(opening, db, &failure)) == 0) {
		struct pollfd pollfd = opening_poll(opening);

		halt_poll(options->halt, &pollfd, opening_deadline_ms(opening));
	}
	opening_close(opening);
	if (status < 0 && err != NULL)
		*err = failure;
	return status < 0 ? -1 : 0;
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

void db_hurry(struct db *db, int64_t most_ms)
{
	exchange_hurry(db, most_ms);
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

bool db_is_unreplicated(const struct db *db)
{
	return db->unreplicated;
}

const char *db_error_detail(const struct db *db)
{
	return db->detail;
}
