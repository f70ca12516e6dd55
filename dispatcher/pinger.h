/*
 * The pinger: a thread with a connection of its own that keeps this dispatcher alive in the eyes of its
 * siblings, and raises the fence after each acknowledged ping. Nothing may block it.
 *
 * It owns the dispatcher's lives: it registers an incarnation, pings for it, finds out when it was declared
 * dead, and, once the pump has dropped everything, registers the next.
 */
#ifndef LOCUM_DISPATCHER_PINGER_H
#define LOCUM_DISPATCHER_PINGER_H

#include <stdint.h>

#include "base/error.h"
#include "base/fence.h"
#include "dispatcher/config.h"
#include "dispatcher/identity.h"
#include "dispatcher/mailbox.h"
#include "dispatcher/notify.h"
#include "dispatcher/primary.h"
#include "dispatcher/reaper.h"
#include "dispatcher/trace.h"

struct pinger;

struct pinger_options {
	const struct config *config;
	struct identity *identity; /* the pinger's from here on, until pinger_stop */
	struct fence *fence;
	struct mailbox *pump;    /* where it posts BORN, DEAD and SIGNAL */
	struct reaper *reaper;   /* outlives the pinger */
	struct primary *primary; /* outlives the pinger */
	const struct notify *notify;
	struct trace *trace; /* or NULL; outlives the pinger */
	int drain_fd;        /* an eventfd that it writes when the database asks for a drain */
	int gone_fd; /* an eventfd that it writes when its id was taken over and it gave up */
};

/* Connects, checks the schema, registers the first incarnation and pings once: what fails here fails for
 * good (ERROR_FATAL) or because nobody answers (ERROR_RETRY). Then starts the thread. */
int pinger_start(struct pinger **pinger, const struct pinger_options *options, struct error *err);

/* Stops the thread, which lowers the fence and takes its leave of the database, and frees. In a hurry it does so only
 * on a connection that it has. Call it after the pump has ended. */
void pinger_stop(struct pinger *pinger, bool hurried);

/* When the last acknowledged ping was sent, in milliseconds of CLOCK_BOOTTIME. Any thread. */
int64_t pinger_ack_boot_ms(const struct pinger *pinger);

/* There is a signal for this incarnation: pings soon and takes it. Any thread. */
void pinger_hurry(struct pinger *pinger);

/* An agent is ready, and has ended what a former one left. NULL: nobody wants to know. */
void pinger_met(struct pinger *pinger);

/* The pump has dropped what it held under a life that is over; the next may begin. */
void pinger_dropped(struct pinger *pinger);

#endif
