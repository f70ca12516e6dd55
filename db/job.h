/*
 * Statements about jobs. Each NAME_call fills a call of the statement NAME for db_run, which may put several
 * into one transaction; each NAME_rows reads its answer. What a call is given is borrowed until it was run.
 */
#ifndef LOCUM_DB_JOB_H
#define LOCUM_DB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"
#include "db/rows.h"

/* One stretch of the ready index that a claim scans. */
struct job_range {
	int32_t queue_id;
	int32_t priority;
	int32_t lane;   /* JOB_LANE_REQUEUED or JOB_LANE_NEW */
	int64_t lowest; /* lowest id that is looked at */
};

enum { JOB_LANE_REQUEUED = 0, JOB_LANE_NEW = 1, JOB_LANES = 2 };

/* A claimed job. The texts belong to the answer. */
struct job_claimed {
	int64_t id;
	int queue_id;
	int priority;
	int lane; /* that it was found in */
	const char *handler;
	int attempt; /* runs that counted before this one */
	int max_attempts;
	int64_t claim_seq;
	int interruptions;
	int recoveries;
	bool retries_when_interrupted; /* on_interrupt is retry */
	int64_t timeout_ms;            /* 0: none of its own */
	int64_t expires_in_ms;         /* not to be started after; -1: never expires */
	const char *payload;           /* NULL: too large, to be fetched by job_payload */
	size_t payload_length;
	const char *traceparent; /* or NULL */
	const char *checkpoint;  /* or NULL */
	struct row_place place;  /* of its row */
};

struct job_claim_args {
	struct uuid incarnation;
	struct uuid claim_id;
	const struct job_range *ranges;
	size_t range_count;
	const char *const *handlers;
	size_t handler_count;
	int most;
	bool probation; /* also jobs that a death interrupted */
};

void job_claim_call(struct db_call *call, const struct job_claim_args *claim);

/* What an agent looks for whose last claim found nothing. */
struct job_look_args {
	const int32_t *queues; /* the open ones */
	size_t queue_count;
	const char *const *handlers;
	size_t handler_count;
	const char *const *names; /* of all its queues */
	const int32_t *known;     /* their ids, negative while paused, 0 where there was none */
	size_t name_count;
};

struct job_sight {
	bool ready;   /* there may be a job to claim */
	bool due;     /* job_due has something to do */
	bool expired; /* job_expire has */
	bool changed; /* a queue is not as known */
};

/* Changes nothing, and waits for nobody. */
void job_look_call(struct db_call *call, const struct job_look_args *look);

/* Returns 0 with *sight set, or -1. */
int job_look_rows(const PGresult *rows, struct job_sight *sight, struct error *err);

/* Returns a new array of *count jobs, in no order, the caller's to free; NULL with *count 0 when none was
 * claimed or, with err filled, when the answer is wrong. */
struct job_claimed *job_claim_rows(const PGresult *rows, size_t *count, struct error *err);

/* The runs that job_complete ends: columns of equal length. Ids must ascend. */
struct job_completion {
	struct uuid incarnation;
	struct uuid completion_id;
	const struct uuid *confirmed; /* receipts to drop */
	size_t confirmed_count;
	size_t count;
	int64_t *ids;
	struct uuid *claim_ids;
	struct args_text *outcomes;
	struct args_text *results;
	struct args_text *errors;
	struct args_text *logs;
	int64_t *started_ago_ms;  /* -1: never started */
	int64_t *delay_ms;        /* of a retry or a snooze; -1: the job's policy says */
	struct row_place *places; /* where the rows stood last; NULL: of none is known */
	bool skip;                /* leaves out at once what somebody else holds locked */
};

void job_complete_call(struct db_call *call, const struct job_completion *completion);

/* The verdicts of completion_lookup. */
enum job_lookup { JOB_MINE, JOB_HELD, JOB_LOST, JOB_GONE };

struct job_fate {
	enum job_lookup lookup;
	char state[16]; /* the one that is stored, or "" */
};

/* Asks what became of jobs that a completion did not accept; fates[i] belongs to ids[i]. */
int completion_lookup(struct db *db, struct uuid completion_id, const int64_t *ids,
		      const struct uuid *claim_ids, size_t count, struct job_fate *fates,
		      struct error *err);

void receipt_confirm_call(struct db_call *call, const struct uuid *confirmed, size_t count);

/* Of completions that were acknowledged so long ago. */
void completion_check_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
			   const int32_t *queues, const int64_t *ages_ms, size_t count);

void job_start_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		    const int64_t *started_ago_ms, size_t count);
/* A text that is NULL leaves what is there. */
void job_note_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		   const struct args_text *checkpoints, const struct args_text *progresses,
		   size_t count);
void job_payload_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		      size_t count);
void job_due_call(struct db_call *call, int most);
void job_expire_call(struct db_call *call, int most);
void claim_unknown_call(struct db_call *call, struct uuid incarnation, const int64_t *known,
			size_t count);
void claim_release_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
			size_t count);
void claim_look_call(struct db_call *call, const int64_t *ids, const struct uuid *claim_ids,
		     size_t count);

/* Whether an answer with a column id holds this id. */
bool job_rows_have(const PGresult *rows, int64_t id);

/* Takes up to `most` claims, after the first `passed`, away from an incarnation that is not alive. Returns how many, or
 * -1; with sqlstate 55P03 one of them would have had to wait for somebody. */
int job_reclaim(struct db *db, struct uuid incarnation, int most, int passed, struct error *err);

#endif
