#include "tools/chaos/stage/answer.h"

#include <poll.h>
#include <stdbool.h>

#include "base/clock.h"

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* Whether PQgetResult need not wait. */
static bool is_there(PGconn *conn, int64_t deadline_ms)
{
	while (PQisBusy(conn)) {
		struct pollfd socket = { .fd = PQsocket(conn), .events = POLLIN };
		int64_t left = deadline_ms - clock_monotonic_ms();

		if (left <= 0)
			return false;
		if (poll(&socket, 1, (int)left) > 0 && PQconsumeInput(conn) == 0)
			return false;
	}
	return true;
}

PGresult *answer_await(PGconn *conn, int64_t timeout_ms)
{
	const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	PGresult *last = NULL;
	PGresult *next;

	while (is_there(conn, deadline_ms)) {
		next = PQgetResult(conn);
		if (next == NULL)
			return last;
		if (last != NULL && !is_good(last)) {
			PQclear(next);
			continue;
		}
		PQclear(last);
		last = next;
	}
	PQclear(last);
	return NULL;
}
