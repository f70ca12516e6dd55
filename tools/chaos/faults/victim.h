/* The dispatcher that a bout hurts: who it was before, and what became of it. One thread. */
#ifndef LOCUM_TOOLS_CHAOS_FAULTS_VICTIM_H
#define LOCUM_TOOLS_CHAOS_FAULTS_VICTIM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/uuid.h"
#include "tools/chaos/faults/fault.h"

/* bout->own begins with it. */
struct victim {
	pid_t pid;
	char incarnation[UUID_TEXT_SIZE];
};

/* Makes bout->own, `size` bytes that begin with who bout->target is now. NULL on error. */
void *victim_take(struct bout *bout, size_t size, struct error *err);

/* Who it is now, after it took another incarnation. */
int victim_look(struct bout *bout, struct error *err);

/* SIGKILL, and its end. */
int victim_kill(struct bout *bout, struct error *err);

/* SIGSTOP, until it stands still; SIGCONT, also for one that is not stopped, or is gone. */
int victim_stop(struct bout *bout, struct error *err);
void victim_let_go(struct bout *bout);

bool victim_is_stopped(struct bout *bout);

/* Waits until its incarnation was declared dead: until several death intervals have passed. */
int victim_await_death(struct bout *bout, struct error *err);

/* Waits until the same process, or the one that was started in its place, is there as another incarnation. */
int victim_await_return(struct bout *bout, struct error *err);

/* For conditions of bout_await. */
bool victim_is_dead(struct bout *bout);
bool victim_is_back(struct bout *bout);
bool victim_has_no_claim(struct bout *bout);

/* For hold_ms: what siblings need to take a dead one's jobs. */
int64_t victim_reclaim_ms(const struct bout *bout);

/* For hold_ms of what is over when it has been injected. */
int64_t victim_no_ms(const struct bout *bout);

#endif
