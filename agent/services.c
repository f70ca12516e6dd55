#include "agent/services.h"

#include <stdlib.h>
#include <sysexits.h>

#include "agent/order.h"
#include "agent/service.h"
#include "base/log.h"

int services_open(struct agent *agent, struct error *err)
{
	agent->services = calloc((size_t)agent->hello.handler_count + 1, sizeof(struct service));
	if (agent->services == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for the services");
	for (uint32_t i = 0; i < agent->hello.handler_count; i++) {
		struct program *program = &agent->programs[i];

		if (program->handler->kind != HANDLER_SERVICE || program->broken)
			continue;
		if (service_open(&agent->services[agent->service_count], &agent->shared,
				 &agent->roster, program, agent->hello.agent, err) != 0)
			return -1;
		agent->service_count++;
	}
	return 0;
}

void services_close(struct agent *agent)
{
	for (size_t i = 0; i < agent->service_count; i++)
		service_close(&agent->services[i]);
}

struct service *services_of(struct agent *agent, const struct program *program)
{
	for (size_t i = 0; i < agent->service_count; i++) {
		if (agent->services[i].program == program)
			return &agent->services[i];
	}
	return NULL;
}

struct service *services_next(struct agent *agent, const struct run *run)
{
	struct service *best = NULL;
	uint64_t number = run == NULL ? UINT64_MAX : run->number;

	for (size_t i = 0; i < agent->service_count; i++) {
		struct service *service = &agent->services[i];
		const struct run *first = TAILQ_FIRST(&service->waiting);

		if (first == NULL || first->number >= number || !service_can_start(service))
			continue;
		best = service;
		number = first->number;
	}
	return best;
}

struct run *services_by_claim(struct agent *agent, int64_t job, struct uuid claim)
{
	struct run *run = NULL;

	for (size_t i = 0; i < agent->service_count && run == NULL; i++)
		run = service_by_claim(&agent->services[i], job, claim);
	return run;
}

static void release_waiting(struct agent *agent, struct service *service, const char *why)
{
	struct run *run;

	while ((run = TAILQ_FIRST(&service->waiting)) != NULL) {
		run_release(run, why);
		roster_move(&agent->roster, run);
	}
}

static void tell(struct agent *agent, struct service *service)
{
	switch (service->news) {
	case SERVICE_NONE:
		break;
	case SERVICE_BROKE:
		order_break(agent, service->program, service->reason);
		release_waiting(agent, service, service->reason);
		break;
	case SERVICE_MENDED:
		order_mend(agent, service->program);
		break;
	}
}

void services_turn(struct agent *agent)
{
	bool may_spawn = agent->state == AGENT_SERVING &&
			 guard_check(&agent->shared.guard) == GUARD_OPEN;

	for (size_t i = 0; i < agent->service_count; i++) {
		service_turn(&agent->services[i], may_spawn);
		tell(agent, &agent->services[i]);
	}
}

void services_flush(struct agent *agent)
{
	for (size_t i = 0; i < agent->service_count; i++)
		service_flush(&agent->services[i]);
}

void services_stop(struct agent *agent, int64_t grace_ms)
{
	for (size_t i = 0; i < agent->service_count; i++) {
		release_waiting(agent, &agent->services[i], "released: the agent is stopping");
		service_stop(&agent->services[i], grace_ms);
	}
}
