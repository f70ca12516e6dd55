/*
 * The pump: the thread that claims, hands jobs to the agents, takes their outcomes and completes them, and
 * watches the siblings. It is the only one that touches the ledger, the outbox and the agents' sockets.
 */
#ifndef LOCUM_DISPATCHER_PUMP_H
#define LOCUM_DISPATCHER_PUMP_H

#include "base/error.h"
#include "dispatcher/config.h"
#include "dispatcher/mailbox.h"
#include "dispatcher/notify.h"
#include "dispatcher/pinger.h"
#include "dispatcher/primary.h"
#include "dispatcher/reaper.h"
#include "dispatcher/trace.h"

struct pump;

/* MAIL_RELEASE is done after so long, whatever is left. */
enum { PUMP_RELEASE_MS = 2000 };

struct pump_options {
	const struct config *config;
	struct mailbox *box;     /* its news */
	struct pinger *pinger;   /* outlives the pump */
	struct reaper *reaper;   /* outlives the pump */
	struct primary *primary; /* outlives the pump */
	const struct notify *notify;
	struct trace *trace; /* or NULL; outlives the pump */
	int done_fd;         /* an eventfd that it writes when a drain is over */
};

int pump_start(struct pump **pump, const struct pump_options *options, struct error *err);

/* Waits for the thread, which ends after MAIL_DRAIN or MAIL_RELEASE, and frees. Returns how many jobs it
 * still held: 0 for a graceful end. */
size_t pump_join(struct pump *pump);

#endif
