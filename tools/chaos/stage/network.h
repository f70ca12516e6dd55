/*
 * The network of a stage: a router in a namespace of its own stands between the machine, where the server listens, and a
 * namespace for each dispatcher. All harm is done in the router and to the wires, so that both ends see a
 * network that does badly and nothing of why; no rule touches the machine's own network. Needs root, `ip`, `nft`, `tc`.
 * Everything is in the ledger of what has to be undone. One thread.
 */
#ifndef LOCUM_TOOLS_CHAOS_STAGE_NETWORK_H
#define LOCUM_TOOLS_CHAOS_STAGE_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/chaos/undo/undo.h"

struct network;

enum network_way {
	NETWORK_REQUESTS = 1, /* what a dispatcher sends */
	NETWORK_ANSWERS = 2,  /* what it is sent */
	NETWORK_BOTH = NETWORK_REQUESTS | NETWORK_ANSWERS,
};

/* 0 when this machine can do it; else the reason. */
int network_possible(struct error *err);

/* Makes namespaces for `size` dispatchers; `scratch` is a folder for what the tools say. NULL on error. */
struct network *network_open(struct undo *undo, const char *scratch, int size, struct error *err);

/* Takes it away. What runs in its namespaces ends. NULL is fine. */
void network_close(struct network *network);

/* Where the server listens, and the network, with its width, that all come from. */
const char *network_server(const struct network *network);
const char *network_range(const struct network *network);

/* The namespace of a dispatcher, by its place from 0. Owned by the network. */
const char *network_namespace(const struct network *network, int place);

/* Drops what goes these ways, in silence; and no more. Saying it twice is no error. */
int network_drop(struct network *network, int place, unsigned ways, struct error *err);
int network_pass(struct network *network, int place, struct error *err);

/* How many packets of its were dropped since it was last passed. */
int network_dropped(struct network *network, int place, int64_t *packets, struct error *err);

/* Narrows its wire to so many kilobits a second in each direction; 0: as wide as it is. */
int network_narrow(struct network *network, int place, int kbit, struct error *err);

/* How often a packet of its had to wait since its wire was narrowed. */
int network_waited(struct network *network, int place, int64_t *times, struct error *err);

#endif
