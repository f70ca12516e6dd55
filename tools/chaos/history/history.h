/*
 * What is written down during an act, by five witnesses that know nothing of each other. Each file is text, a
 * record a line, written with one write(2) to a file opened with O_APPEND, so that a SIGKILL loses no line that was
 * written before. It may cut the one that is being written, where that crosses a page of the file; the judge finds the
 * cut, and the act is unknown. A line is
 *
 *   AT KIND FIELD…
 *
 * with single spaces between; AT is CLOCK_MONOTONIC in microseconds, one clock for all processes of the machine.
 * Fields hold no spaces; the last field of `witness`, `broken`, `skip` and `note` is free text to the end of the line. UUIDs are
 * written in full. JOB is the job's id, SEQ its claim_seq. The last line of every file is
 *
 *   closed COUNT                    so many records stand before it; a file without it is cut off
 *
 * Who writes a file ends it so. Dispatchers and runs may be killed: the harness ends theirs when all of them are gone
 * (seal.h).
 *
 * client-N.log, by each client of the load
 *   submit REQUEST COUNT            about to submit that many jobs under that request_id
 *   ok REQUEST JOB…                 they are stored, in this order
 *   fail REQUEST SQLSTATE           certainly not stored, and given up
 *   info REQUEST SQLSTATE           unknown; the same request is sent again, and its ok or fail follows
 *   cancel JOB                      about to cancel; then
 *   cancelled JOB yes|no|info
 *
 * worker-NAME.log, by each dispatcher (its setting trace_file)
 *   register INCARNATION ID PID     a life begins
 *   claim INCARNATION CLAIM JOB:SEQ…
 *   begin CLAIM JOB…                handed to an agent to run
 *   complete COMPLETION JOB:OUTCOME:CLAIM…   about to be sent (outcomes as job_complete takes them)
 *   settled JOB CLAIM               completed by the run's own transaction
 *   answer COMPLETION JOB:VERDICT…  the database's word (verdict: accepted mine lost gone refused)
 *   unknown COMPLETION              the connection was lost before the answer; it is sent again
 *   ping SEQ                        about to be sent
 *   acked SEQ
 *   fence INCARNATION               the deadline passed, or the agents were told to kill
 *   reassigned JOB CLAIM            learnt of, before or at the commit
 *   dead INCARNATION                it found itself declared dead
 *   stop INCARNATION                an orderly end
 *
 * effect.log, by the handlers
 *   begin JOB CLAIM SEQ PID
 *   beat JOB CLAIM SEQ PID          it still works; a run of more than 50 ms writes one each 50 ms
 *   end JOB CLAIM SEQ PID
 *
 * database.log, in commit order, from the logical slot on what the triggers stored (recorder.h); AT is the database's
 * clock_timestamp() here, in microseconds since 1970
 *   submit JOB XID STATE HANDLER MAX_ATTEMPTS ON_INTERRUPT
 *   claim JOB XID CLAIM SEQ INCARNATION
 *   start JOB XID CLAIM SEQ INCARNATION
 *   back JOB XID CLAIM SEQ INCARNATION STATE     the claim it had is over; released, retried, reclaimed or held
 *   end JOB XID CLAIM SEQ INCARNATION STATE      terminal; CLAIM is - where none was held
 *   alive INCARNATION ID
 *   dead INCARNATION LAST_PING_AGE_US DEATH_INTERVAL_US DECLARED_BY LAST_PING_SEQ
 *   gone INCARNATION                             stopped in good order
 *
 * final.log, the last full read (AT 0)
 *   job JOB STATE CLAIM SEQ ATTEMPT INTERRUPTIONS RECOVERIES
 *
 * nemesis.log
 *   begin SEED
 *   inject BOUT FAULT TARGET        BOUT numbers the injections of an act from 1; a pair is two that overlap
 *   witness BOUT TEXT               proof that it bit; a bout without one makes the act's verdict unknown
 *   ended PROCESS PID exit|signal NUMBER ASKED   a dispatcher, or d1-agent unless in good order; ASKED: the signal
 *                                   that the harness sent it to end it, 0: it was not asked to, -1: what a fault does
 *                                   may end it in other ways. One that ends unasked, or by a crash, is invalid
 *   crashed PROCESS SIGNAL          in older histories: one ended by a signal that no fault sends
 *   heal BOUT
 *   settled BOUT                    the fleet is whole again: every dispatcher registered, work goes on
 *   broken BOUT TEXT                its own criterion was not met: the act is invalid
 *   again BOUT                      it did not bite and is injected anew, alone
 *   late BOUT                       it stayed longer than it was to: deaths and conflicts may come of it
 *   skip FAULT REASON
 *   clock REALTIME DBTIME           now and then; microseconds since 1970
 *   stall FROM_US MS                the harness itself was late by so long: the machine stood still
 *   note TEXT
 *   drained JOBS                    every job is terminal; or
 *   undrained JOBS                  so many are not
 *   end
 */
#ifndef LOCUM_TOOLS_CHAOS_HISTORY_HISTORY_H
#define LOCUM_TOOLS_CHAOS_HISTORY_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* --- writing ------------------------------------------------------------------------------------ */

/* One file that is written. Any thread may write: a record is one write(2). */
struct history {
	int fd;
	atomic_llong records;
};

/* The handler whose runs leave no trace in effect.log: they are in the server. */
#define HISTORY_SILENT_HANDLER "sql"

/* The user's own handler. */
#define HISTORY_USERS_HANDLER "user"

/* Opens FOLDER/NAME for appending. */
int history_open(struct history *history, const char *folder, const char *name, struct error *err);

/* Writes `closed` and closes it; nothing where it is not open. */
void history_close(struct history *history);

/* Writes AT, a space, the text made as printf does, and a newline. A record that cannot be written is an error of the
 * machine, told by nobody: the checker finds that it is missing. */
void history_write(struct history *history, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of a moment that is past. */
void history_write_at(struct history *history, int64_t at_us, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Now, as AT. */
int64_t history_now_us(void);

/* --- reading ------------------------------------------------------------------------------------ */

enum { HISTORY_LINE_MAX = 1 << 20 };

/* A reader of one file, line by line, in bounded memory. */
struct history_reader;

/* NULL with *err when it cannot be opened. */
struct history_reader *history_reader_open(const char *folder, const char *name, struct error *err);
void history_reader_close(struct history_reader *reader);

/* The next record: *at and the words from KIND on, NULL at the end of words; all valid until the next call. Returns 1,
 * 0 at the end of the file, -1 for a line that is no record. */
int history_reader_next(struct history_reader *reader, int64_t *at_us, char ***words, size_t *count,
			struct error *err);

/* The number of the line that was read last, from 1. */
int64_t history_reader_line(const struct history_reader *reader);

#endif
