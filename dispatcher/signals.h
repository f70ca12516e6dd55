/*
 * What the database has to tell this dispatcher: cancellations for the pump, a drain for main. Read on the pinger's
 * connection after a ping was answered, and no part of it: that signals cannot be read makes no ping fail.
 */
#ifndef LOCUM_DISPATCHER_SIGNALS_H
#define LOCUM_DISPATCHER_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

#include "db/dispatcher.h"
#include "dispatcher/mailbox.h"

/* The pinger's. All zero at first. */
struct signals {
	struct signal *taken; /* that came last, to be acknowledged */
	size_t count;
	bool deaf; /* the last reading failed, and that was said */
};

/* Takes what there is and passes it on; says when that fails, and when it works again. drain_fd: an eventfd. */
void signals_take(struct signals *signals, struct db *db, struct uuid incarnation,
		  struct mailbox *pump, int drain_fd);

void signals_fini(struct signals *signals);

#endif
