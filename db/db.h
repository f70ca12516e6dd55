/*
 * One connection to the database. It belongs to one thread.
 *
 * Statements are the files db/sql/NAME.sql, known by NAME. A run of several is one transaction that leaves
 * in one write and ends in one Sync, so that a client that is stopped never sits in an open transaction.
 */
#ifndef LOCUM_DB_DB_H
#define LOCUM_DB_DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/args.h"

struct db;
struct halt;
struct hosts_memory;

struct db_options {
	const char *conninfo; /* of libpq: a URL or key=value; "" takes the environment */
	const char *role;     /* "pump", "pinger": the middle of application_name locum/ROLE/UUID;
				 NULL: "locum", unless conninfo names another */
	struct uuid incarnation; /* the end of application_name; none: left out */
	bool prepared;           /* prepare statements on the server; off behind a pooler */
	bool wary;   /* prepares nothing if a pooler stands between, whatever `prepared` says */
	bool pinned; /* pin plans for the session; off behind a pooler */
	int64_t answer_ms;    /* longest wait for an answer, then the connection counts as lost */
	int64_t statement_ms; /* the server's own limit for a statement; 0: none */
	int64_t connect_ms;   /* longest wait for each address to let us in, unless conninfo has a
				 connect_timeout; 0: 10 s */
	const struct halt *halt;     /* ends every wait (base/halt.h); or NULL */
	struct hosts_memory *memory; /* the host that answered last (db/hosts.h); or NULL */
	/* Asked about a connection before it is used: -1 passes it over, and the next host is tried. Or NULL. */
	int (*check)(struct db *db, void *context, struct error *err);
	void *context;
};

struct db_call {
	const char *statement; /* NAME of db/sql/NAME.sql */
	struct args args;
};

/* Connects, to the first host that answers and is not passed over. ERROR_RETRY when nobody answers, ERROR_FATAL when one
 * of them never will (password refused), ERROR_INPUT for a malformed conninfo. */
int db_open(struct db **db, const struct db_options *options, struct error *err);
void db_close(struct db *db);

/* Runs statements on somebody else's connection, which db_close leaves open: unprepared, each for as long as it
 * takes. It is in pipeline mode and non-blocking while calls are made (db/loan.h). NULL when memory ends. */
struct db *db_adopt(PGconn *conn, struct error *err);

/* Runs the calls as one transaction and sets results[i], each the caller's to PQclear. Consumes the args
 * whatever happens. On failure no result is set; after ERROR_RETRY with a lost connection (db_is_lost) it is
 * unknown whether the transaction was committed. */
int db_run(struct db *db, struct db_call *calls, size_t count, PGresult **results,
	   struct error *err);

/* db_run, but that the last call is a transaction of its own after the others, whatever became of them. Its failure is
 * no failure of the run (db_is_spoilt), its result NULL then. */
int db_run_apart(struct db *db, struct db_call *calls, size_t count, PGresult **results,
		 struct error *err);

/* db_run in two halves. db_send sends the calls and consumes their args; until db_take has given the answer
 * nothing else may be done with the connection but what follows here, or closing it. */
int db_send(struct db *db, struct db_call *calls, size_t count, struct error *err);

/* The answer is waited for no longer than that from now on. */
void db_hurry(struct db *db, int64_t most_ms);

/* Takes in what has arrived. Returns whether db_take need not wait. */
bool db_has_answer(struct db *db);

/* Waits for the answer. Results and failures as of db_run. */
int db_take(struct db *db, PGresult **results, struct error *err);

/* What to poll db_fd for while the answer is awaited, and until when (CLOCK_MONOTONIC). */
short db_events(const struct db *db);
int64_t db_deadline_ms(const struct db *db);

/* db_run for one call. Returns NULL on failure. */
PGresult *db_call(struct db *db, const char *statement, struct args *args, struct error *err);

/* db_call for a statement whose answer does not matter. */
int db_do(struct db *db, const char *statement, struct args *args, struct error *err);

/* Runs the text of a migration, a function file, or a command that a statement made; several commands in it
 * are one transaction. Like any other it must answer within answer_ms. */
int db_execute(struct db *db, const char *text, struct error *err);

/* Subscribes to a notification channel. */
int db_listen(struct db *db, const char *channel, struct error *err);

/* Takes in what has arrived and returns whether a notification was among it. *told, unless it is NULL: whether
 * one had a payload. */
bool db_notified(struct db *db, bool *told);

/* Counts the connection as broken: it leads to the wrong place. */
void db_give_up(struct db *db);

/* Whether the connection broke; close it and open another. */
bool db_is_lost(const struct db *db);

/* The descriptor to poll for notifications. It changes with the connection. */
int db_fd(const struct db *db);

/* The connection itself, for db/ and for who knows what it does with it (db/gate.h). */
PGconn *db_connection(const struct db *db);

/* Whether the last call of the last run stood apart and failed. */
bool db_is_spoilt(const struct db *db);

/* Whether a commit of the last run was acknowledged though somebody had cancelled its wait for a synchronous standby: it
 * is done, and a failover may forget it. */
bool db_is_unreplicated(const struct db *db);

/* The DETAIL of the last error that the server sent, or "". Valid until the next call. */
const char *db_error_detail(const struct db *db);

#endif
