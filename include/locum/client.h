/*
 * locum/client.h: liblocum, which submits jobs to locum, waits for them, and completes them.
 *
 *   struct locum *locum = locum_connect("dbname=app", &error);
 *   int64_t id = locum_submit(locum, "thumb", "{\"path\": \"1.png\"}", NULL, &error);
 *
 *   cc submit.c $(pkg-config --cflags --libs locum)
 *
 * Threads. A handle, a batch and what a wait returned belong to one thread at a time; give each thread its
 * own. The library keeps no other state, starts no thread, and touches no signal.
 *
 * Failures. A function that fails returns -1 or NULL and fills *error, which may be NULL. What it was to set is
 * then not set. The library prints nothing.
 *
 * Texts are UTF-8, end in NUL, are only read, and may go when the function has returned. Times are in
 * milliseconds.
 *
 * Versions. What is compiled with this header runs with every later liblocum.so.0.
 */
#ifndef LOCUM_INCLUDE_LOCUM_CLIENT_H
#define LOCUM_INCLUDE_LOCUM_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* libpq's PGconn. */
struct pg_conn;

/* --- failures ------------------------------------------------------------------------------------- */

/* What the caller may do about it. */
enum locum_error_kind {
	LOCUM_ERROR_NONE = 0,
	LOCUM_ERROR_RETRY = 1, /* the same may succeed later: connection, conflict, shortage */
	LOCUM_ERROR_LOST = 2,  /* the job was reassigned: roll back, and do not try again */
	LOCUM_ERROR_INPUT = 3, /* what was given is wrong: the same fails again */
	LOCUM_ERROR_FATAL = 4, /* the installation, the database or the rights are wrong */
};

enum { LOCUM_MESSAGE_SIZE = 1024 };

/* Its size never changes. */
struct locum_error {
	enum locum_error_kind kind;
	char sqlstate[8]; /* five characters of the server, or "" */
	size_t place;     /* which element of a batch or a list is meant, from 1; 0: none */
	char message[LOCUM_MESSAGE_SIZE]; /* one sentence without a line break */
};

/* --- connections ---------------------------------------------------------------------------------- */

/* A connection through which jobs are submitted. */
struct locum;

/*
 * Connects, within 10 s for each host. conninfo is libpq's: key=value pairs, a URL, or the name of a
 * database; NULL takes LOCUM_DATABASE_URL, DATABASE_URL, or the PG… variables, whichever is set first. The
 * program's application_name is "locum" unless conninfo names another. Each call is a transaction of its own
 * and waits for the database for at most 60 s, for locks too. Works through PgBouncer in transaction mode.
 *
 * A handle whose connection was lost connects anew at its next call. Returns the handle, the caller's to
 * locum_close, or NULL.
 */
struct locum *locum_connect(const char *conninfo, struct locum_error *error);

/*
 * Uses the caller's own connection: what is submitted or completed is part of the transaction that is open on
 * it, and exists if, and only if, that commits. Without an open transaction, each call is one.
 *
 * The connection stays the caller's. Between calls it may be used for anything; during a call it must have
 * no statement running and not be in pipeline mode; its client_encoding must be UTF8. It comes back as it was, non-blocking if it was that.
 * Calls block, whether it is non-blocking or not, for as long as the server takes: the caller's own
 * statement_timeout limits that. After a failure with an sqlstate the open transaction can only be rolled
 * back, to a savepoint if there is one, as after any failed statement.
 *
 * Returns the handle, the caller's to locum_close before PQfinish, or NULL. A connection that was reset by
 * PQreset may still be used.
 */
struct locum *locum_on(struct pg_conn *conn, struct locum_error *error);

/* Frees the handle, and closes the connection if locum_connect made it. NULL is allowed. */
void locum_close(struct locum *locum);

/* --- one job -------------------------------------------------------------------------------------- */

enum { LOCUM_PRIORITY_DEFAULT = 5 };

/*
 * The options of a job. Begin with LOCUM_OPTIONS_INIT, which sets the defaults, and change what differs; NULL
 * and 0 stand for the default wherever the table says so.
 *
 *   struct locum_options options = LOCUM_OPTIONS_INIT;
 *   options.key = "picture 1";
 */
struct locum_options {
	size_t size;       /* of this struct, as the caller knows it; LOCUM_OPTIONS_INIT sets it */
	int priority;      /* 0 (first) to 9; LOCUM_OPTIONS_INIT sets 5 */
	int max_attempts;  /* 1 to 1000; 0: 5 */
	const char *queue; /* made when there is none of that name; NULL: "default" */
	int64_t run_at_ms; /* not before this time, since 1970-01-01 UTC; 0: at once */
	int64_t delay_ms;  /* not before this much later, than run_at_ms if both are set */
	const char *key;   /* unique in the queue among unfinished jobs: where one has it, nothing
	                             is stored and its id is returned; NULL: none */
	const char *request_id;   /* a UUID (locum_uuid): the same request again stores nothing and
	                             returns the same id, even when the job has finished, for 24 hours
	                             at least; NULL: none */
	int64_t timeout_ms;       /* of one run; 0: none */
	int64_t expires_ms;       /* not started later than this after now; 0: never expires */
	const char *on_interrupt; /* when its worker dies: "retry", "fail", "hold"; NULL: "retry" */
	const char *retry_backoff; /* "exponential", "linear", "fixed"; NULL: "exponential" */
	int64_t retry_delay_ms;    /* the first pause before another attempt; 0: 1 s;
	                             negative: none, the next attempt comes at once */
	int64_t retry_cap_ms;      /* the longest pause; 0: 1 h */
	const char *then; /* JSON: {"success": …, "failure": …, "always": …}, each a handler's
	                              name or an object of options: submitted when this job ends */
	const char *labels;       /* JSON: {"name": "value", …}, at most 32; NULL: none */
	const char *traceparent;  /* W3C trace context; NULL: none */
	const char *submitted_by; /* NULL: the role that is connected */
};

#define LOCUM_OPTIONS_INIT                                                                         \
	{                                                                                          \
		sizeof(struct locum_options), LOCUM_PRIORITY_DEFAULT, 0, NULL, 0, 0, NULL, NULL,   \
			0, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL                             \
	}

/*
 * Submits a job. handler is the name of who is to run it; payload is JSON, kept byte for byte, at most
 * 1 MiB, NULL for {}; options may be NULL.
 *
 * Returns the job's id, or -1. After LOCUM_ERROR_RETRY it may be stored or not: with a request_id the call can
 * be repeated.
 */
int64_t locum_submit(struct locum *locum, const char *handler, const char *payload,
		     const struct locum_options *options, struct locum_error *error);

enum { LOCUM_UUID_SIZE = 37 };

/* Writes a new random UUID of 36 characters and a NUL, for request_id. Any thread. */
void locum_uuid(char text[LOCUM_UUID_SIZE]);

/* --- many jobs ------------------------------------------------------------------------------------ */

/* Jobs that are sent together, in binary arrays, in one round trip. */
struct locum_batch;

enum { LOCUM_BATCH_MAX = 10000 };

/* Returns an empty batch, the caller's to locum_batch_free, or NULL when memory ends. It may be used again
 * after each submission, and with any handle. */
struct locum_batch *locum_batch_new(struct locum_error *error);
void locum_batch_free(struct locum_batch *batch);

/*
 * Adds a copy of a job; arguments as for locum_submit, but without a request_id. Returns 0; 1 and adds nothing
 * when the batch is full (LOCUM_BATCH_MAX jobs, or 2 MiB of texts) and has to be submitted first; or -1. Values are
 * judged by the database when the batch is submitted.
 */
int locum_batch_add(struct locum_batch *batch, const char *handler, const char *payload,
		    const struct locum_options *options, struct locum_error *error);

size_t locum_batch_count(const struct locum_batch *batch);

/* Empties it; its memory is kept for the next jobs. */
void locum_batch_clear(struct locum_batch *batch);

/*
 * Submits the jobs, all or none, sets ids[i] to that of the job that was added as number i, and empties the
 * batch. ids has room for locum_batch_count, or is NULL. request_id is a UUID or NULL: the same batch with the
 * same request_id again stores nothing and gives the same ids. An empty batch stores nothing.
 *
 * Returns 0, or -1, and then the batch is as it was. When a job is refused, error->place is its number, from 1,
 * and the message says what is wrong with it.
 */
int locum_batch_submit(struct locum *locum, struct locum_batch *batch, const char *request_id,
		       int64_t *ids, struct locum_error *error);

/* --- waiting -------------------------------------------------------------------------------------- */

/* The state of a job. */
enum locum_state {
	LOCUM_STATE_UNKNOWN = -1, /* one that a newer database has and this library does not know */
	LOCUM_STATE_WAITING = 0,
	LOCUM_STATE_SCHEDULED = 1,
	LOCUM_STATE_PENDING = 2,
	LOCUM_STATE_ASSIGNED = 3,
	LOCUM_STATE_ACTIVE = 4,
	LOCUM_STATE_HELD = 5,
	LOCUM_STATE_COMPLETED = 6, /* from here on: final */
	LOCUM_STATE_FAILED = 7,
	LOCUM_STATE_CANCELLED = 8,
	LOCUM_STATE_EXPIRED = 9,
	LOCUM_STATE_GONE = 10, /* ended, and its queue keeps no finished jobs */
};

enum locum_wait_mode {
	LOCUM_WAIT_ALL = 0, /* for the last of the jobs */
	LOCUM_WAIT_ANY = 1, /* for the first */
};

/* How jobs stood when a wait was over. */
struct locum_outcomes;

/*
 * Waits until all of the jobs have ended, or one has, for at most timeout_ms; -1: without an end, 0: only
 * looks. Looks at the database at growing intervals, from 20 ms to 1 s. Through locum_connect's connection a
 * database that goes away is waited for for 30 s. Refused inside a transaction, which would never see an end.
 *
 * Returns how they stand then, ended or not, the caller's to locum_outcomes_free, or NULL: LOCUM_ERROR_INPUT
 * with a place when there is no such job. All results are fetched at once; wait for few at a time if they are
 * large.
 */
struct locum_outcomes *locum_wait(struct locum *locum, const int64_t *ids, size_t count,
				  enum locum_wait_mode mode, int64_t timeout_ms,
				  struct locum_error *error);

/* How many of the jobs have ended: fewer than were waited for after a timeout. */
size_t locum_outcomes_ended(const struct locum_outcomes *outcomes);

/* Of the job ids[index]: its state; its result, JSON, or NULL; the error of its latest failed run, or NULL.
 * The texts belong to the outcomes. */
enum locum_state locum_outcomes_state(const struct locum_outcomes *outcomes, size_t index);
const char *locum_outcomes_result(const struct locum_outcomes *outcomes, size_t index);
const char *locum_outcomes_error(const struct locum_outcomes *outcomes, size_t index);

void locum_outcomes_free(struct locum_outcomes *outcomes);

/* The word for a state: "completed". Never NULL, never freed. Any thread. */
const char *locum_state_name(enum locum_state state);

/* --- completing ----------------------------------------------------------------------------------- */

/*
 * Completes a claimed job, for a handler that has a connection of its own (LOCUM_JOB_ID and LOCUM_CLAIM_ID tell a
 * command which job it runs). With locum_on, the handler's writes and the completion commit together or not at
 * all; call it last, for it locks the job until the transaction ends. result is JSON of at most 1 MiB, or NULL.
 * A repetition with the same claim is harmless.
 *
 * Returns 0, or -1; LOCUM_ERROR_LOST (sqlstate LC001) says that the job was reassigned: roll back, and do not try
 * again, for whoever holds the claim now does the job.
 */
int locum_complete(struct locum *locum, int64_t job, const char *claim_id, const char *result,
		   struct locum_error *error);

#ifdef __cplusplus
}
#endif

#endif
