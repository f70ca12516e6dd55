/*
 * A job in a plugin host, from the RUN frame to the OUTCOME; include/locum/plugin.h is what handlers see of it.
 * It belongs to the desk's thread, except while it runs: then to the main thread, and only `stop` and
 * `announced` are the desk's.
 */
#ifndef LOCUM_AGENT_HOST_LOCUM_JOB_H
#define LOCUM_AGENT_HOST_LOCUM_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/host/store.h"
#include "agent/output.h"
#include "agent/slate.h"
#include "base/limits.h"
#include "base/wire.h"
#include "include/locum/plugin.h"

/* Why a job is to end. The first one stays. */
enum locum_job_stop {
	LOCUM_JOB_GOES_ON,
	LOCUM_JOB_CANCELLED,
	LOCUM_JOB_TIMED_OUT,
	LOCUM_JOB_STOPPED, /* the host is */
};

enum locum_job_gate {
	LOCUM_JOB_GATE_UNUSED,
	LOCUM_JOB_GATE_HELD,
	LOCUM_JOB_GATE_LOST,   /* the job was reassigned */
	LOCUM_JOB_GATE_FAILED, /* `refusal` says why */
};

struct locum_job {
	TAILQ_ENTRY(locum_job) link; /* of the desk */
	uint64_t number;             /* on the slate */
	struct wire_job wire;        /* its texts end in NUL and lie behind the struct */
	char claim[UUID_TEXT_SIZE];
	struct store *store; /* borrowed while it runs */
	struct slate *slate; /* borrowed while it runs */
	_Atomic int stop;    /* enum locum_job_stop */
	bool announced;      /* STARTED was sent */
	enum locum_job_gate gate;
	struct pg_conn *connection; /* while the gate is held */
	struct error refusal; /* of the gate: the connection's (no SQLSTATE) or the server's */
	struct output output;
	/* Of the outcome: */
	enum verdict verdict;
	int64_t started_ms; /* CLOCK_BOOTTIME; 0: never */
	int64_t ended_ms;
	int64_t delay_ms;
	char *result;
	size_t result_length;
	char *log;
	size_t log_length;
	char *error;
};

TAILQ_HEAD(locum_job_list, locum_job);

/* A copy of *wire, or NULL when memory ends. */
struct locum_job *locum_job_make(const struct wire_job *wire, uint64_t number, struct error *err);
void locum_job_free(struct locum_job *job);

/* Wants the job to end; the first reason stays. Any thread. */
void locum_job_stop(struct locum_job *job, enum locum_job_stop reason);

/* Sets the verdict and, unless format is NULL, the error, as printf does. What the handler gave as its error
 * is kept when the format is NULL. */
void locum_job_end(struct locum_job *job, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How long it has run so far. */
int64_t locum_job_ran_ms(const struct locum_job *job);

/* What gate_take and the like want to know of it. */
struct gate_claim locum_job_gate_claim(const struct locum_job *job);

/* Makes the log's text from what was logged. */
void locum_job_close_log(struct locum_job *job);

/* The outcome of an ended job; borrows from it. */
void locum_job_outcome(const struct locum_job *job, struct wire_outcome *outcome);

#endif
