/*
 * The heir: a dispatcher that cannot register because another incarnation lives under its id. There may be
 * no sibling to declare that one dead, so the heir watches it itself, by the rules of the observer, and
 * accuses it before the reaper; or finds that it is alive. Owned by the pinger's thread.
 */
#ifndef LOCUM_DISPATCHER_HEIR_H
#define LOCUM_DISPATCHER_HEIR_H

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"
#include "dispatcher/config.h"
#include "dispatcher/reaper.h"

struct heir;

/* The heir waits as this incarnation of the dispatcher with this id. NULL when memory ends. */
struct heir *heir_open(const struct config *config, struct reaper *reaper, struct uuid id,
		       struct uuid incarnation);
void heir_close(struct heir *heir);

/* One look at the other one, to be repeated every scan_interval. Returns 1 when it is seen to be alive, else 0, or
 * -1. */
int heir_look(struct heir *heir, struct db *db, struct error *err);

/* Ends what a former life, proved to be over, has left in the server: a request may sit there with the locks that its
 * burial needs, waiting for a client that is gone. None: does nothing. */
void heir_evict(struct db *db, struct uuid former);

#endif
