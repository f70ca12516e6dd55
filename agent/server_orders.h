/* Descriptor 3 of a server: its orders, from server->out into the pipe. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_SERVER_ORDERS_H
#define LOCUM_AGENT_SERVER_ORDERS_H

#include "agent/server.h"
#include "base/error.h"

/* Watches the pipe: its end is told at once. */
int server_orders_open(struct server *server, struct error *err);

/* Writes what waits, as far as the pipe takes it. */
void server_orders_flush(struct server *server);

void server_orders_close(struct server *server);

#endif
