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
	const struct pool_shared *shared;
	struct handler
		handler; /* what runs: locum-host as the members want it; borrows from the first */
	char *argv[2];
	struct program program;
	struct member *members;
	size_t member_count;
	struct errand_list waiting;
	size_t waiting_count;
	size_t waiting_bytes;
	struct host_list hosts;
	size_t host_count;
	size_t most_hosts; /* while no errand is long */
	uv_timer_t tick;
	bool releases; /* what comes back is handed to the dispatcher */
	bool is_mute;  /* nobody listens any more: nothing is reported */
	bool failed;   /* memory ended: the agent cannot go on */
};

/* Whether two handlers may share a process. */
bool pool_fits(const struct handler *a, const struct handler *b);

/* An empty pool for handlers that fit this one. Its program may be broken (pool->program.broken, with *err). -1
 * when memory ends. */
int pool_open(struct pool *pool, const struct pool_shared *shared, const struct handler *handler,
	      struct error *err);
void pool_close(struct pool *pool);

void pool_add(struct pool *pool, struct program *program);

/* Lets a job of this program wait for a host. */
int pool_take(struct pool *pool, const struct program *program, const struct wire_job *job,
	      struct error *err);

/* The errand of this claim that waits or is with a host is to end. Returns whether there is one. */
bool pool_cancel(struct pool *pool, const struct wire_cancel *cancel);

/* Gives errands to hosts, and starts hosts, while fewer than `slots` are busy. Returns how many are busy. */
size_t pool_give(struct pool *pool, size_t slots);
size_t pool_busy(const struct pool *pool);

/* Writes to the hosts. */
void pool_flush(struct pool *pool);

/* Hands back what waits, of one member or (NULL) of all, for this reason. */
void pool_release(struct pool *pool, const struct member *member, const char *why);

/* --- for agent/host.c ------------------------------------------------------------------------------- */

/* Reports the end of an errand, and frees it. */
void pool_report(struct pool *pool, struct errand *errand, const struct wire_outcome *outcome);

/* An errand that has not begun waits again, before all others. */
void pool_return(struct pool *pool, struct errand *errand);

/* A host died lived_ms after its start; of this member's errand (NULL: of none) for this reason. */
void pool_crash(struct pool *pool, struct member *member, int64_t lived_ms, const char *reason);

/* A handler cannot be executed here. */
void pool_break(struct pool *pool, const struct wire_broken *broken);

#endif
