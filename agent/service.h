/*
 * A service: a handler whose processes stay (agent/server.h), the jobs that wait for them, and the breaker
 * that decides when a crashed one is started again. Owned by the loop's thread.
 *
 * Processes are started as soon as the fence is open, not with the first job: a service that cannot start is
 * known to be broken before it has claimed anything, and no job waits for a runtime to load.
 */
#ifndef LOCUM_AGENT_SERVICE_H
#define LOCUM_AGENT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/breaker.h"
#include "agent/program.h"
#include "agent/roster.h"
#include "agent/run.h"
#include "agent/server.h"

/* What changed in a turn. */
enum service_news { SERVICE_NONE, SERVICE_BROKE, SERVICE_MENDED };

struct service {
	struct service *next; /* of the agent */
	struct program *program;
	bool retired; /* its processes end with their last jobs */
	struct run_shared *shared;
	struct roster *roster;
	const char *agent; /* its name, for the processes */
	struct arrival_list waiting;
	struct server *
		*servers; /* handler->instances of them, and as many that are being replaced */
	size_t server_count;
	struct breaker breaker;
	int64_t stale_due_ms; /* stale messages are not told of before */
	uv_timer_t timer;     /* wakes the loop when a process is due */
	enum service_news news;
	char reason[512]; /* of SERVICE_BROKE */
};

/* The service of a program; starts nothing. NULL when memory ends. */
struct service *service_open(struct run_shared *shared, struct roster *roster,
			     struct program *program, const char *agent, struct error *err);

/* Frees it once the loop has let go of it. */
void service_close(struct service *service);

/* It starts no more processes; those that there are get no more jobs and end with the last that they have. What
 * waits must have been taken away. */
void service_retire(struct service *service);

/* Whether no process is left. */
bool service_is_empty(const struct service *service);

/* Whether its first waiting job can start now. */
bool service_can_start(const struct service *service);

/* Gives the run of its first waiting job to a process. -1 with ERROR_INPUT when that job cannot run at all. */
int service_start(struct service *service, struct run *run, struct error *err);

/* Takes in what became of the processes, and starts those that are due if `may_spawn`. */
void service_turn(struct service *service, bool may_spawn);

/* Writes to the processes what the turn left for them. */
void service_flush(struct service *service);

/* All processes are told to end within grace_ms. */
void service_stop(struct service *service, int64_t grace_ms);

#endif
