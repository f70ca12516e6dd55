/* Jobs on their way in. */
#ifndef LOCUM_DB_SUBMISSION_H
#define LOCUM_DB_SUBMISSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"

/* One job with its options, all borrowed. */
struct submission {
	const char *handler;
	const char *payload; /* JSON, kept byte for byte */
	const char *queue;
	int64_t priority;
	const char *run_at; /* as the server reads a time, or NULL */
	int64_t delay_ms;   /* -1: none; so too the next two */
	int64_t timeout_ms;
	int64_t expires_ms;
	const char *key;        /* or NULL */
	struct uuid request_id; /* or the zero UUID */
	int64_t max_attempts;   /* 0: the default */
	const char *on_interrupt;
	const char *traceparent; /* or NULL */
};

/* Every option at its default. */
void submission_init(struct submission *submission);

/* Stores the job and sets *id. ERROR_INPUT with a sentence when the server refuses it. */
int submission_store(struct db *db, const struct submission *submission, int64_t *id,
		     struct error *err);

/* Stores the jobs of `count` lines of a stream, all or none, and sets ids[0…count - 1]. The same
 * request_id again stores nothing and gives the same ids; *stored tells how many the request has, which may
 * be another number than count if its lines were others. When the server refuses a line, *bad gets its
 * place in lines, else `count`. */
int submission_store_lines(struct db *db, const struct args_text *lines, size_t count,
			   struct uuid request_id, int64_t *ids, size_t *stored, size_t *bad,
			   struct error *err);

/* Which handlers and queues of these jobs no living dispatcher serves: rows of handler, queue. The
 * caller's to PQclear; NULL on failure. */
PGresult *submission_unserved(struct db *db, const int64_t *ids, size_t count, struct error *err);

/* Sets *found to whether a request of this id was committed. */
int submission_request_is_known(struct db *db, struct uuid request_id, bool *found,
				struct error *err);

#endif
