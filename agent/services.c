#include "agent/services.h"

#include <stdlib.h>
#include <sysexits.h>

#include "agent/arrivals.h"
#include "agent/order.h"
#include "agent/service.h"
#include "base/log.h"

int services_change(struct agent *agent, struct error *err)
{
	struct service *service;

	for (service = agent->services; service != NULL; service = service->next) {
		if (!service->program->retired || service->retired)
			continue;
		arrivals_release(agent, &service->waiting,
				 "released: the handler was changed or removed");
		service_retire(service);
	}
	for (size_t i = 0; i < agent->program_count; i++) {
		struct program *program = agent->programs[i];

		if (program->handler->kind != HANDLER_SERVICE || program->broken ||
		    services_of(agent, program) != NULL)
			continue;
		service = service_open(&agent->shared, &agent->roster, program, agent->hello.agent,
				       err);
		if (service == NULL)
			return -1;
		service->next = agent->services;
		agent->services = service;
	}
	return 0;
}

void services_close(struct agent *agent)
{
	struct service *service;

	while ((service = agent->services) != NULL) {
		agent->services = service->next;
		service_close(service);
	}
}

struct service *services_of(struct agent *agent, const struct program *program)
{
	struct service *service = agent->services;

	while (service != NULL && service->program != program)
		service = service->next;
	return service;
}

struct service *services_next(struct agent *agent, const struct arrival *arrival)
{
	struct service *best = NULL;
	uint64_t number = arrival == NULL ? UINT64_MAX : arrival->number;

	for (struct service *service = agent->services; service != NULL; service = service->next) {
		const struct arrival *first = TAILQ_FIRST(&service->waiting);

		if (first == NULL || first->number >= number || !service_can_start(service))
			continue;
		best = service;
		number = first->number;
	}
	return best;
}

void services_recall(struct agent *agent, const char *why)
{
	for (struct service *service = agent->services; service != NULL; service = service->next)
		arrivals_release(agent, &service->waiting, why);
}

static void tell(struct agent *agent, struct service *service)
{
	switch (service->news) {
	case SERVICE_NONE:
		break;
	case SERVICE_BROKE:
		order_break(agent, service->program, service->reason);
		arrivals_release(agent, &service->waiting, service->reason);
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
	struct service **link = &agent->services;
	struct service *service;

	while ((service = *link) != NULL) {
		service_turn(service, may_spawn && !service->retired);
		if (!service->retired)
			tell(agent, service);
		if (service->retired && service_is_empty(service)) {
			*link = service->next;
			service_close(service);
		} else {
			link = &service->next;
		}
	}
}

void services_flush(struct agent *agent)
{
	for (struct service *service = agent->services; service != NULL; service = service->next)
		service_flush(service);
}

void services_stop(struct agent *agent, int64_t grace_ms)
{
	services_recall(agent, "released: the agent is stopping");
	for (struct service *service = agent->services; service != NULL; service = service->next)
		service_stop(service, grace_ms);
}
