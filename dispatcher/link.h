/* The dispatcher's end of the socket to one agent. Owned by the pump's thread. */
#ifndef LOCUM_DISPATCHER_LINK_H
#define LOCUM_DISPATCHER_LINK_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/wire.h"

struct link {
	int fd;        /* -1: no agent */
	int awaited;   /* HELLO and RELOADs that it has not answered by READY */
	bool greeted;  /* it has answered HELLO */
	bool stopping; /* it was told to stop */
	struct buffer in;
	struct buffer out; /* frames that wait to be written */
};

void link_init(struct link *link);

/* Whether it takes jobs: it has answered all that it was told about them. */
bool link_is_ready(const struct link *link);

/* Takes over a connected non-blocking socket. */
void link_open(struct link *link, int fd);
void link_close(struct link *link);

/* Writes what the socket takes. -1 with ERROR_RETRY when the agent is gone. */
int link_flush(struct link *link, struct error *err);

/* Reads what has arrived. Returns 1 when more may follow at once, 0 when not, -1 when the agent is gone;
 * frames that came before its end are in `in` all the same. */
int link_fill(struct link *link, struct error *err);

#endif
