#include "agent/host/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Far longer than any job; how long one may take is for timeouts to say. */
enum { ANSWER_MS = 7 * 24 * 3600 * 1000 };
enum { CANCEL_ERROR_SIZE = 256 };

struct store {
	struct db *db; /* NULL: not connected */
	char *conninfo;
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
static int connect(struct store *store, struct error *err)
{
	struct db_options options = {
		.conninfo = store->conninfo,
		.role = "host",
		.prepared = true,
		.answer_ms = ANSWER_MS,
	};

	/* The first look may find the server's last words, the second one that it has hung up. */
	for (int i = 0; store->db != NULL && i < 2; i++)
		db_notified(store->db);
	if (store->db != NULL && !db_is_lost(store->db) && !is_spent(store))
		return 0;
	drop(store);
	if (db_open(&store->db, &options, err) != 0)
		return -1;
	set_cancel(store, PQgetCancel(db_connection(store->db)));
	return 0;
}

int store_take(struct store *store, const struct gate_claim *claim, PGconn **conn,
	       struct error *err)
{
	int held;

	if (connect(store, err) != 0)
		return -1;
	held = gate_take(store->db, claim, err);
	if (held == 1 && gate_lend(store->db, conn, err) != 0)
		held = -1;
	if (held < 0)
		drop(store);
	return held;
}

static enum store_end end_of(struct store *store, int status, bool undo)
{
	if (status == 1)
		return STORE_SETTLED;
	if (db_is_lost(store->db)) {
		drop(store);
		return STORE_UNKNOWN;
	}
	if (undo && gate_undo(store->db, NULL) != 0)
		drop(store);
	return status == 0 ? STORE_LOST : STORE_UNDONE;
}

enum store_end store_settle(struct store *store, const struct gate_claim *claim,
			    struct wire_bytes result, struct wire_bytes log, int64_t ran_ms,
			    struct error *err)
{
	if (gate_return(store->db, err) != 0) {
		store_undo(store);
		return STORE_UNDONE;
	}
	return end_of(store, gate_settle(store->db, claim, result, log, ran_ms, err), true);
}

void store_undo(struct store *store)
{
	if (gate_undo(store->db, NULL) != 0)
		drop(store);
}

enum store_end store_call(struct store *store, const struct gate_claim *claim, const char *function,
			  const char *payload, struct error *err)
{
	if (connect(store, err) != 0)
		return STORE_UNDONE;
	return end_of(store, gate_call(store->db, claim, function, payload, err), false);
}

const char *store_detail(const struct store *store)
{
	return store->db == NULL ? "" : db_error_detail(store->db);
}

int store_look_up(struct store *store, const struct gate_claim *claim, struct job_fate *fate,
		  struct error *err)
{
	static const struct uuid NO_COMPLETION;

	if (connect(store, err) != 0)
		return -1;
	return completion_lookup(store->db, NO_COMPLETION, &claim->id, &claim->claim_id, 1, fate,
				 err);
}
