/*
 * One transaction of a submission stream, repeated until it is certain what became of it.
 *
 * Its lines go in chunks. The request_id of a chunk is derived from the stream's and the number of its first line,
 * so that a chunk that is sent again, after a lost answer or by a later run, stores nothing twice. A chunk of
 * which an earlier run stored only the beginning is cut there: the rest is a chunk of its own. One of which an
 * earlier run stored more grows by the lines that follow.
 *
 * A transaction is repeated from memory while it has one chunk, else by reading the input again; input that
 * cannot be read again makes a failure in a transaction of several chunks final.
 */
#ifndef LOCUM_TOOLS_LOCUM_TRANSACTION_H
#define LOCUM_TOOLS_LOCUM_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"
#include "tools/locum/chunk.h"
#include "tools/locum/ids.h"
#include "tools/locum/intake.h"
#include "tools/locum/patience.h"
#include "tools/locum/progress.h"
#include "tools/locum/stream.h"
#include "tools/locum/unserved.h"

struct transaction {
	struct db *db;
	struct unserved unserved;
	struct patience patience;
	struct progress *progress; /* borrowed */
	struct uuid request_id;    /* of the stream */
	int64_t batch;             /* lines of a transaction, 0: all */
	struct chunk *chunk;       /* the one that is in memory */
	int64_t *answer;           /* its ids */
	int64_t before;            /* jobs of the transactions before this one */
	int64_t first_line;        /* of this one, 0: not read yet */
	int64_t lines;             /* of this one */
	int64_t linger_ms;
	int64_t deadline_ms; /* it ends then, with the lines that it has; 0: not begun */
	bool late;           /* the deadline has passed */
	bool open;           /* "begin" was sent */
	bool committing;     /* all was sent: without an answer it is unknown what happened */
	bool unknown;        /* it stayed unknown */
	/* Of the last transaction that was committed: */
	int64_t jobs;
	int64_t line; /* the number of its last line */
	struct ids ids;
};

/* Connects. What progress points to is shown as lines are sent. */
int transaction_open(struct transaction *transaction, const struct stream_options *options,
		     int stop_fd, struct progress *progress, struct error *err);
void transaction_close(struct transaction *transaction);

/* Reads the lines of one transaction and commits them. No line: jobs is 0. */
int transaction_run(struct transaction *transaction, struct intake *intake, struct error *err);

#endif
