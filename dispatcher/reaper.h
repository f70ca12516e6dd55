/*
 * The reaper: a thread that buries. It declares suspects dead, takes their claims away, sweeps orphans, and
 * keeps house. It opens a connection when there is something to do.
 */
#ifndef LOCUM_DISPATCHER_REAPER_H
#define LOCUM_DISPATCHER_REAPER_H

#include "base/error.h"
#include "base/uuid.h"
#include "dispatcher/config.h"
#include "dispatcher/observer.h"
#include "dispatcher/primary.h"

struct reaper;

/* config and primary outlive it. */
int reaper_start(struct reaper **reaper, const struct config *config, struct primary *primary,
		 struct error *err);
void reaper_stop(struct reaper *reaper);

/* The incarnation in whose name it declares deaths. Any thread. */
void reaper_set_life(struct reaper *reaper, struct uuid incarnation);

/* How many dispatchers live, which share the housekeeping; 0: not known. Any thread. */
void reaper_set_fleet(struct reaper *reaper, int64_t size);

/* Somebody may be declared dead. Any thread; the same suspect again is ignored while it is in hand. */
void reaper_accuse(struct reaper *reaper, const struct observer_suspect *suspect);

/* An incarnation that is not alive holds claims. Any thread. */
void reaper_sweep(struct reaper *reaper, struct uuid incarnation);

#endif
