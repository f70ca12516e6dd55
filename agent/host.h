/*
 * A plugin host: one process that runs the errands it is sent, one after the other, and speaks the socket
 * protocol (base/wire.h) as an agent does to its dispatcher. Its process is a run of its own in the roster, so
 * that it is ended and cleared away as every process is. Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_HOST_H
#define LOCUM_AGENT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/channel.h"
#include "agent/errand.h"
#include "agent/roster.h"
#include "agent/run.h"
#include "agent/slate.h"
#include "base/error.h"
#include "base/wire.h"

struct pool;

enum { HOST_CREDIT_MAX = 512 };

struct host {
	TAILQ_ENTRY(host) link; /* of the pool */
	struct pool *pool;
	struct run *run; /* its process; NULL when it is gone */
	struct channel channel;
	struct slate *slate;
	struct errand_list errands; /* sent to it, in this order */
	size_t count;
	size_t bytes;     /* of payloads */
	uint64_t numbers; /* errands sent so far */
	bool ready;
	bool told;   /* to stop */
	bool opened; /* the channel was */
	bool closed; /* the loop has let go of it */
	bool freeing;
	struct member *last; /* whose outcome came last, or NULL */
	int64_t last_ms;     /* CLOCK_BOOTTIME, when that came */
	int64_t mean_us;     /* that an errand takes, as seen from here */
	int64_t measured_ms; /* CLOCK_BOOTTIME, when it was measured last */
	uint64_t progress;   /* on the slate, at the last look */
	int64_t progress_ms; /* CLOCK_BOOTTIME, when that was new */
	const char *fault;   /* why it is killed, or NULL */
	bool timed_out;      /* so has its running errand */
};

TAILQ_HEAD(host_list, host);

/* Starts a process and greets it. ERROR_RETRY for a shortage, ERROR_INPUT when it cannot be executed. */
int host_start(struct host **host, struct pool *pool, const struct wire_hello *hello,
	       struct error *err);

/* How many more errands it can take now. */
size_t host_room(const struct host *host);

/* Whether its errand has run for so long that others had better not wait behind it. */
bool host_is_held_up(const struct host *host);

/* Sends errands, which are its own then. */
int host_send(struct host *host, struct errand_list *errands, size_t count, struct error *err);

/* Tells it of an errand that is to end. */
void host_cancel(struct host *host, struct errand *errand, enum wire_cancel_reason reason);

/* Calls back what has not begun. */
void host_recall(struct host *host);

/* Looks at its clock: kills it when its errand should have ended, calls back what waits behind a long one. */
void host_look(struct host *host, int64_t now_ms);

/* Once a turn: tells it to stop when its process is being ended, and writes what waits. */
void host_flush(struct host *host);

/* Its run is done: its errands go back to the pool or end. The host is gone then, and its run the roster's. */
void host_end(struct host *host);

/* Frees it once the loop has let go of it. */
void host_free(struct host *host);

#endif
