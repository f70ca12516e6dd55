/* Waiting for a server that may never answer, because a fault stopped it. */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_ANSWER_H
#define LOCUM_TOOLS_CHAOS_STAGE_ANSWER_H

#include <libpq-fe.h>
#include <stdint.h>

/* The last result of what was sent, or the first that failed, the caller's to PQclear. NULL when it did not come within
 * that time, or the connection broke: the connection is of no use then. */
PGresult *answer_await(PGconn *conn, int64_t timeout_ms);

#endif
