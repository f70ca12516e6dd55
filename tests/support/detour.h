/* A fault proxy (tools/chaos/relay/relay.h) before the server of a test, with a folder of its own for its socket. */
#ifndef LOCUM_TESTS_SUPPORT_DETOUR_H
#define LOCUM_TESTS_SUPPORT_DETOUR_H

#include <libpq-fe.h>

#include "tools/chaos/relay/relay.h"

struct detour {
	struct relay *relay; /* NULL: closed */
	char folder[64];     /* of its socket: its "host"; the port is 5432 */
};

/* Everything passes. */
extern const struct relay_rule DETOUR_PASS;

/* Opens it before the server that this connection leads to. */
void detour_open(struct detour *detour, const PGconn *server);
void detour_close(struct detour *detour);

/* Waits until the present rule has done its harm so often. */
void detour_await(struct detour *detour, int64_t hits);

#endif
