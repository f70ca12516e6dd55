#include "agent/former.h"

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

static void drop_from(struct agent *agent, const struct roster_list *waiting)
{
	struct run *run;
	struct run *next;

	for (run = TAILQ_FIRST(waiting); run != NULL; run = next) {
		next = TAILQ_NEXT(run, link);
		if (!former_has(agent, &run->job))
			continue;
		run_release(run, "released: its dispatcher was declared dead");
		run->reason = RUN_LOST;
		roster_move(&agent->roster, run);
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
