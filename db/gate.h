/*
 * The transaction that a job's effects share with its completion: it begins with the gate, a lock on the
 * job's row that is only had while the claim is still the latest. Nobody can reclaim, cancel or complete
 * the job until it ends.
 */
#ifndef LOCUM_DB_GATE_H
#define LOCUM_DB_GATE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "db/db.h"

struct gate_claim {
	int64_t id;
	struct uuid claim_id;
	int64_t timeout_ms; /* of each statement in the transaction; 0: none */
};

/* Begins a transaction, whose id goes to *transaction, and takes the gate. Returns 1 when it is held, 0 when the job was
 * reassigned, -1; only after 1 is a transaction open. */
int gate_take(struct db *db, const struct gate_claim *claim, int64_t *transaction,
	      struct error *err);

/* Hands the connection out as libpq's own users know it: blocking, outside of pipeline mode. */
int gate_lend(struct db *db, PGconn **conn, struct error *err);

/* Takes it back for gate_settle. -1 when it is not as it was lent: for ERROR_INPUT the text says what was done
 * to it. */
int gate_return(struct db *db, struct error *err);

/* Completes the job with its result and its log (absent: null) if this is still the transaction that gate_take began, and
 * commits; what the handler left in the session goes. Returns 1, or 0 when the job was reassigned. After -1 the
 * transaction is to be undone; when db_is_lost it is unknown what became of it. */
int gate_settle(struct db *db, const struct gate_claim *claim, int64_t transaction,
		struct wire_bytes result, struct wire_bytes log, int64_t ran_ms, struct error *err);

/* Rolls back, whether the connection was taken back or not, and rids the session of what the handler left. -1: close
 * it. */
int gate_undo(struct db *db, struct error *err);

enum gate_call { GATE_CALL_SETTLED, GATE_CALL_LOST, GATE_CALL_MISSING };

/* All of it in one round trip for a handler that is a function of the database: gate, call, completion, commit, and
 * ridding the session of what is left. Sets *end: the last one means that there is no such function. After -1 nothing
 * was committed; when db_is_lost that is unknown. */
int gate_call(struct db *db, const struct gate_claim *claim, const char *function,
	      const char *payload, enum gate_call *end, struct error *err);

/* Ends the connections that hold the gates of these claims, whose runs are over: their hosts are gone, and the server has
 * not noticed. Returns how many it ended, or -1. */
int gate_end(struct db *db, struct uuid incarnation, const int64_t *ids,
	     const struct uuid *claim_ids, size_t count, struct error *err);

#endif
