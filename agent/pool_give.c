#include "agent/pool_give.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* One turn of giving. */
struct giving {
	struct pool *pool;
	size_t slots;
	size_t busy;
	int64_t now_ms;
	const struct host *reserved; /* gets nothing more, so that it is soon free for a suspect */
};

/* --- what is next ------------------------------------------------------------------------------ */

static bool is_ready(const struct giving *giving, const struct member *member)
{
	return giving->now_ms >= member->breaker.due_ms && !member->on_trial;
}

/* The first errand from this one on that may run now; one of a suspect only if that is asked for. */
static struct errand *find_ready(const struct giving *giving, struct errand *from, bool suspects)
{
	struct errand *errand = from;

	while (errand != NULL &&
	       (!is_ready(giving, errand->member) || (errand->member->suspect && !suspects)))
		errand = TAILQ_NEXT(errand, link);
	return errand;
}

/* --- who gets it ------------------------------------------------------------------------------- */

/* The host with the least to do that has room; idle ones only while there is a slot. */
static struct host *find_host(const struct giving *giving, bool alone, size_t *sharers)
{
	bool slot = giving->busy < giving->slots;
	struct host *best = NULL;
	struct host *host;

	*sharers = 0;
	TAILQ_FOREACH(host, &giving->pool->hosts, link)
	{
		if (host == giving->reserved || host_room(host) == 0 ||
		    (host->count == 0 ? !slot : alone))
			continue;
		++*sharers;
		if (best == NULL || host->count < best->count)
			best = host;
	}
	return best;
}

/* The host that will have done its work first; NULL when none is in sight of that. */
static const struct host *find_least_busy(const struct pool *pool)
{
	const struct host *best = NULL;
	const struct host *host;

	TAILQ_FOREACH(host, &pool->hosts, link)
	{
		if (!host_is_held_up(host) && (best == NULL || host->count < best->count))
			best = host;
	}
	return best;
}

/* --- giving ------------------------------------------------------------------------------------ */

static size_t fill(const struct giving *giving, struct errand *errand, size_t most,
		   struct errand_list *batch)
{
	bool alone = errand->member->suspect;
	size_t count = 0;

	if (alone) {
		errand->alone = true;
		errand->member->on_trial = true;
		most = 1;
	}
	while (errand != NULL && count < most) {
		struct errand *next = TAILQ_NEXT(errand, link);

		pool_take_out(giving->pool, errand);
		TAILQ_INSERT_TAIL(batch, errand, link);
		count++;
		errand = alone ? NULL : find_ready(giving, next, false);
	}
	return count;
}

static void give(struct giving *giving, struct errand *errand, struct host *host, size_t sharers)
{
	struct errand_list batch = TAILQ_HEAD_INITIALIZER(batch);
	size_t share = (giving->pool->waiting_count + sharers - 1) / sharers;
	size_t room = host_room(host);
	struct error err;
	size_t count;

	giving->busy += host->count == 0;
	count = fill(giving, errand, room > share ? share : room, &batch);
	if (host_send(host, &batch, count, &err) != 0) {
		log_error("jobs cannot be given to a plugin host", log_err(&err));
		giving->pool->failed = true;
	}
}

/* Another host helps while each that there is has its hands full. */
static bool wants_host(const struct pool *pool)
{
	const struct host *host;

	TAILQ_FOREACH(host, &pool->hosts, link)
	{
		if (!host->ready)
			return false;
		if (pool->host_count >= pool->most_hosts && !host_is_held_up(host))
			return false;
	}
	return true;
}

static bool may_spawn(const struct giving *giving, bool alone)
{
	const struct pool *pool = giving->pool;

	return giving->busy < giving->slots && pool->host_count < giving->slots &&
	       giving->now_ms >= pool->pace.due_ms && (alone || wants_host(pool));
}

static bool spawn(struct pool *pool)
{
	struct wire_hello hello = *pool->shared->hello;
	struct handler *handlers = calloc(pool->member_count, sizeof(*handlers));
	struct host *host;
	struct error err;
	int status;

	if (handlers == NULL)
		return false;
	for (size_t i = 0; i < pool->member_count; i++)
		handlers[i] = *pool->members[i].program->handler;
	hello.handlers = handlers;
	hello.handler_count = (uint32_t)pool->member_count;
	status = host_start(&host, pool, &hello, &err);
	if (status == 0) {
		TAILQ_INSERT_TAIL(&pool->hosts, host, link);
		pool->host_count++;
	} else {
		pool_crash(pool, NULL, 0, err.text);
	}
	free(handlers);
	return status == 0;
}

/* Returns whether the errand, and what goes with it, was given to a host. */
static bool serve(struct giving *giving, struct errand *errand)
{
	bool alone = errand->member->suspect;
	size_t sharers;
	struct host *host = find_host(giving, alone, &sharers);

	if (host == NULL && may_spawn(giving, alone) && spawn(giving->pool))
		host = find_host(giving, alone, &sharers);
	if (host == NULL)
		return false;
	give(giving, errand, host, sharers);
	return true;
}

/* Returns whether anything was given. */
static bool serve_next(struct giving *giving)
{
	struct errand *errand = find_ready(giving, TAILQ_FIRST(&giving->pool->waiting), true);

	giving->reserved = NULL;
	if (errand == NULL)
		return false;
	if (serve(giving, errand))
		return true;
	if (!errand->member->suspect)
		return false;
	giving->reserved = find_least_busy(giving->pool);
	errand = find_ready(giving, errand, false);
	return errand != NULL && serve(giving, errand);
}

void pool_give(struct pool *pool, size_t slots)
{
	struct giving giving = {
		.pool = pool,
		.slots = slots,
		.busy = pool_busy(pool),
		.now_ms = clock_monotonic_ms(),
	};

	while (pool->waiting_count > 0 && slots > 0 && serve_next(&giving)) {
	}
}
