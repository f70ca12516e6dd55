/* Completion by compare-and-swap, and what to make of its answer. */
#ifndef LOCUM_DISPATCHER_COMPLETER_H
#define LOCUM_DISPATCHER_COMPLETER_H

#include "dispatcher/pump_state.h"

/* Fills the call that completes the batch and drops confirmed receipts. */
void completer_call(struct pump *pump, const struct outbox_batch *batch,
		    const struct uuid *confirmed, size_t confirmed_count, struct db_call *call);

/* The transaction with that call was committed: settles what was accepted, and finds out about the rest by way
 * of the connection. If that is lost, the batch is to be sent again. */
void completer_take(struct pump *pump, struct connection *connection, struct outbox_batch *batch,
		    const PGresult *rows);

/* That transaction is in the server, and nobody knows whether in its standby: rows are of the completion in it, or NULL.
 * What was accepted so is done here, and sending it again would only find that; a failover that forgets it is told
 * then. */
void completer_say_unreplicated(struct pump *pump, const PGresult *rows);

/* The server refused a value of the batch; nothing was stored. */
void completer_refused(struct pump *pump, struct connection *connection, struct outbox_batch *batch,
		       struct error *err);

/* Drops receipts in the database that nobody needs any more, when that is due. */
void completer_confirm(struct pump *pump, int64_t now_ms);

#endif
