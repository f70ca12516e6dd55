/*
 * The socket protocol between a dispatcher and its agent: all of its messages.
 *
 * A frame is a 32-bit length, an 8-bit type and a body; numbers are little-endian. Frames that carry
 * jobs or outcomes carry many at once. The two ends are started from one installation, and HELLO and
 * READY carry the protocol's number, so a mismatch is refused and never guessed at.
 *
 *   dispatcher → agent   HELLO once, then RUN, CANCEL, RELOAD, RECALL, STOP
 *   agent → dispatcher   READY for HELLO and each RELOAD, then STARTED, NOTE (base/wire_note.h), OUTCOME, BROKEN,
 *                        MENDED
 *
 * The agent is started as `locum-agent` with the socket as descriptor WIRE_SOCKET_FD, the fence page
 * (base/fence.h) as WIRE_FENCE_FD and the state file's lock as WIRE_LOCK_FD; it never looks at the
 * database. End of file on the socket means that the dispatcher is gone: the agent kills all that it
 * runs, reaps it, and exits.
 *
 * An agent speaks the same protocol, as the dispatcher's part, to the plugin hosts that it starts as
 * `locum-host` with a socket as WIRE_SOCKET_FD and a slate (agent/slate.h) as WIRE_SLATE_FD.
 *
 * Writers append whole frames to a buffer. Readers take one frame at a time with wire_next(); texts and
 * bytes in a decoded message point into the buffer and are valid until the frame is consumed.
 */
#ifndef LOCUM_BASE_WIRE_H
#define LOCUM_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/handler.h"
#include "base/log.h"
#include "base/uuid.h"

enum { WIRE_PROTOCOL = 4 };
enum { WIRE_SOCKET_FD = 3, WIRE_FENCE_FD = 4, WIRE_LOCK_FD = 5 };
enum { WIRE_SLATE_FD = 4 }; /* of a plugin host */
enum { WIRE_FRAME_MAX = 64 * 1024 * 1024 };

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_RUN,
	WIRE_CANCEL,
	WIRE_STOP,
	WIRE_READY,
	WIRE_STARTED,
	WIRE_OUTCOME,
	WIRE_BROKEN,
	WIRE_MENDED,
	WIRE_RELOAD,
	WIRE_RECALL,
	WIRE_NOTE,
};

/* A run of bytes that somebody else owns. NULL bytes: there is none (as SQL's null). */
struct wire_bytes {
	const char *bytes;
	uint32_t length;
};

/* HELLO: who the agent is, and what it is to run. RELOAD: the same once more; what differs counts from now on
 * for what has not started, and what a handler that is gone or different has waiting is handed back. Slots,
 * the log and handlers may differ, and database if it was absent. What BROKEN said before the READY that answers
 * it is void. Strings and handlers belong to whoever filled the struct; after
 * wire_read_hello that is the reader, who calls wire_hello_fini. */
struct wire_hello {
	char *agent;           /* its name */
	uint32_t slots;        /* jobs that may run at once */
	int64_t kill_grace_ms; /* between SIGTERM and SIGKILL */
	char *database;        /* what plugin hosts connect to (libpq's conninfo), or NULL */
	enum log_level log_level;
	enum log_format log_format;
	uint32_t handler_count;
	struct handler *handlers;
};

/* One job of a RUN frame. The agent queues what it cannot start at once. */
struct wire_job {
	int64_t id;
	struct uuid claim_id;
	int64_t claim_seq;
	int64_t life;       /* of the dispatcher, in which it was claimed (base/fence.h) */
	int32_t attempt;    /* of this run, from 1 */
	int64_t timeout_ms; /* the job's own; 0: the handler's */
	struct wire_bytes queue;
	struct wire_bytes handler;
	struct wire_bytes payload;
	struct wire_bytes traceparent; /* may be absent */
	struct wire_bytes checkpoint;  /* JSON of an earlier run; may be absent */
};

enum wire_cancel_reason {
	WIRE_CANCEL_REQUESTED = 1, /* somebody cancelled the job: outcome VERDICT_CANCELLED */
	WIRE_CANCEL_LOST,          /* the job was reassigned: kill at once, no outcome wanted */
	WIRE_CANCEL_RECALL,        /* released if it has not begun, else ignored */
};

/* One job of a CANCEL frame. A job that the agent does not know is ignored. */
struct wire_cancel {
	int64_t id;
	struct uuid claim_id;
	enum wire_cancel_reason reason;
};

/* STOP: hand back what has not started, SIGTERM what runs, SIGKILL after grace_ms, report, exit. */
struct wire_stop {
	int64_t grace_ms;
};

/* RECALL, without a body: hand back what has not started; what runs goes on. */

/* READY: the agent has read HELLO or RELOAD and takes jobs. */
struct wire_ready {
	uint32_t protocol;
	int64_t pid;
};

/* One job of a STARTED frame. */
struct wire_started {
	int64_t id;
	struct uuid claim_id;
	int64_t started_ms; /* CLOCK_BOOTTIME */
};

/* What became of a run. The dispatcher turns a verdict into an outcome by the job's policy. */
enum verdict {
	VERDICT_DONE = 1,    /* exit code 0 */
	VERDICT_RETRY,       /* failed this time; counts as an attempt */
	VERDICT_FAIL,        /* failed for good, whatever attempts are left */
	VERDICT_RELEASED,    /* never ran, or could not be executed here; counts as nothing */
	VERDICT_INTERRUPTED, /* ran, and was ended by the fence, a stop or the agent's death */
	VERDICT_CANCELLED,   /* ended because of WIRE_CANCEL_REQUESTED */
	VERDICT_SNOOZED,     /* asked to run again after delay_ms; counts as nothing */
	VERDICT_SETTLED, /* completed by the run itself, in its own transaction: nothing is left to do */
	VERDICT_LOST, /* the run found in its own transaction that the job was reassigned */
};

/* One job of an OUTCOME frame. */
struct wire_outcome {
	int64_t id;
	struct uuid claim_id;
	enum verdict verdict;
	int32_t exit_code;  /* -1 when there was none */
	int32_t signal;     /* that ended it, or 0 */
	int64_t started_ms; /* CLOCK_BOOTTIME; 0 when it never started */
	int64_t ended_ms;
	int64_t delay_ms; /* until the next run of VERDICT_RETRY or VERDICT_SNOOZED; -1: the policy's */
	struct wire_bytes result; /* JSON, or absent */
	struct wire_bytes error;  /* one sentence, absent when VERDICT_DONE */
	struct wire_bytes log;    /* the tail of stdout and stderr: valid UTF-8 without NUL */
};

/* BROKEN: a handler cannot be executed on this machine; its jobs are to go to others. */
struct wire_broken {
	struct wire_bytes handler;
	struct wire_bytes reason;
};

/* MENDED: a handler that was broken works again. */
struct wire_mended {
	struct wire_bytes handler;
};

/* A received frame. The body points into the buffer. */
struct wire_frame {
	enum wire_type type;
	struct wire_bytes body;
};

/* Each appends one frame. The list forms take one entry or more; a frame that would pass
 * WIRE_FRAME_MAX is split. Return -1 only when the buffer's limit or memory ends. */
int wire_write_hello(struct buffer *out, const struct wire_hello *hello, struct error *err);
int wire_write_reload(struct buffer *out, const struct wire_hello *terms, struct error *err);
int wire_write_recall(struct buffer *out, struct error *err);
int wire_write_run(struct buffer *out, const struct wire_job *jobs, size_t count,
		   struct error *err);
int wire_write_cancel(struct buffer *out, const struct wire_cancel *cancels, size_t count,
		      struct error *err);
int wire_write_stop(struct buffer *out, const struct wire_stop *stop, struct error *err);
int wire_write_ready(struct buffer *out, const struct wire_ready *ready, struct error *err);
int wire_write_started(struct buffer *out, const struct wire_started *started, size_t count,
		       struct error *err);
int wire_write_outcome(struct buffer *out, const struct wire_outcome *outcomes, size_t count,
		       struct error *err);
int wire_write_broken(struct buffer *out, const struct wire_broken *broken, struct error *err);
int wire_write_mended(struct buffer *out, const struct wire_mended *mended, struct error *err);

/* Appends a received frame as it came. */
int wire_relay(struct buffer *out, const struct wire_frame *frame, struct error *err);

/* Looks at the first whole frame of `in`. Returns 1 and sets *frame, 0 when more bytes are needed, -1
 * with ERROR_FATAL when the bytes are no frame. wire_done() consumes that frame. */
int wire_next(const struct buffer *in, struct wire_frame *frame, struct error *err);
void wire_done(struct buffer *in, const struct wire_frame *frame);

/* A reader of the entries of a list frame: set *at to 0, call until it returns 0. Returns 1 with *entry
 * set, 0 at the end, -1 with ERROR_FATAL for a malformed body. */
int wire_read_run(const struct wire_frame *frame, size_t *at, struct wire_job *entry,
		  struct error *err);
int wire_read_cancel(const struct wire_frame *frame, size_t *at, struct wire_cancel *entry,
		     struct error *err);
int wire_read_started(const struct wire_frame *frame, size_t *at, struct wire_started *entry,
		      struct error *err);
int wire_read_outcome(const struct wire_frame *frame, size_t *at, struct wire_outcome *entry,
		      struct error *err);

/* Readers of the single frames: 0, or -1 with ERROR_FATAL. That of HELLO also reads RELOAD. */
int wire_read_hello(const struct wire_frame *frame, struct wire_hello *hello, struct error *err);
int wire_read_stop(const struct wire_frame *frame, struct wire_stop *stop, struct error *err);
int wire_read_ready(const struct wire_frame *frame, struct wire_ready *ready, struct error *err);
int wire_read_broken(const struct wire_frame *frame, struct wire_broken *broken, struct error *err);
int wire_read_mended(const struct wire_frame *frame, struct wire_mended *mended, struct error *err);

void wire_hello_fini(struct wire_hello *hello);

#endif
