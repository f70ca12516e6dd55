#include "agent/host/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/probe.h"
#include "db/hosts.h"

/* Far longer than any job; how long one may take is for timeouts to say. */
enum { ANSWER_MS = 7 * 24 * 3600 * 1000 };
enum { CANCEL_ERROR_SIZE = 256 };

struct store {
	struct db *db; /* NULL: not connected */
	struct hosts_memory memory;
	char *conninfo;
	char detail[512];     /* of the last error of a function */
	int64_t transaction;  /* that is lent */
	bool unprepared;      /* handlers here take prepared statements away */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t fired;
	PGcancel *cancel; /* of db's connection, or NULL */
	bool aimed;       /* the desk is about to use it */
	bool spent;       /* the desk has used it: what it hits is not known */
};

struct store *store_open(const char *conninfo)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->memory = (struct hosts_memory)HOSTS_MEMORY_INIT;
	store->conninfo = strdup(conninfo);
	if (store->conninfo == NULL) {
		free(store);
		return NULL;
	}
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->fired, NULL);
	return store;
}

static void set_cancel(struct store *store, PGcancel *cancel)
{
	PGcancel *former;

	pthread_mutex_lock(&store->lock);
	while (store->aimed)
		pthread_cond_wait(&store->fired, &store->lock);
	former = store->cancel;
	store->cancel = cancel;
	store->spent = false;
	pthread_mutex_unlock(&store->lock);
	PQfreeCancel(former);
}

/* Closes the connection once no cancellation of the desk's is on its way. */
static void drop(struct store *store)
{
	set_cancel(store, NULL);
	db_close(store->db);
	store->db = NULL;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	drop(store);
	pthread_cond_destroy(&store->fired);
	pthread_mutex_destroy(&store->lock);
	free(store->conninfo);
	free(store);
}

bool store_aim(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->aimed = store->cancel != NULL;
	store->spent |= store->aimed;
	pthread_mutex_unlock(&store->lock);
	return store->aimed;
}

void store_fire(struct store *store)
{
	char reason[CANCEL_ERROR_SIZE];

	/* Whoever does not hear of it is killed when the grace is over. */
	PQcancel(store->cancel, reason, sizeof(reason));
	pthread_mutex_lock(&store->lock);
	store->aimed = false;
	pthread_cond_signal(&store->fired);
	pthread_mutex_unlock(&store->lock);
}

static bool is_spent(struct store *store)
{
	bool spent;

	pthread_mutex_lock(&store->lock);
	spent = store->spent;
	pthread_mutex_unlock(&store->lock);
	return spent;
}

/* A connection that broke while it was not in use is replaced before it is used, and so is one on which something was
 * cancelled: the server may hear of that only when another statement runs. */
static int connect(struct store *store, bool *fresh, struct error *err)
{
	struct db_options options = {
		.conninfo = store->conninfo,
		.role = "host",
		.prepared = !store->unprepared,
		.wary = true,
		.answer_ms = ANSWER_MS,
		.memory = &store->memory,
	};

	/* The first look may find the server's last words, the second one that it has hung up. */
	for (int i = 0; store->db != NULL && i < 2; i++)
		db_notified(store->db, NULL);
	*fresh = store->db == NULL || db_is_lost(store->db) || is_spent(store);
	if (!*fresh)
		return 0;
	drop(store);
	if (db_open(&store->db, &options, err) != 0)
		return -1;
	set_cancel(store, PQgetCancel(db_connection(store->db)));
	return 0;
}

/* Whether the host's own statements found the session other than they left it: read-only, or without its prepared
 * statements. */
static bool is_meddled(const struct error *err)
{
	static const char *const STATES[] = { "25006", "26000", "42P05" };

	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (strcmp(err->sqlstate, STATES[i]) == 0)
			return true;
	return false;
}

static int take(struct store *store, const struct gate_claim *claim, PGconn **conn,
		struct error *err)
{
	int held = gate_take(store->db, claim, &store->transaction, err);

	if (held == 1 && gate_lend(store->db, conn, err) != 0)
		held = -1;
	if (held == 1)
		PROBE(gate_taken);
	if (held >= 0)
		return held;
	if (db_is_lost(store->db)) /* what the server said last is about the connection */
		err->sqlstate[0] = '\0';
	drop(store);
	return -1;
}

int store_take(struct store *store, const struct gate_claim *claim, PGconn **conn,
	       struct error *err)
{
	bool fresh;
	int held;

	do {
		if (connect(store, &fresh, err) != 0)
			return -1;
		held = take(store, claim, conn, err);
	} while (held < 0 && !fresh && is_meddled(err));
	return held;
}

/* What follows from the end of a transaction for the connection, which the handler may have left in any state. */
static enum store_end close_transaction(struct store *store, enum store_end end)
{
	if (db_is_lost(store->db)) {
		drop(store);
		return end == STORE_UNDONE ? STORE_UNKNOWN : end;
	}
	if (db_is_spoilt(store->db))
		drop(store);
	return end;
}

static enum store_end end_of_settling(struct store *store, int status, const struct error *err)
{
	if (status == 1)
		return STORE_SETTLED;
	if (status == 0)
		return STORE_LOST;
	if (store->unprepared || !is_meddled(err) || strcmp(err->sqlstate, "25006") == 0)
		return STORE_UNDONE;
	store->unprepared = true;
	return STORE_SPOILT;
}

/* After a failure the transaction is still open: the call that stands apart fails in it, and the connection goes. */
enum store_end store_settle(struct store *store, const struct gate_claim *claim,
			    struct wire_bytes result, struct wire_bytes log, int64_t ran_ms,
			    struct error *err)
{
	int status;

	if (gate_return(store->db, err) != 0) {
		store_undo(store);
		return STORE_UNDONE;
	}
	PROBE(settling);
	status = gate_settle(store->db, claim, store->transaction, result, log, ran_ms, err);
	if (status == 1)
		PROBE(settled);
	return close_transaction(store, end_of_settling(store, status, err));
}

void store_undo(struct store *store)
{
	if (gate_undo(store->db, NULL) != 0 || db_is_spoilt(store->db))
		drop(store);
}

static enum store_end call(struct store *store, const struct gate_claim *claim,
			   const char *function, const char *payload, struct error *err)
{
	enum gate_call end;

	if (gate_call(store->db, claim, function, payload, &end, err) != 0)
		return STORE_UNDONE;
	switch (end) {
	case GATE_CALL_SETTLED:
		break;
	case GATE_CALL_LOST:
		return STORE_LOST;
	case GATE_CALL_MISSING:
		return STORE_MISSING;
	}
	return STORE_SETTLED;
}

enum store_end store_call(struct store *store, const struct gate_claim *claim, const char *function,
			  const char *payload, struct error *err)
{
	enum store_end end;
	bool fresh;
	bool again;

	do {
		if (connect(store, &fresh, err) != 0)
			return STORE_UNDONE;
		end = call(store, claim, function, payload, err);
		again = end == STORE_UNDONE && !fresh && is_meddled(err);
		snprintf(store->detail, sizeof(store->detail), "%s", db_error_detail(store->db));
		end = close_transaction(store, end);
		if (again)
			drop(store);
	} while (again);
	return end;
}

const char *store_detail(const struct store *store)
{
	return store->detail;
}

int store_look_up(struct store *store, const struct gate_claim *claim, struct job_fate *fate,
		  struct error *err)
{
	static const struct uuid NO_COMPLETION;
	bool fresh;

	if (connect(store, &fresh, err) != 0)
		return -1;
	return completion_lookup(store->db, NO_COMPLETION, &claim->id, &claim->claim_id, 1, fate,
				 err);
}
