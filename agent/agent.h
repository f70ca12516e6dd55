/*
 * The agent: one thread, one loop. Callbacks gather what happened; one turn of the loop, before it
 * waits again, acts on it: clears up, starts, reports.
 */
#ifndef LOCUM_AGENT_AGENT_H
#define LOCUM_AGENT_AGENT_H

#include <stdbool.h>
#include <uv.h>

#include "agent/channel.h"
#include "agent/pool.h"
#include "agent/program.h"
#include "agent/pulse.h"
#include "agent/report.h"
#include "agent/roster.h"
#include "agent/run.h"
#include "agent/stray.h"
#include "base/error.h"
#include "base/fence.h"
#include "base/wire.h"

struct service;

enum agent_state {
	AGENT_EXPECTING, /* HELLO */
	AGENT_SERVING,
	AGENT_STOPPING, /* STOP came: nothing starts */
	AGENT_ENDING,   /* all that lives is killed; the loop ends when nothing does */
	AGENT_OVER,
};

struct agent {
	enum agent_state state;
	int exit_status;
	int64_t life; /* of the dispatcher: nothing of a former one waits here */
	uv_loop_t loop;
	uv_prepare_t turn;
	uv_idle_t again;     /* active when a turn left something to do */
	uv_poll_t deaths;    /* of children */
	uv_timer_t reminder; /* logs what keeps the agent from ending */
	uv_timer_t settling; /* wakes the loop when repeated lines are to be told */
	int deaths_fd;       /* a signalfd for SIGCHLD */
	struct pulse pulse;
	struct channel channel;
	struct run_shared shared;
	struct roster roster;
	struct stray_finder finder;
	struct report report;
	struct wire_hello hello;
	struct program **programs; /* those of the configuration in force */
	size_t program_count;
	struct service *services;
	struct pool_shared pool_shared;
	struct pool *pools; /* of plugin hosts */
};

/* Takes the socket; borrows the fence and deaths_fd. Free with agent_close. */
int agent_open(struct agent **agent, int socket_fd, struct fence *fence, int deaths_fd,
	       struct error *err);

/* Serves until the dispatcher says STOP or is gone, and nothing that was started lives any more.
 * Returns the exit status. */
int agent_run(struct agent *agent);

void agent_close(struct agent *agent);

/* Kills all that lives, takes nothing more, and ends with this status. */
void agent_end(struct agent *agent, int exit_status);

#endif
