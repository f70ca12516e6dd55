#include "agent/pools.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/order.h"
#include "agent/pool.h"
#include "agent/pool_give.h"
#include "base/clock.h"

bool pools_serve(const struct program *program)
{
	return program->handler->kind == HANDLER_PLUGIN || program->handler->kind == HANDLER_SQL;
}

/* The host stands beside the agent. */
static char *find_host(void)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *path;

	if (length < 0)
		return NULL;
	self[length] = '\0';
	return asprintf(&path, "%s/locum-host", dirname(self)) < 0 ? NULL : path;
}

static struct pool *find_pool(struct agent *agent, const struct program *program)
{
	struct pool *pool = agent->pools;

	while (pool != NULL && (pool->retired || !pool_fits(&pool->handler, program->handler)))
		pool = pool->next;
	return pool;
}

static bool is_member(const struct pool *pool, const struct program *program)
{
	for (size_t i = 0; i < pool->member_count; i++) {
		if (pool->members[i].program == program)
			return true;
	}
	return false;
}

static struct pool *make_pool(struct agent *agent, const struct program *program, struct error *err)
{
	struct pool *pool = pool_open(&agent->pool_shared, program->handler, agent->program_count,
				      err);

	if (pool == NULL)
		return NULL;
	pool->next = agent->pools;
	agent->pools = pool;
	return pool;
}

static int add(struct agent *agent, struct program *program, struct error *err)
{
	struct pool *pool = find_pool(agent, program);
	struct error why = { .kind = ERROR_NONE };

	if (pool == NULL)
		pool = make_pool(agent, program, err);
	if (pool == NULL)
		return -1;
	if (is_member(pool, program))
		return 0;
	/* The texts of the first are borrowed: it is a member even if its host cannot be executed. */
	pool_add(pool, program);
	if (!pool->program->resolved)
		program_resolve(pool->program, &why);
	if (pool->program->broken)
		order_break(agent, program,
			    why.kind == ERROR_NONE ? "its plugin host cannot be executed"
						   : why.text);
	return 0;
}

int pools_open(struct agent *agent, struct error *err)
{
	agent->pool_shared = (struct pool_shared){
		.run = &agent->shared,
		.roster = &agent->roster,
		.out = &agent->channel.out,
		.hello = &agent->hello,
		.program = find_host(),
	};
	if (agent->pool_shared.program == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for the plugin hosts");
	return 0;
}

/* Whether its members are still all those that fit it: its hosts know no others. */
static bool is_right(const struct agent *agent, const struct pool *pool)
{
	for (size_t i = 0; i < pool->member_count; i++) {
		if (pool->members[i].program->retired)
			return false;
	}
	for (size_t i = 0; i < agent->program_count; i++) {
		const struct program *program = agent->programs[i];

		if (pools_serve(program) && !program->broken &&
		    pool_fits(&pool->handler, program->handler) && !is_member(pool, program))
			return false;
	}
	return true;
}

int pools_change(struct agent *agent, struct error *err)
{
	for (struct pool *pool = agent->pools; pool != NULL; pool = pool->next) {
		if (!pool->retired && !is_right(agent, pool))
			pool_retire(pool, "released: a handler of its plugin host was changed");
	}
	for (size_t i = 0; i < agent->program_count; i++) {
		struct program *program = agent->programs[i];

		if (pools_serve(program) && !program->broken && add(agent, program, err) != 0)
			return -1;
	}
	return 0;
}

void pools_close(struct agent *agent)
{
	struct pool *pool;

	while ((pool = agent->pools) != NULL) {
		agent->pools = pool->next;
		pool_close(pool);
	}
}

int pools_take(struct agent *agent, const struct program *program, const struct wire_job *job,
	       struct error *err)
{
	return pool_take(find_pool(agent, program), program, job, err);
}

bool pools_cancel(struct agent *agent, const struct wire_cancel *cancel)
{
	bool found = false;

	for (struct pool *pool = agent->pools; pool != NULL && !found; pool = pool->next)
		found = pool_cancel(pool, cancel);
	return found;
}

size_t pools_busy(const struct agent *agent)
{
	size_t busy = 0;

	for (const struct pool *pool = agent->pools; pool != NULL; pool = pool->next)
		busy += pool_busy(pool);
	return busy;
}

size_t pools_waiting(const struct agent *agent)
{
	size_t waiting = 0;

	for (const struct pool *pool = agent->pools; pool != NULL; pool = pool->next)
		waiting += pool->waiting_count;
	return waiting;
}

size_t pools_waiting_bytes(const struct agent *agent)
{
	size_t bytes = 0;

	for (const struct pool *pool = agent->pools; pool != NULL; pool = pool->next)
		bytes += pool->waiting_bytes;
	return bytes;
}

static void tell(struct agent *agent, struct pool *pool, struct member *member, int64_t now_ms)
{
	if (member->broke) {
		member->broke = false;
		order_break(agent, member->program, member->reason);
		pool_release(pool, member, member->reason);
	} else if (member->breaker.open && now_ms >= member->breaker.due_ms &&
		   agent->state == AGENT_SERVING && breaker_ready(&member->breaker)) {
		order_mend(agent, member->program);
	}
}

static bool has_open_breaker(const struct member *member)
{
	return member->broke || member->breaker.open;
}

/* Gives a pool the slots that processes and other pools have left. */
static void give(struct agent *agent, struct pool *pool)
{
	size_t others = roster_busy(&agent->roster) + pools_busy(agent) - pool_busy(pool);

	pool_give(pool, agent->hello.slots > others ? agent->hello.slots - others : 0);
}

static void turn(struct agent *agent, struct pool *pool, bool may_start)
{
	for (size_t i = 0; i < pool->member_count; i++)
		if (has_open_breaker(&pool->members[i]))
			tell(agent, pool, &pool->members[i], clock_monotonic_ms());
	if (may_start)
		give(agent, pool);
}

int pools_turn(struct agent *agent, bool may_start)
{
	struct pool **link = &agent->pools;
	struct pool *pool;
	int status = 0;

	while ((pool = *link) != NULL) {
		bool is_over = pool->retired && pool_wind_up(pool);

		if (!pool->retired)
			turn(agent, pool, may_start);
		pool_flush(pool);
		if (pool->failed)
			status = -1;
		if (is_over) {
			*link = pool->next;
			pool_close(pool);
		} else {
			link = &pool->next;
		}
	}
	return status;
}

void pools_recall(struct agent *agent, const char *why)
{
	for (struct pool *pool = agent->pools; pool != NULL; pool = pool->next)
		pool_recall(pool, why);
}

void pools_stop(struct agent *agent)
{
	static const char WHY[] = "released: the agent is stopping";

	for (struct pool *pool = agent->pools; pool != NULL; pool = pool->next) {
		pool->releases = WHY;
		pool->is_mute = agent->state >= AGENT_ENDING;
		pool_release(pool, NULL, WHY);
	}
}
