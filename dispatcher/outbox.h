/*
 * The outbox: runs that ended and whose outcome the database has not accepted yet. Nothing leaves it for
 * the loss of a connection. Owned by the pump's thread.
 */
#ifndef LOCUM_DISPATCHER_OUTBOX_H
#define LOCUM_DISPATCHER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "db/job.h"
#include "dispatcher/ledger.h"

/* One run that ended, as job_complete takes it. Texts are owned; NULL is null. */
struct ended {
	int64_t id;
	struct uuid claim_id;
	struct row_place place; /* where the job's row should stand */
	const char *outcome;    /* a name of job_complete's; not owned */
	char *result;
	char *error;
	char *log;
	size_t result_length;
	size_t error_length;
	size_t log_length;
	int64_t started_ms;        /* CLOCK_BOOTTIME; 0: never */
	int64_t delay_ms;          /* of a retry or a snooze; -1: the job's policy says */
	bool blamed;               /* a value was refused, and all were replaced */
	const char *unstored;      /* the outcome if it completed and that cannot be stored */
	int conflicts;             /* that its transactions met, or failures of the server */
	uint64_t accepted;         /* how many were before the first of them */
	bool alone;                /* it shares none any more, for they do */
	struct uuid completion_id; /* that it was sent with before; none: it was not */
	int held_up;               /* how often somebody held the job locked */
	int64_t due_ms;            /* CLOCK_MONOTONIC; not sent before */
	struct ended *next;
};

/* What is sent to the database in one transaction, until it is known what became of it. */
struct outbox_batch {
	struct uuid completion_id;
	size_t count;
	struct ended **ended; /* ids ascend */
	bool sent;            /* on a connection that has not answered yet */
	bool skip;            /* to try each row, for some are locked */
	bool alone;           /* a transaction with it failed: nothing else goes along */
	bool shared;          /* others were or are sent with its completion_id */
	struct outbox_batch *next;
};

struct outbox;

struct outbox *outbox_open(void);
void outbox_close(struct outbox *outbox);

/* Adds what an agent reported and is to be completed, as the job's policy turns it into an outcome. -1 when
 * memory ends. */
int outbox_add(struct outbox *outbox, const struct holding *holding,
	       const struct wire_outcome *outcome, struct error *err);

/* Adds an outcome that the dispatcher itself decided, without result or log. */
int outbox_add_plain(struct outbox *outbox, const struct holding *holding, const char *outcome,
		     const char *error, struct error *err);

/* How many may be sent at once, those of batches not counted. */
size_t outbox_count(const struct outbox *outbox);

/* When the first of those that were held up is to be sent again; INT64_MAX: there is none. */
int64_t outbox_due_ms(const struct outbox *outbox);

/* Whether a batch came back, or one of those that were held up is to be sent again by now. */
bool outbox_has_due(const struct outbox *outbox, int64_t now_ms);

/* The batch to send: the oldest that came back unresolved (outbox_unsent), else a new one of at most
 * LIMIT_COMPLETION_JOBS jobs and LIMIT_COMPLETION_BYTES bytes. It counts as sent from now on. NULL when there
 * is nothing to send. */
struct outbox_batch *outbox_send(struct outbox *outbox, int64_t now_ms, struct error *err);

/* It is unknown what became of the batch, or nothing became of it: it is sent again as it is. */
void outbox_unsent(struct outbox_batch *batch);

/* The batch was resolved: frees it with all that is in it. */
void outbox_settle(struct outbox *outbox, struct outbox_batch *batch);

/* Whether anything is still to be sent, or on its way, with this completion_id: then its receipt is needed. */
bool outbox_is_open(const struct outbox *outbox, struct uuid completion_id);

/* Somebody holds the job of entry i locked: takes it out of the batch, to be sent again after a pause, longer each
 * time. */
void outbox_again(struct outbox *outbox, struct outbox_batch *batch, size_t i, int64_t now_ms);

/* The batch had to wait for a lock for too long, and nothing of it was stored: it is to be sent again, to skip. Waiting
 * even so, for what goes with some job, it is halved; a batch of one waits as by outbox_again. */
void outbox_hold_up(struct outbox *outbox, struct outbox_batch *batch, int64_t now_ms);

/* Its transaction met a serialization failure or a deadlock (40001, 40P01) and nothing of it was stored: it is to be sent
 * again. After LIMIT_CONFLICTS repetitions in vain it is halved; a batch of one waits as by outbox_again, and after as many
 * it has not completed but failed, this time or for good as the job's policy says, for this reason. */
void outbox_conflict(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		     int64_t now_ms);

/* Its transaction failed inside the server for a reason that may be one row's or everybody's, as a damaged one or a
 * trigger (XX, P0): as after a conflict, but a batch of one has not failed before another job was accepted meanwhile. */
void outbox_failed(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		   int64_t now_ms);

/* The database took a job. */
void outbox_accepted(struct outbox *outbox);

/* Whether the batch met a conflict: it goes with nothing else then, to show whose fault it is. */
bool outbox_is_suspect(const struct outbox_batch *batch);

/* The server refused a value in the batch, so that nothing of it was stored: halves it; a batch of one loses
 * what may have been refused, gets the server's words as its error, and fails if it had completed; if it is refused even
 * so, it is not tried again but fails. -1 when it is refused even so, or memory ends. It is to be sent again. */
int outbox_bisect(struct outbox *outbox, struct outbox_batch *batch, const char *reason,
		  struct error *err);

/* Forgets everything: the claims are lost. */
void outbox_clear(struct outbox *outbox);

#endif
