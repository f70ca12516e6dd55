/*
 * The desk: a thread that keeps the socket to the agent, so that a job that runs long or for ever delays
 * nothing but those behind it. Jobs come in, are handed to the main thread one by one, and go out as
 * outcomes, as many in a frame as ended meanwhile.
 */
#ifndef LOCUM_AGENT_HOST_DESK_H
#define LOCUM_AGENT_HOST_DESK_H

#include "agent/host/locum_job.h"
#include "agent/host/store.h"
#include "agent/slate.h"
#include "base/wire.h"

struct desk;

/* Takes the socket and waits for HELLO. Fills *hello, the caller's. */
int desk_open(struct desk **desk, int socket_fd, struct slate *slate, struct wire_hello *hello,
	      struct error *err);

/* Says READY and starts the thread, with all signals blocked. Borrows the store. */
int desk_start(struct desk *desk, struct store *store, struct error *err);

/* Main thread: gives back the job that has ended (NULL: none), and waits for the next one, which has begun
 * when it is returned. NULL: the host is to end. */
struct locum_job *desk_next(struct desk *desk, struct locum_job *ended);

/* Main thread: a handler cannot be executed here. */
void desk_break(struct desk *desk, struct wire_bytes handler, const char *reason);

/* Main thread: nothing more begins, what waits is handed back; the agent starts another host. */
void desk_retire(struct desk *desk);

/* Main thread: pauses, for at most so long. Returns false when the running job is to end. */
bool desk_pause(struct desk *desk, int64_t ms);

/* Waits until all is sent, and ends the thread. */
void desk_close(struct desk *desk);

#endif
