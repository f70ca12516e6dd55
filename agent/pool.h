/*
 * A pool: the plugin hosts for handlers that may share a process, because they have the same user, limits,
 * environment and fence; and the errands that wait for them. Owned by the loop's thread.
 *
 * There are as many hosts as processors while errands are short. While each of them is held up by a long one,
 * more are started, up to the agent's slots.
 */
#ifndef LOCUM_AGENT_POOL_H
#define LOCUM_AGENT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/breaker.h"
#include "agent/errand.h"
#include "agent/host.h"
#include "agent/program.h"
#include "agent/roster.h"
#include "agent/run.h"
#include "base/buffer.h"
#include "base/wire.h"

/* A handler of the pool. */
struct member {
	struct program *program;
	struct breaker breaker;
	bool suspect;     /* a host died by it; until one of its jobs ends well it shares no host */
	bool on_trial;    /* such a job is with a host */
	bool broke;       /* its breaker opened in this turn */
	char reason[512]; /* why */
};

/* What all pools of an agent share. */
struct pool_shared {
	struct run_shared *run;
	struct roster *roster;
	struct buffer *out; /* frames to the dispatcher */
	const struct wire_hello *hello;
	char *program; /* the path of locum-host */
};

struct pool {
	struct pool *next; /* of the agent */
	const struct pool_shared *shared;
	struct handler
		handler; /* what runs: locum-host as the members want it; borrows from the first */
	char *argv[2];
	struct program *program;
	struct member *members;
	size_t member_count;
	struct errand_list waiting;
	size_t waiting_count;
	size_t waiting_bytes;
	struct host_list hosts;
	size_t host_count;
	size_t most_hosts;   /* while no errand is long */
	struct breaker pace; /* of starts, after deaths that are no handler's fault */
	uv_timer_t tick;
	bool retired;         /* its hosts end with what they run */
	const char *releases; /* why what comes back is handed to the dispatcher; NULL: it is not */
	bool is_mute;         /* nobody listens any more: nothing is reported */
	bool failed;          /* memory ended: the agent cannot go on */
};

/* Whether two handlers may share a process. */
bool pool_fits(const struct handler *a, const struct handler *b);

/* An empty pool for at most `room` handlers that fit this one, whose texts it borrows until it is freed. NULL when
 * memory ends. */
struct pool *pool_open(const struct pool_shared *shared, const struct handler *handler, size_t room,
		       struct error *err);

/* Frees it once the loop has let go of it. */
void pool_close(struct pool *pool);

void pool_add(struct pool *pool, struct program *program);

/* Lets a job of this program wait for a host. */
int pool_take(struct pool *pool, const struct program *program, const struct wire_job *job,
	      struct error *err);

/* The errand of this claim that waits or is with a host is to end. Returns whether there is one. */
bool pool_cancel(struct pool *pool, const struct wire_cancel *cancel);

/* How many hosts have something to do. */
size_t pool_busy(const struct pool *pool);

/* Writes to the hosts. */
void pool_flush(struct pool *pool);

/* Hands back what waits, of one member or (NULL) of all, for this reason. */
void pool_release(struct pool *pool, const struct member *member, const char *why);

/* Drops what waits and was claimed in a former life of the dispatcher. */
void pool_drop_former(struct pool *pool);

/* Hands back all that has not begun, now and from now on, for this reason. */
void pool_recall(struct pool *pool, const char *why);

/* The same, and its hosts end with what they run: pool_wind_up, once a turn, sees to it and returns whether none is
 * left. */
void pool_retire(struct pool *pool, const char *why);
bool pool_wind_up(struct pool *pool);

/* --- for agent/pool_give.c -------------------------------------------------------------------------- */

/* An errand that waits waits no more. */
void pool_take_out(struct pool *pool, struct errand *errand);

/* --- for agent/host.c ------------------------------------------------------------------------------- */

/* Reports the end of an errand, and frees it. */
void pool_report(struct pool *pool, struct errand *errand, const struct wire_outcome *outcome);

/* An errand that has not begun waits again, before all others, unless it is of a former life. */
void pool_return(struct pool *pool, struct errand *errand);

/* A host died lived_ms after its start for this reason: by this member's errand, or (NULL) before it could run any, so
 * that all members are affected. */
void pool_crash(struct pool *pool, struct member *member, int64_t lived_ms, const char *reason);

/* A host died by no errand: only the next start may have to wait. */
void pool_pace(struct pool *pool, int64_t lived_ms, const char *reason);

/* A handler cannot be executed here. */
void pool_break(struct pool *pool, const struct wire_broken *broken);

#endif
