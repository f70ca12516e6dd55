/* The options of a job on the command line, the same for each verb that submits. */
#ifndef LOCUM_TOOLS_LOCUM_JOB_FLAGS_H
#define LOCUM_TOOLS_LOCUM_JOB_FLAGS_H

#include <argp.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/uuid.h"
#include "db/submission.h"
#include "tools/locum/cli.h"

/* JOB_FLAGS(key, field, name, argument, help): options that are one text each. */
#define JOB_FLAGS(X)                                                                               \
	X('p', payload, "payload", "JSON",                                                         \
	  "what the job is about; - reads stdin, @FILE a file ({})")                               \
	X('Q', queue, "queue", "QUEUE", "the line that it waits in (default)")                     \
	X('P', priority, "priority", "0-9", "smaller is sooner (5)")                               \
	X('r', run_at, "run-at", "TIME", "not before this time")                                   \
	X('D', delay, "delay", "DURATION", "not before that long from now")                        \
	X('k', key, "key", "KEY", "no second unfinished job of this key in the queue")             \
	X('R', request_id, "request-id", "UUID", "submitting again with it stores nothing new")    \
	X('m', max_attempts, "max-attempts", "N", "runs that may fail (5)")                        \
	X(0x200, retry_delay, "retry-delay", "DURATION", "pause before the second run (1s)")       \
	X(0x201, retry_cap, "retry-cap", "DURATION", "the longest pause between runs (1h)")        \
	X(0x202, retry_backoff, "retry-backoff", "exponential|linear|fixed",                       \
	  "how the pauses grow (exponential)")                                                     \
	X('t', timeout, "timeout", "DURATION", "of one run (none)")                                \
	X('e', expires, "expires", "DURATION", "not started later than that from now")             \
	X('i', on_interrupt, "on-interrupt", "retry|fail|hold", "when its worker dies (retry)")    \
	X('T', traceparent, "traceparent", "TEXT", "W3C trace context, passed to the handler")     \
	X(0x203, submitted_by, "submitted-by", "NAME", "who submits it (the database's user)")     \
	X(0x204, retry_for, "retry-for", "DURATION",                                               \
	  "try again that long when the database is away or busy (30s)")

/* Begins with job_flags_init. The texts are those of argv. */
struct job_flags {
	struct cli *cli;
	const char *handler; /* NULL: none was given */
#define JOB_FLAG_FIELD(key, field, name, argument, help) const char *field;
	JOB_FLAGS(JOB_FLAG_FIELD)
#undef JOB_FLAG_FIELD
	struct buffer labels; /* members of an object */
	struct buffer then;
	bool strict;
	struct error fault; /* of a flag that is wrong in itself */

	/* After job_flags_read: */
	struct submission_job job; /* borrows from here */
	struct uuid request_ident; /* the zero UUID: none */
	int64_t retry_for_ms;
	struct buffer options;
	char *payload_text;
};

extern const struct argp job_flags_argp; /* its input is the struct job_flags */

void job_flags_init(struct job_flags *flags, struct cli *cli);
void job_flags_fini(struct job_flags *flags);

/* Reads what was given into flags->job. */
int job_flags_read(struct job_flags *flags, struct error *err);

#endif
