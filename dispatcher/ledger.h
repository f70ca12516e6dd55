/*
 * The ledger: every job that this dispatcher holds a claim on, from the claim's answer until the database
 * has accepted or refused its outcome. Owned by the pump's thread.
 */
#ifndef LOCUM_DISPATCHER_LEDGER_H
#define LOCUM_DISPATCHER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/row_place.h"

enum holding_stage {
	HOLDING_SENT,    /* with the agent, perhaps started, not said to be */
	HOLDING_STARTED, /* the agent said so */
	HOLDING_ENDED,   /* its outcome is in the outbox */
};

/* There may be hundreds of thousands: its numbers are as narrow as their limits allow. */
struct holding {
	struct holding *next;
	int64_t id;
	struct uuid claim_id;
	int64_t claim_seq;
	int64_t write_ago_ms; /* written once it has run so long */
	int64_t started_ms;   /* CLOCK_BOOTTIME; 0: not yet */
	int64_t recall_ms; /* CLOCK_MONOTONIC: called back then unless it has started; 0: never */
	struct row_place place; /* of the job's row, until it is written to again */
	int queue_id;
	enum holding_stage stage;
	short agent;   /* index into the configuration */
	short handler; /* index into the configuration; -1: the present one has it no more */
	short attempt; /* of this run, from 1 */
	short max_attempts;
	short recoveries;
	bool retries;   /* when interrupted */
	bool written;   /* the database says active, or need not */
	bool cancelled; /* somebody asked for its end */
	bool recalled;
};

struct ledger;

/* NULL when memory ends. */
struct ledger *ledger_open(void);
void ledger_close(struct ledger *ledger);

/* Adds a holding, which stays at its address until it is dropped. NULL when memory ends. */
struct holding *ledger_add(struct ledger *ledger, const struct holding *holding);

/* The holding of a job under this very claim, or NULL. */
struct holding *ledger_find(const struct ledger *ledger, int64_t id, struct uuid claim_id);

void ledger_drop(struct ledger *ledger, struct holding *holding);

size_t ledger_count(const struct ledger *ledger);

/* How many jobs an agent holds that have not ended. */
size_t ledger_load(const struct ledger *ledger, int agent);

/* Moves a holding to a later stage. */
void ledger_advance(struct ledger *ledger, struct holding *holding, enum holding_stage stage);

/* Calls visit for each holding; visit may drop that one. */
void ledger_each(struct ledger *ledger, void (*visit)(struct holding *, void *), void *context);

#endif
