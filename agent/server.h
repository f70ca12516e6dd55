/*
 * A server: one process of a service. It takes many jobs at once, its guests, in lines of JSON (base/rpc.h),
 * and is a run of its own in the roster, so that it is ended and cleared away as every process is. Owned by
 * the loop's thread.
 *
 *   starting → ready → leaving → gone
 *
 * starting: initialize is not answered yet. leaving: it gets no more jobs. gone: it is dead, and so is all
 * that it left behind; its guests have ended.
 */
#ifndef LOCUM_AGENT_SERVER_H
#define LOCUM_AGENT_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "agent/roster.h"
#include "agent/run.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/rpc.h"

enum server_state { SERVER_STARTING, SERVER_READY, SERVER_LEAVING, SERVER_GONE };

struct server {
	enum server_state state;
	struct run *run; /* its process; NULL when it is gone */
	struct roster *roster;
	int concurrency; /* of the configuration */
	int credit;      /* most guests at once; 0 until it is ready */
	int guest_count;
	int64_t given;                /* jobs so far */
	struct roster_bucket *guests; /* by the job's id */
	size_t bucket_count;
	struct buffer in;
	size_t scanned; /* bytes of `in` that hold no end of a line */
	struct buffer out;
	bool orders_end; /* descriptor 3 is closed when `out` is written */
	bool pings;
	bool pinged;  /* and not answered */
	bool is_deaf; /* it closed one of its descriptors */
	unsigned handles;
	bool freeing;
	bool blocked; /* its orders wait for room in the pipe */
	int requests; /* that it made, though there is nothing to ask for */
	uv_poll_t orders_poll;
	uv_timer_t stall; /* runs while it reads nothing of what waits */
	uv_timer_t timer; /* for what it has to answer */
	/* What its service wants to know: */
	uint64_t successes; /* jobs that ended with an answer */
	uint64_t stale;     /* messages about no job of its, not told of yet */
	bool crashed;
	int64_t lived_ms;
	char fault[512]; /* how */
};

/* Starts a process of the program and says initialize. agent: the name that it is told. On failure there is
 * nothing: ERROR_RETRY for a shortage, ERROR_INPUT when it cannot be executed. */
int server_start(struct server **server, struct run_shared *shared, struct roster *roster,
		 struct program *program, const char *agent, struct error *err);

/* Whether it can take this job now. */
bool server_can_take(const struct server *server, int64_t job);

/* Gives it a waiting guest. ERROR_INPUT when the payload is no JSON: the guest still waits then. */
int server_give(struct server *server, struct run *guest, struct error *err);

void server_cancel(struct server *server, int64_t job, const char *reason);

/* No more jobs. shutdown, the end of descriptor 3, and SIGKILL after grace_ms. */
void server_leave(struct server *server, enum run_reason reason, int64_t grace_ms);

/* --- for agent/run.c and the agent's turn --------------------------------------------------------- */

/* It wrote something to descriptor 4; it closed that, or 3. */
void server_take(struct server *server, const char *bytes, size_t length);
void server_hung_up(struct server *server);

/* It broke the rules: what it says from now on is not read, and its process is killed. */
void server_fail(struct server *server, const char *fault);

/* Its run is done: ends its guests. The server is gone then, and its run the roster's. */
void server_end(struct server *server);

/* One of its handles is closed: the last one frees it. */
void server_on_closed(uv_handle_t *handle);

/* Frees it once the loop has let go of it. */
void server_free(struct server *server);

#endif
