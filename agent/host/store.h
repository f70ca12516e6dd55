/*
 * The host's connection to the database: opened when a job first wants it, kept, replaced when it breaks.
 * Owned by the main thread; the desk's thread may cancel what runs on it.
 */
#ifndef LOCUM_AGENT_HOST_STORE_H
#define LOCUM_AGENT_HOST_STORE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/wire.h"
#include "db/gate.h"
#include "db/job.h"

struct store;

/* Copies conninfo. NULL when memory ends. */
struct store *store_open(const char *conninfo);
void store_close(struct store *store);

/* Takes the gate of a job (db/gate.h) and lends the connection. Returns 1, 0 when the job was reassigned, or
 * -1; *conn is set with 1 only. An error without SQLSTATE is about the connection, ERROR_FATAL then when it will never be
 * had; any other is the server's refusal. */
int store_take(struct store *store, const struct gate_claim *claim, PGconn **conn,
	       struct error *err);

/* What became of a transaction. */
enum store_end {
	STORE_SETTLED, /* completed and committed */
	STORE_LOST,    /* the job was reassigned; nothing was committed */
	STORE_UNDONE,  /* nothing was committed; err says why */
	STORE_UNKNOWN, /* the connection broke at the commit */
	STORE_MISSING, /* there is no such function; nothing was committed */
	STORE_SPOILT, /* as undone, by what the handler did to the session: with the next one it works */
};

/* Completes the job in the transaction that store_take began, and commits. */
enum store_end store_settle(struct store *store, const struct gate_claim *claim,
			    struct wire_bytes result, struct wire_bytes log, int64_t ran_ms,
			    struct error *err);

/* Rolls back what store_take began. */
void store_undo(struct store *store);

/* Runs a handler that is a function (gate_call). STORE_UNDONE with a lost connection before anything was
 * sent has ERROR_RETRY and no SQLSTATE. */
enum store_end store_call(struct store *store, const struct gate_claim *claim, const char *function,
			  const char *payload, struct error *err);

/* The DETAIL of the last error of the server, or "". */
const char *store_detail(const struct store *store);

/* After STORE_UNKNOWN, on a new connection: 0 with *fate set, or -1 when the database cannot be had yet. */
int store_look_up(struct store *store, const struct gate_claim *claim, struct job_fate *fate,
		  struct error *err);

/* The desk's thread: prepares to cancel what runs now, returning whether there is a connection; then, holding no
 * lock, does it. The connection serves no later job. */
bool store_aim(struct store *store);
void store_fire(struct store *store);

#endif
