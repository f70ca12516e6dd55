/*
 * The trace: an audit trail of what this dispatcher knew and when, a record a line, in the file that trace_file names.
 * A record is one write(2) at the end of the file, so that neither another thread's record nor a SIGKILL cuts it. It is
 *
 *   AT KIND FIELD…
 *
 * AT is CLOCK_MONOTONIC in microseconds; UUIDs are written in full; SEQ is a job's claim_seq. The kinds:
 *
 *   register INCARNATION DISPATCHER PID     a life begins
 *   claim INCARNATION CLAIM JOB:SEQ…
 *   begin CLAIM JOB…                        handed to an agent to run
 *   settled JOB CLAIM                       completed by the run's own transaction
 *   complete COMPLETION JOB:OUTCOME:CLAIM…  about to be sent; outcomes as locum.job_complete takes them
 *   answer COMPLETION JOB:VERDICT…          what the database said: accepted, mine, lost, gone or refused
 *   unknown COMPLETION                      the connection was lost before the answer; it is sent again
 *   ping SEQ                                about to be sent
 *   acked SEQ
 *   fence INCARNATION                       the deadline has passed, or the agents are told to kill
 *   reassigned JOB CLAIM                    learnt of, before or at the commit
 *   dead INCARNATION                        it was declared dead
 *   stop INCARNATION                        an orderly end
 *
 * All functions take NULL for a trace that is not kept, and do nothing then. A record that cannot be written is lost;
 * the log says so once.
 */
#ifndef LOCUM_DISPATCHER_TRACE_H
#define LOCUM_DISPATCHER_TRACE_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/job.h"
#include "dispatcher/outbox.h"

struct trace;

/* Opens or makes the file, readable by its owner alone: a claim is a right. "" sets *trace to NULL. What is no regular
 * file is refused. */
int trace_open(struct trace **trace, const char *path, struct error *err);
void trace_close(struct trace *trace);

/* --- the pinger's thread ------------------------------------------------------------------------ */

void trace_register(struct trace *trace, struct uuid incarnation, struct uuid dispatcher);
void trace_ping(struct trace *trace);

/* The last ping was acknowledged. deadline_ms is the fence's before that (CLOCK_BOOTTIME): it may have passed. */
void trace_acked(struct trace *trace, struct uuid incarnation, int64_t deadline_ms);

/* Writes `fence` once if this deadline has passed. */
void trace_fence(struct trace *trace, struct uuid incarnation, int64_t deadline_ms);

/* Writes `fence`, unless it stands there, and `dead`. */
void trace_dead(struct trace *trace, struct uuid incarnation);
void trace_stop(struct trace *trace, struct uuid incarnation);

/* --- the pump's thread -------------------------------------------------------------------------- */

void trace_claim(struct trace *trace, struct uuid incarnation, struct uuid claim_id,
		 const struct job_claimed *jobs, size_t count);
void trace_begin(struct trace *trace, struct uuid claim_id, const struct job_claimed *jobs,
		 size_t count);
void trace_settled(struct trace *trace, const struct holding *holding);
void trace_complete(struct trace *trace, const struct outbox_batch *batch);

/* The rows that job_complete answered: those are accepted. */
void trace_accepted(struct trace *trace, struct uuid completion_id, const PGresult *rows);

/* What the look-up said of the entries at[0 … count - 1] of the batch; what is held is not answered yet. */
void trace_fates(struct trace *trace, const struct outbox_batch *batch, const size_t *at,
		 const struct job_fate *fates, size_t count);
void trace_refused(struct trace *trace, const struct outbox_batch *batch);

/* batch may be NULL: there was none. */
void trace_unknown(struct trace *trace, const struct outbox_batch *batch);
void trace_reassigned(struct trace *trace, int64_t job, struct uuid claim_id);

#endif
