/*
 * Who gets what: the errands that wait in a pool go to its hosts, and hosts are started for them. Owned by the loop's
 * thread.
 *
 * What belongs to a handler that is being left alone for a while after a crash holds up nobody else. An errand of a
 * suspect has its host for itself, and there is one at a time.
 */
#ifndef LOCUM_AGENT_POOL_GIVE_H
#define LOCUM_AGENT_POOL_GIVE_H

#include <stddef.h>

#include "agent/pool.h"

/* Gives errands to hosts, and starts hosts, while fewer than `slots` are busy. */
void pool_give(struct pool *pool, size_t slots);

#endif
