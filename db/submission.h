/*
 * Jobs on their way in: a batch that is filled job by job and goes to the server as binary arrays.
 *
 * The batch keeps its jobs in the form in which they are sent, so that a large one is not copied again.
 * Owned by one thread.
 */
#ifndef LOCUM_DB_SUBMISSION_H
#define LOCUM_DB_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/args.h"
#include "db/db.h"

enum { SUBMISSION_PRIORITY_NONE = INT32_MIN };

/* One job. NULL bytes and SUBMISSION_PRIORITY_NONE stand for the default. */
struct submission_job {
	struct args_text handler; /* texts, not their JSON */
	struct args_text queue;
	struct args_text key;
	struct args_text payload; /* JSON, kept byte for byte */
	struct args_text
		options;  /* a JSON object of the other options, by the names of locum.submit; what
				     stands beside it wins */
	int64_t priority; /* an int4 */
};

struct submission;

/* An empty batch; NULL when memory ends. */
struct submission *submission_new(void);
void submission_free(struct submission *submission);

/* Drops all jobs and keeps the memory. */
void submission_clear(struct submission *submission);

size_t submission_count(const struct submission *submission);

/* Whether it holds LIMIT_SUBMIT_BATCH jobs, or as many bytes as are sent at a time. */
bool submission_is_full(const struct submission *submission);

/* Copies a job into a batch that is not full; after -1 the batch is as it was. */
int submission_add(struct submission *submission, const struct submission_job *job,
		   struct error *err);

/* What became of a batch that was sent. */
struct submission_answer {
	int64_t *ids;  /* the caller's, with room for as many as were sent */
	size_t stored; /* how many jobs the request has */
	size_t bad;    /* the place of the job that was refused, from 0; else the number of jobs */
};

/* Stores the first `count` jobs, all or none, and sets the ids in their order. The same request_id again
 * stores nothing: it gives the ids of the first time, and `stored` may then be another number than count (no
 * more than count ids are set); as many other jobs are refused. The zero UUID is no request. The batch stays
 * as it is. ERROR_INPUT with a sentence when the server refuses a job. */
int submission_send(struct submission *submission, struct db *db, size_t count,
		    struct uuid request_id, struct submission_answer *answer, struct error *err);

/* Drops the first `count` jobs. */
void submission_drop(struct submission *submission, size_t count);

/* The payload of a job in the batch. */
struct args_text submission_payload(const struct submission *submission, size_t place);

/* Which handlers and queues of these jobs no living dispatcher serves: rows of handler, queue. The
 * caller's to PQclear; NULL on failure. */
PGresult *submission_unserved(struct db *db, const int64_t *ids, size_t count, struct error *err);

/* Sets *found to whether a request of this id was committed. */
int submission_request_is_known(struct db *db, struct uuid request_id, bool *found,
				struct error *err);

#endif
