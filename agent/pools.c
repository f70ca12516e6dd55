#include "agent/pools.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/order.h"
#include "agent/pool.h"
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
	for (size_t i = 0; i < agent->pool_count; i++) {
		if (pool_fits(&agent->pools[i].handler, program->handler))
			return &agent->pools[i];
	}
	return NULL;
}

static int add(struct agent *agent, struct program *program, struct error *err)
{
	struct pool *pool = find_pool(agent, program);
	struct error why = { .kind = ERROR_NONE };

	if (pool == NULL) {
		pool = &agent->pools[agent->pool_count];
		if (pool_open(pool, &agent->pool_shared, program->handler, &why) != 0) {
			*err = why;
			return -1;
		}
		agent->pool_count++;
	}
	if (pool->program.broken)
		order_break(agent, program, why.text);
	else
		pool_add(pool, program);
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
	agent->pools = calloc((size_t)agent->hello.handler_count + 1, sizeof(struct pool));
	if (agent->pools == NULL || agent->pool_shared.program == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for the plugin hosts");
	for (uint32_t i = 0; i < agent->hello.handler_count; i++) {
		struct program *program = &agent->programs[i];

		if (pools_serve(program) && !program->broken && add(agent, program, err) != 0)
			return -1;
	}
	return 0;
}

void pools_close(struct agent *agent)
{
	for (size_t i = 0; i < agent->pool_count; i++)
		pool_close(&agent->pools[i]);
}

int pools_take(struct agent *agent, const struct program *program, const struct wire_job *job,
	       struct error *err)
{
	return pool_take(find_pool(agent, program), program, job, err);
}

bool pools_cancel(struct agent *agent, const struct wire_cancel *cancel)
{
	bool found = false;

	for (size_t i = 0; i < agent->pool_count && !found; i++)
		found = pool_cancel(&agent->pools[i], cancel);
	return found;
}

size_t pools_busy(const struct agent *agent)
{
	size_t busy = 0;

	for (size_t i = 0; i < agent->pool_count; i++)
		busy += pool_busy(&agent->pools[i]);
	return busy;
}

size_t pools_waiting(const struct agent *agent)
{
	size_t waiting = 0;

	for (size_t i = 0; i < agent->pool_count; i++)
		waiting += agent->pools[i].waiting_count;
	return waiting;
}

size_t pools_waiting_bytes(const struct agent *agent)
{
	size_t bytes = 0;

	for (size_t i = 0; i < agent->pool_count; i++)
		bytes += agent->pools[i].waiting_bytes;
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

/* Gives each pool the slots that processes and the pools before it have left. */
int pools_turn(struct agent *agent, bool may_start)
{
	size_t taken = roster_busy(&agent->roster) + pools_busy(agent);
	int status = 0;

	for (size_t i = 0; i < agent->pool_count; i++) {
		struct pool *pool = &agent->pools[i];

		for (size_t m = 0; m < pool->member_count; m++)
			if (has_open_breaker(&pool->members[m]))
				tell(agent, pool, &pool->members[m], clock_monotonic_ms());
		if (may_start) {
			size_t others = taken - pool_busy(pool);
			size_t slots = agent->hello.slots > others ? agent->hello.slots - others
								   : 0;

			taken = others + pool_give(pool, slots);
		}
		pool_flush(pool);
		if (pool->failed)
			status = -1;
	}
	return status;
}

void pools_stop(struct agent *agent)
{
	for (size_t i = 0; i < agent->pool_count; i++) {
		agent->pools[i].releases = true;
		agent->pools[i].is_mute = agent->state >= AGENT_ENDING;
		pool_release(&agent->pools[i], NULL, "released: the agent is stopping");
	}
}
