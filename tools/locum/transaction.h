/*
 * One transaction of a submission stream, repeated until it is certain what became of it.
 *
 * Its lines go in chunks. Each chunk has a request_id derived from the stream's and its number, so that
 * sending it again after a commit whose answer was lost stores nothing twice. A transaction is repeated from
 * memory while it has one chunk, else by reading the input again; input that cannot be read again makes a
 * conflict an error.
 */
#ifndef LOCUM_TOOLS_LOCUM_TRANSACTION_H
#define LOCUM_TOOLS_LOCUM_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"
#include "tools/locum/chunk.h"
#include "tools/locum/cli.h"
#include "tools/locum/ids.h"
#include "tools/locum/lines.h"
#include "tools/locum/stream.h"
#include "tools/locum/unserved.h"

struct transaction {
	struct cli *cli;
	struct db *db;
	struct unserved unserved;
	struct uuid request_id; /* of the stream */
	int64_t batch;          /* lines of a transaction, 0: all */
	struct chunk *chunk;    /* the one that is in memory */
	int64_t *answer;        /* its ids */
	int64_t before;         /* chunks of the transactions before this one */
	int64_t chunks;         /* of this one */
	int64_t lines;          /* of this one */
	bool open;              /* "begin" was sent */
	bool committing;        /* all was sent: without an answer it is unknown what happened */
	bool unknown;           /* it stayed unknown */
	/* Of the last transaction that was committed: */
	int64_t jobs;
	int64_t line; /* the number of its last line */
	struct ids ids;
};

/* Connects. */
int transaction_open(struct transaction *transaction, const struct stream_options *options,
		     struct error *err);
void transaction_close(struct transaction *transaction);

/* Reads the lines of one transaction and commits them. No line: jobs is 0. */
int transaction_run(struct transaction *transaction, struct lines *lines, struct error *err);

#endif
