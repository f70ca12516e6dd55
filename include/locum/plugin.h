/*
 * locum/plugin.h: how to write a job handler in C, as a plugin.
 *
 * A plugin is a shared object with a function of the type locum_handler, named in the dispatcher's
 * configuration:
 *
 *   handler "resize" { kind = "plugin"  path = "/usr/lib/app/resize.so"  symbol = "resize" }
 *
 *   cc -shared -fPIC -o resize.so resize.c $(pkg-config --cflags libpq)
 *
 * A plugin host (locum-host) loads it with RTLD_NOW | RTLD_LOCAL, once, and calls it for one job at a
 * time, always on the thread that loaded it. There may be several hosts. What a plugin does to its
 * process it does to its host: a crash, an endless loop or a leak ends or replaces the host; the job that
 * ran counts as crashed, jobs that had not begun are handed back as if nothing had happened.
 *
 * Nothing here may be called on another thread than the handler's, except locum_job_cancelled and
 * locum_job_progress. A job is valid until its handler returns. No function here changes errno's meaning
 * for the caller: failures are told by the return value alone.
 *
 * No program links with locum for this: the functions are the host's own. A plugin that submits jobs links
 * with liblocum (locum/client.h), and gives it locum_job_connection to do so in the job's transaction.
 */
#ifndef LOCUM_INCLUDE_LOCUM_PLUGIN_H
#define LOCUM_INCLUDE_LOCUM_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A job while its handler runs. */
struct locum_job;

/* libpq's PGconn. */
struct pg_conn;

/* What a handler returns. Any other value counts as LOCUM_RETRY. */
enum locum_end {
	LOCUM_DONE = 0, /* the job is done; its result, if any, is stored */
	LOCUM_RETRY =
		1, /* it failed this time: tried again after a back-off while attempts are left */
	LOCUM_FAIL = 2, /* it failed for good, whatever attempts are left */
};

/* A handler: does one job, and returns one of enum locum_end. It must return; it must not end the process
 * or the thread. */
typedef int locum_handler(struct locum_job *job);

/* --- what the job is ------------------------------------------------------------------------------ */

/* The job's number. */
int64_t locum_job_id(const struct locum_job *job);

/* Which run this is, from 1: runs that failed before count, interrupted ones do not. */
int locum_job_attempt(const struct locum_job *job);

/* Names of the job's queue and handler. The strings belong to the job. */
const char *locum_job_queue(const struct locum_job *job);
const char *locum_job_handler(const struct locum_job *job);

/* The payload: JSON in UTF-8, byte for byte as it was submitted, with a NUL behind it that *length, in
 * bytes, does not count. length may be NULL. The bytes belong to the job. */
const char *locum_job_payload(const struct locum_job *job, size_t *length);

/* The claim under which this run takes place: a UUID of 36 characters, new for each run. With the job's
 * number it is a key for making effects outside the database idempotent. Keep it to yourself: it is the
 * right to complete the job. The string belongs to the job. */
const char *locum_job_claim(const struct locum_job *job);

/* Orders the claims of one job: a later run has a higher number. For fencing tokens. */
int64_t locum_job_claim_seq(const struct locum_job *job);

/* The W3C traceparent that the job was submitted with, or NULL. The string belongs to the job. */
const char *locum_job_traceparent(const struct locum_job *job);

/* When the job times out, in milliseconds of CLOCK_REALTIME (since 1970-01-01 UTC), or 0 for never.
 * At that time locum_job_cancelled becomes true; after the kill grace the host is killed. */
int64_t locum_job_deadline_ms(const struct locum_job *job);

/* --- what the handler says ------------------------------------------------------------------------ */

/* Sets the job's result: `length` bytes of JSON in UTF-8, at most 1 MiB, copied. A later call replaces
 * an earlier one; length 0 takes it back. Only a job that returns LOCUM_DONE stores it; JSON that the
 * database refuses fails the job for good. Returns 0, or -1 and changes nothing when the bytes are too
 * many or no UTF-8, or memory ends. */
int locum_job_result(struct locum_job *job, const char *json, size_t length);

/* Says why the job fails: one sentence, copied, at most 4095 bytes kept. Returns `end`, so that a
 * handler can say: return locum_job_fail(job, LOCUM_RETRY, "no route"); */
int locum_job_fail(struct locum_job *job, enum locum_end end, const char *message);

/* Adds to the job's log, as printf does; no line break is added. The last 64 KiB are kept and stored with
 * the job. Returns 0, or -1 when the text could not be made. */
int locum_job_log(struct locum_job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says that the job gets on: with progress_timeout configured, a job that says nothing for so long counts
 * as hung. Any thread; costs next to nothing. */
void locum_job_progress(struct locum_job *job);

/* Whether the job is to end now: it was cancelled, timed out, was reassigned, or the dispatcher stops. A
 * handler that goes on is killed with its host after the kill grace. What it returns still counts, but
 * not for a job that timed out, which has failed. Any thread; costs next to nothing. */
bool locum_job_cancelled(const struct locum_job *job);

/* --- effects that happen exactly once ------------------------------------------------------------- */

/*
 * The host's own connection to locum's database, inside an open transaction whose gate is taken: the job's
 * row is locked and still belongs to this run, so nobody else can do or complete the job meanwhile. When
 * the handler returns LOCUM_DONE, the job is completed in this same transaction, which is then committed:
 * what the handler wrote through it happens exactly once, with the completion or not at all. When it
 * returns anything else, or is killed, all of it is rolled back.
 *
 * Returns libpq's connection, blocking and outside of pipeline mode, which belongs to the host: the handler
 * must leave it idle (all results read), must not close or reset it, must not end the transaction
 * (savepoints are fine), and must not change settings beyond it (use SET LOCAL). A failed statement makes
 * the transaction useless unless a savepoint was set; the job is then tried again. The statement timeout of
 * the transaction is the job's timeout. Later calls return the same connection.
 *
 * Returns NULL when the job was reassigned or the database cannot be had: return then. Whatever the handler
 * returns, the host knows why and reports that: the job does not count as done, nor as tried. While other statements of the job can block, cancellation cancels them.
 */
struct pg_conn *locum_job_connection(struct locum_job *job);

#ifdef __cplusplus
}
#endif

#endif
