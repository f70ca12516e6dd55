#include "agent/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/server_orders.h"
#include "base/clock.h"
#include "base/log.h"

enum { STALE_PAUSE_MS = 60000 };

static void on_timer(uv_timer_t *handle)
{
	struct service *service = handle->data;

	/* The turn that follows starts what is due. */
	guard_check(&service->shared->guard);
}

static size_t instances(const struct service *service)
{
	int wanted = service->program->handler->instances;

	return wanted > 0 ? (size_t)wanted : 1;
}

struct service *service_open(struct run_shared *shared, struct roster *roster,
			     struct program *program, const char *agent, struct error *err)
{
	struct service *service = calloc(1, sizeof(*service));

	if (service != NULL) {
		service->program = program;
		service->server_count = 2 * instances(service);
		service->servers = calloc(service->server_count, sizeof(struct server *));
	}
	if (service == NULL || service->servers == NULL) {
		free(service);
		error_set(err, ERROR_FATAL, "out of memory for a service");
		return NULL;
	}
	program_hold(program);
	service->shared = shared;
	service->roster = roster;
	service->agent = agent;
	TAILQ_INIT(&service->waiting);
	uv_timer_init(shared->loop, &service->timer);
	service->timer.data = service;
	return service;
}

static void on_closed(uv_handle_t *handle)
{
	struct service *service = handle->data;

	program_drop(service->program);
	free(service->servers);
	free(service);
}

/* What waits is its own to free: the roster knows only how many. */
void service_close(struct service *service)
{
	struct arrival *arrival;

	while ((arrival = TAILQ_FIRST(&service->waiting)) != NULL) {
		roster_take_out(service->roster, &service->waiting, arrival);
		arrival_free(arrival);
	}
	for (size_t i = 0; i < service->server_count; i++) {
		if (service->servers[i] == NULL)
			continue;
		if (service->servers[i]->run != NULL)
			server_end(service->servers[i]);
		server_free(service->servers[i]);
	}
	uv_close((uv_handle_t *)&service->timer, on_closed);
}

/* All processes finish what they have and end. */
static void leave_all(struct service *service)
{
	for (size_t i = 0; i < service->server_count; i++) {
		struct server *server = service->servers[i];

		if (server != NULL &&
		    (server->state == SERVER_STARTING || server->state == SERVER_READY))
			server->state = SERVER_LEAVING; /* told so by the next turn */
	}
}

void service_retire(struct service *service)
{
	service->retired = true;
	leave_all(service);
}

bool service_is_empty(const struct service *service)
{
	for (size_t i = 0; i < service->server_count; i++) {
		if (service->servers[i] != NULL)
			return false;
	}
	return true;
}

/* --- giving jobs ------------------------------------------------------------------------------- */

/* A process that is about to be gone counts: how it ends is not known yet. */
static bool is_busy(const struct service *service)
{
	for (size_t i = 0; i < service->server_count; i++) {
		const struct server *server = service->servers[i];

		if (server != NULL && (server->guest_count > 0 || server->is_deaf))
			return true;
	}
	return false;
}

/* The process with the most room for this job. On probation one job is risked at a time. */
static struct server *find_server(const struct service *service, int64_t job)
{
	struct server *best = NULL;
	int best_room = 0;

	if (service->breaker.on_probation && is_busy(service))
		return NULL;
	for (size_t i = 0; i < service->server_count; i++) {
		struct server *server = service->servers[i];
		int room;

		if (server == NULL || !server_can_take(server, job))
			continue;
		room = server->credit - server->guest_count;
		if (room <= best_room)
			continue;
		best = server;
		best_room = room;
	}
	return best;
}

bool service_can_start(const struct service *service)
{
	const struct arrival *first = TAILQ_FIRST(&service->waiting);

	return first != NULL && find_server(service, first->job) != NULL;
}

int service_start(struct service *service, struct run *run, struct error *err)
{
	struct server *server = find_server(service, run->job.id);
	int64_t max_jobs = service->program->handler->max_jobs;

	run->role = RUN_GUEST;
	if (server_give(server, run, err) != 0)
		return -1;
	if (max_jobs > 0 && server->given >= max_jobs)
		server->state = SERVER_LEAVING; /* told so when its last job has ended */
	return 0;
}

/* --- keeping processes ------------------------------------------------------------------------- */

/* The next trial is a new process: one of before, ready just now, says nothing. */
static void break_down(struct service *service, const char *reason)
{
	leave_all(service);
	snprintf(service->reason, sizeof(service->reason), "%.500s", reason);
	service->news = SERVICE_BROKE;
}

static void log_crash(const struct service *service, const struct server *server)
{
	log_warning("a process of a service ended",
		    log_text("handler", service->program->handler->name),
		    log_text("reason", server->fault),
		    log_number("crashes", service->breaker.crashes),
		    log_number("next_start_in_ms", service->breaker.due_ms - clock_monotonic_ms()));
}

static void log_stale(struct service *service, struct server *server)
{
	log_warning("a service spoke of jobs that it did not have",
		    log_text("handler", service->program->handler->name),
		    log_number("messages", (int64_t)server->stale));
	server->stale = 0;
	service->stale_due_ms = clock_monotonic_ms() + STALE_PAUSE_MS;
}

static void bury(struct service *service, struct server *server)
{
	if (server->stale > 0)
		log_stale(service, server);
	if (server->crashed) {
		if (breaker_crash(&service->breaker, server->lived_ms, clock_monotonic_ms()))
			break_down(service, server->fault);
		log_crash(service, server);
	}
	server_free(server);
}

static void look_at(struct service *service, struct server **slot)
{
	struct server *server = *slot;

	if (server->successes > 0) {
		server->successes = 0;
		breaker_success(&service->breaker);
	}
	if (server->stale > 0 && clock_monotonic_ms() >= service->stale_due_ms)
		log_stale(service, server);
	if (server->state == SERVER_READY && service->breaker.open &&
	    breaker_ready(&service->breaker))
		service->news = SERVICE_MENDED;
	if (server->state == SERVER_LEAVING && server->guest_count == 0 && !server->is_deaf)
		server_leave(server, RUN_RETIRED, service->shared->kill_grace_ms);
	if (server->state == SERVER_GONE) {
		*slot = NULL;
		bury(service, server);
	}
}

/* How many more processes are wanted, and where the next one goes. Until one has proved itself it is alone: another
 * that becomes ready just after its crash would pass for the next trial. */
static size_t missing(const struct service *service, struct server ***slot)
{
	bool trial = service->breaker.open || service->breaker.on_probation;
	size_t wanted = trial ? 1 : instances(service);
	size_t there = 0;

	*slot = NULL;
	for (size_t i = 0; i < service->server_count; i++) {
		const struct server *server = service->servers[i];

		if (server == NULL)
			*slot = &service->servers[i];
		else if (server->state == SERVER_STARTING || server->state == SERVER_READY ||
			 server->is_deaf)
			there++;
	}
	return *slot == NULL || there >= wanted ? 0 : wanted - there;
}

static void spawn(struct service *service, struct server **slot)
{
	int64_t now_ms = clock_monotonic_ms();
	struct error err;

	if (server_start(slot, service->shared, service->roster, service->program, service->agent,
			 &err) == 0)
		return;
	if (err.kind == ERROR_RETRY)
		breaker_crash(&service->breaker, 0, now_ms);
	else if (breaker_trip(&service->breaker, now_ms))
		break_down(service, err.text);
	log_warning("a process of a service cannot be started",
		    log_text("handler", service->program->handler->name), log_err(&err),
		    log_number("next_start_in_ms", service->breaker.due_ms - now_ms));
}

static void wake_at(struct service *service, int64_t due_ms, int64_t now_ms)
{
	if (uv_is_active((uv_handle_t *)&service->timer))
		return;
	uv_update_time(service->shared->loop);
	uv_timer_start(&service->timer, on_timer, (uint64_t)(due_ms - now_ms), 0);
}

void service_turn(struct service *service, bool may_spawn)
{
	struct server **slot;

	service->news = SERVICE_NONE;
	for (size_t i = 0; i < service->server_count; i++) {
		if (service->servers[i] != NULL)
			look_at(service, &service->servers[i]);
	}
	while (may_spawn && missing(service, &slot) > 0) {
		int64_t now_ms = clock_monotonic_ms();

		if (now_ms < service->breaker.due_ms) {
			wake_at(service, service->breaker.due_ms, now_ms);
			return;
		}
		spawn(service, slot);
	}
}

void service_flush(struct service *service)
{
	for (size_t i = 0; i < service->server_count; i++) {
		struct server *server = service->servers[i];

		if (server != NULL && server->run != NULL &&
		    (buffer_length(&server->out) > 0 || server->orders_end))
			server_orders_flush(server);
	}
}

void service_stop(struct service *service, int64_t grace_ms)
{
	for (size_t i = 0; i < service->server_count; i++) {
		if (service->servers[i] != NULL)
			server_leave(service->servers[i], RUN_STOPPED, grace_ms);
	}
}
