/* What becomes of a job whose effects are in the host's transaction. Owned by the main thread. */
#ifndef LOCUM_AGENT_HOST_SETTLER_H
#define LOCUM_AGENT_HOST_SETTLER_H

#include "agent/host/catalog.h"
#include "agent/host/desk.h"
#include "agent/host/locum_job.h"
#include "agent/host/store.h"

struct settler {
	struct store *store; /* borrowed */
	struct desk *desk;   /* borrowed, to wait at */
};

/* Completes the job in its transaction, and sets its verdict. */
void settler_settle(struct settler *settler, struct locum_job *job);

/* Undoes what it did. */
void settler_undo(struct settler *settler, struct locum_job *job);

/* Sets the verdict of a job of which it is unknown whether it was completed, from what the database says once
 * it can be asked; err says what happened. */
void settler_look_up(struct settler *settler, struct locum_job *job, const struct error *err);

/* The database could not be had, so the job could not begin: it runs again later, and nothing counts. With ERROR_FATAL it
 * will never be had from here: the handler is broken here, and others get the job. */
void settler_snooze(struct catalog_entry *entry, struct locum_job *job, enum error_kind kind,
		    const char *why);

#endif
