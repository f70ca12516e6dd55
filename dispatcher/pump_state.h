/* What the parts of the pump share: pump.c, turn.c, courier.c, lookout.c. One thread only. */
#ifndef LOCUM_DISPATCHER_PUMP_STATE_H
#define LOCUM_DISPATCHER_PUMP_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "db/db.h"
#include "dispatcher/claimer.h"
#include "dispatcher/ledger.h"
#include "dispatcher/link.h"
#include "dispatcher/notes.h"
#include "dispatcher/observer.h"
#include "dispatcher/outbox.h"
#include "dispatcher/pump.h"
#include "dispatcher/recent.h"
#include "dispatcher/watch.h"

enum { PUMP_RECEIPTS_MAX = 64, PUMP_EXTRA = 1 };

/* A way to the database, and the transaction on it whose answer has not been taken. */
struct connection {
	struct db *db;     /* NULL: none at the moment */
	struct turn *turn; /* NULL: none */
	int64_t timeline;  /* of the database when it was opened */
	int64_t retry_due_ms;
	int64_t used_ms; /* when its last turn began */
};

/* The run that is on probation here. */
struct probation {
	int64_t job;
	struct uuid claim_id;
	int64_t until_ms; /* CLOCK_MONOTONIC; 0: there is none */
};

/* What happened, for the log at the end. */
struct pump_counts {
	uint64_t completed; /* outcomes that the database accepted */
	uint64_t reassigned;
	uint64_t gone;
	uint64_t drained;      /* jobs that were held when the drain began */
	uint64_t forced;       /* runs that it did not wait for */
	uint64_t handed_back;  /* outcomes that say so, accepted since it began */
	uint64_t lost;         /* acknowledged, and did not survive a failover */
	uint64_t unreplicated; /* accepted by commits whose wait for a standby was cancelled */
};

struct pump {
	struct pump_options options;
	struct config *own; /* what options.config is since a reload, or NULL */
	pthread_t thread;

	struct uuid incarnation;
	int64_t life; /* its number, for the agents */
	bool alive;   /* between MAIL_BORN and MAIL_DEAD */
	bool quiet;   /* nothing more is claimed */
	bool draining;
	bool drain_said; /* to the database */
	bool releasing;  /* agents were told to stop */
	int64_t drain_deadline_ms;

	struct connection main;              /* does everything; */
	struct connection extra[PUMP_EXTRA]; /* these, turns that main would be too slow for */
	int64_t checked_timeline;            /* what was acknowledged before it was looked for */
	bool refused;                        /* the database, as the log says */
	bool pooler_said;                    /* that one is not configured for */
	int failures; /* losses of main without a commit in between, and vain tries to connect */
	int64_t retry_due_ms;
	int troubles;             /* transactions that failed, in a row */
	bool reconcile;           /* the database may count jobs as ours that we know nothing of */
	int64_t reconcile_due_ms; /* looked for all the same */
	bool careful;             /* a value was refused: completes alone, to know whose */
	bool idle;                /* the database says that we want to be woken */
	bool busy;                /* some claimer finds work, */
	int64_t busy_since_ms;
	bool agents_dirty; /* what the database knows of our agents is out of date */

	int agent_count;
	struct link links[LIMIT_AGENTS];
	struct claimer *claimers[LIMIT_AGENTS];
	int next_agent; /* whose turn it is to claim */

	struct probation probation;
	struct ledger *ledger;
	struct outbox *outbox;
	struct recent *recent;
	struct notes notes;
	struct observer *observer;
	struct watch watch;                      /* over what it observes */
	struct uuid receipts[PUMP_RECEIPTS_MAX]; /* of accepted batches, to be confirmed */
	size_t receipt_count;

	int64_t confirm_due_ms;
	int64_t completed_ms; /* when the last completion was sent */
	int64_t write_due_ms; /* next time that started jobs are written as active */
	int64_t scan_due_ms;
	int64_t sweep_due_ms;
	int64_t due_due_ms;    /* next time that scheduled jobs are looked at */
	int64_t expire_due_ms; /* jobs that expired are left alone until then */
	int64_t recall_due_ms; /* next time that a job expires before it has started */
	int64_t queues_due_ms;
	int64_t status_due_ms;
	int64_t status_busy; /* as told last */
	struct pump_counts counts;
};

/* The connection failed or must not be used any more: closes it and schedules the next try. What became of its
 * turn is unknown. */
void pump_lose(struct pump *pump, struct connection *connection, const struct error *err);

/* A transaction on the connection failed. A lost connection is closed and opened again later; after another
 * error nothing is tried before a pause. */
void pump_fail(struct pump *pump, struct connection *connection, const struct error *err);

/* A transaction on the connection was committed: only that ends a series of failures, for one may get so far as to
 * connect each time. */
void pump_succeed(struct pump *pump, const struct connection *connection);

#endif
