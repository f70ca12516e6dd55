#include "agent/former.h"

#include "agent/arrivals.h"
#include "agent/pool.h"
#include "agent/service.h"

bool former_has(const struct agent *agent, const struct wire_job *job)
{
	return job->life != agent->shared.guard.life;
}

bool former_is_here(const struct agent *agent)
{
	return agent->life != agent->shared.guard.life;
}

static void drop_from(struct agent *agent, struct arrival_list *waiting)
{
	struct arrival *arrival;
	struct arrival *next;

	for (arrival = TAILQ_FIRST(waiting); arrival != NULL; arrival = next) {
		struct wire_job job = arrival_job(arrival);

		next = TAILQ_NEXT(arrival, link);
		if (former_has(agent, &job))
			arrivals_drop(agent, waiting, arrival);
	}
}

void former_drop(struct agent *agent)
{
	agent->life = agent->shared.guard.life;
	drop_from(agent, &agent->roster.waiting);
	for (struct service *service = agent->services; service != NULL; service = service->next)
		drop_from(agent, &service->waiting);
	for (struct pool *pool = agent->pools; pool != NULL; pool = pool->next)
		pool_drop_former(pool);
}
