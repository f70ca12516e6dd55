/*
 * The fence: one page of memory that a dispatcher shares with its agents.
 *
 * The pinger writes the deadline after each acknowledged ping; an agent reads it with no message in
 * between, so that a dispatcher that is stopped, hung or busy cannot hold it back. Writers and readers
 * need no lock: the deadline is one atomic word.
 *
 * Beside it stands the number of the dispatcher's life. An agent that stood still while a life ended may find
 * the fence raised again by the next one; the number tells it that all it runs is to be killed nevertheless.
 *
 * The other way round, each agent counts its heartbeats there, under its pid.
 */
#ifndef LOCUM_BASE_FENCE_H
#define LOCUM_BASE_FENCE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct fence; /* the shared page */

/* A deadline that has always passed: nothing may start, all that runs is killed. */
#define FENCE_DOWN ((int64_t)0)

/* Dispatcher: makes the page, down. *fd is what an agent inherits; it is close-on-exec until the
 * caller hands it on. Close it after the last agent has started. */
int fence_create(struct fence **fence, int *fd, struct error *err);

/* Agent: maps the page behind the inherited descriptor and closes the descriptor. */
int fence_attach(struct fence **fence, int fd, struct error *err);

void fence_close(struct fence *fence);

/* Pinger: sets the deadline, in milliseconds of CLOCK_BOOTTIME, or FENCE_DOWN. */
void fence_set_ms(struct fence *fence, int64_t deadline_ms);

/* Pinger: the dispatcher was declared dead. The fence is down, and the claims of this life are void for good. */
void fence_end_life(struct fence *fence);

/* Any thread of either process. Who asks for both asks for the deadline first: then it is of this life, or down, or
 * older. Lives count from 0. */
int64_t fence_deadline_ms(const struct fence *fence);
int64_t fence_life(const struct fence *fence);

/* Agent: takes a place for its heartbeats and returns it; -1 when none is free, which fence_beat ignores. */
int fence_join(struct fence *fence, pid_t pid);
void fence_beat(struct fence *fence, int place);

/* Dispatcher: how many heartbeats a process had; 0 when it has no place. */
uint32_t fence_beats(const struct fence *fence, pid_t pid);

/* Dispatcher: frees the place of a process that is gone. */
void fence_leave(struct fence *fence, pid_t pid);

#endif
