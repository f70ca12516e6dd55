#include "tools/chaos/stage_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/chaos/fleet.h"

enum { RUN_MS = 10000, NAME_SIZE = 16, ADDRESS_SIZE = 32, RUNS = 512, EACH = 64, PIECE = 64 };

/* What one dispatcher's network is called: addresses from the range for benchmarks, four to each. */
struct wire {
	char name[NAME_SIZE]; /* of the namespace, and of the device's end here */
	char here[ADDRESS_SIZE];
	char there[ADDRESS_SIZE];
	char net[ADDRESS_SIZE];
};

static void name_wire(struct wire *wire, int place)
{
	unsigned run = (unsigned)getpid() % RUNS;
	unsigned number = (run * EACH + (unsigned)place % EACH) * 4;
	unsigned high = 18 + (number >> 16);
	unsigned middle = number >> 8 & 255;
	unsigned low = number & 255;

	snprintf(wire->name, sizeof(wire->name), "lc%u-d%u", run, (unsigned)place % EACH + 1);
	snprintf(wire->here, sizeof(wire->here), "198.%u.%u.%u", high, middle, low + 1);
	snprintf(wire->there, sizeof(wire->there), "198.%u.%u.%u", high, middle, low + 2);
	snprintf(wire->net, sizeof(wire->net), "198.%u.%u.%u/30", high, middle, low);
}

static int run(struct stage *stage, struct error *err, const char *const *argv)
{
	return undo_run(stage->undo, argv, RUN_MS, err);
}

#define IP(...) run(stage, err, (const char *const[]){ "ip", __VA_ARGS__, NULL })

static int lay(struct stage *stage, const struct wire *wire, struct error *err)
{
	char here[ADDRESS_SIZE + 4];
	char there[ADDRESS_SIZE + 4];

	snprintf(here, sizeof(here), "%s/30", wire->here);
	snprintf(there, sizeof(there), "%s/30", wire->there);
	if (undo_add(stage->undo, UNDO_NAMESPACE, wire->name, err) != 0 ||
	    IP("netns", "add", wire->name) != 0 ||
	    undo_add(stage->undo, UNDO_LINK, wire->name, err) != 0 ||
	    IP("link", "add", wire->name, "type", "veth", "peer", "name", "eth0", "netns",
	       wire->name) != 0 ||
	    IP("addr", "add", here, "dev", wire->name) != 0 ||
	    IP("link", "set", wire->name, "up") != 0)
		return -1;
	if (IP("-n", wire->name, "addr", "add", there, "dev", "eth0") != 0 ||
	    IP("-n", wire->name, "link", "set", "eth0", "up") != 0)
		return -1;
	return IP("-n", wire->name, "link", "set", "lo", "up");
}

int stage_network_make(struct stage *stage, struct error *err)
{
	struct wire wire;

	if (geteuid() != 0)
		return error_set(err, ERROR_FATAL, "only root can make network namespaces");
	if (stage->act->dispatchers > EACH)
		return error_set(err, ERROR_INPUT,
				 "at most %d dispatchers can have networks of their own", EACH);
	for (int i = 0; i < stage->act->dispatchers; i++) {
		name_wire(&wire, i);
		if (lay(stage, &wire, err) != 0)
			return -1;
	}
	return 0;
}

char *stage_network_settings(const struct stage *stage)
{
	size_t size = PIECE + (size_t)stage->act->dispatchers * ADDRESS_SIZE;
	char *text = malloc(size);
	struct wire wire;
	size_t used;

	if (text == NULL)
		return NULL;
	used = (size_t)snprintf(text, size, "listen_addresses = '");
	for (int i = 0; i < stage->act->dispatchers; i++) {
		name_wire(&wire, i);
		used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ",",
					 wire.here);
	}
	snprintf(text + used, size - used, "'\n");
	return text;
}

char *stage_network_access(const struct stage *stage)
{
	size_t size = 1 + (size_t)stage->act->dispatchers * (ADDRESS_SIZE + PIECE);
	char *text = calloc(1, size);
	struct wire wire;
	size_t used = 0;

	if (text == NULL)
		return NULL;
	for (int i = 0; i < stage->act->dispatchers; i++) {
		name_wire(&wire, i);
		used += (size_t)snprintf(text + used, size - used, "host all all %s trust\n",
					 wire.net);
	}
	return text;
}

int stage_network_settle(struct stage *stage, struct error *err)
{
	char conninfo[256];
	struct wire wire;

	for (int i = 0; i < stage->act->dispatchers; i++) {
		name_wire(&wire, i);
		snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=locum",
			 wire.here, STAGE_NETWORK_PORT);
		if (fleet_move(stage->fleet, i, wire.name, conninfo, err) != 0)
			return -1;
	}
	return 0;
}

int stage_network_remove(struct stage *stage, struct error *err)
{
	struct wire wire;
	int status = 0;

	for (int i = 0; i < stage->act->dispatchers; i++) {
		name_wire(&wire, i);
		if (undo_now(stage->undo, UNDO_LINK, wire.name, err) != 0 ||
		    undo_now(stage->undo, UNDO_NAMESPACE, wire.name, err) != 0)
			status = -1;
	}
	return status;
}
