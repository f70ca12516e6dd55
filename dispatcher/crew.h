/*
 * The crew: the agent processes of this dispatcher, one per agent section. Owned by the main thread, which
 * is also the one that reaps.
 */
#ifndef LOCUM_DISPATCHER_CREW_H
#define LOCUM_DISPATCHER_CREW_H

#include <stdint.h>

#include "base/error.h"
#include "base/fence.h"
#include "dispatcher/config.h"
#include "dispatcher/mailbox.h"

struct crew;

struct crew_options {
	const struct config *config;
	struct fence *fence; /* whose page the agents share */
	int fence_fd;
	int lock_fd;          /* of the state file */
	struct mailbox *pump; /* where it posts AGENT_BORN and AGENT_DEAD */
};

/* Becomes the subreaper of all that the agents leave behind, and starts one process per agent section. Call
 * before any thread is started. */
int crew_start(struct crew **crew, const struct crew_options *options, struct error *err);

/* A child died: reaps. For an agent: kills all that it ran, tells the pump, and starts another after a
 * back-off. */
void crew_reap(struct crew *crew);

/* Brings the agents of a configuration to be taken over to the indexes that they have here. */
int crew_seat(const struct crew *crew, struct config *config, struct error *err);

/* Takes over which agents there are: those that are leaving are not started again, new ones are due now. */
void crew_adopt(struct crew *crew, const struct config *config);

/* When an agent is to be started again, in milliseconds of CLOCK_MONOTONIC, or INT64_MAX. */
int64_t crew_due_ms(const struct crew *crew);

/* Starts the agents that are due. */
void crew_restart(struct crew *crew);

/* When the agents' heartbeats are to be looked at, as crew_due_ms. */
int64_t crew_watch_due_ms(const struct crew *crew);

/* Kills an agent whose loop has not turned for ping_death_interval, but for 5 s at least: what it holds goes back. */
void crew_watch(struct crew *crew);

/* The pump is gone and with it the sockets: waits for the agents to go, at most wait_ms, kills what is left,
 * and frees. */
void crew_stop(struct crew *crew, int64_t wait_ms);

#endif
