/*
 * What submitters and dispatchers do, in a line each, on a struct database. A helper that fails fails the
 * test, unless it is said otherwise.
 */
#ifndef LOCUM_TESTS_SUPPORT_FLEET_H
#define LOCUM_TESTS_SUPPORT_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "tests/support/database.h"

/* locum.submit with the arguments as SQL, made as printf does: "'h', priority => 3". */
int64_t fleet_submit(struct database *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Registers a dispatcher that pings and returns its incarnation. */
struct uuid fleet_dispatcher(struct database *d);

/* dispatcher_register; the caller clears the answer. */
struct fleet_birth {
	struct uuid id;
	struct uuid incarnation;
	struct uuid former;
	const char *machine; /* NULL: "machine" */
};
PGresult *fleet_register(struct database *d, const struct fleet_birth *birth);

/* Declares an incarnation dead whose last ping is the one in the database. */
void fleet_kill(struct database *d, struct uuid incarnation);
int64_t fleet_reclaim(struct database *d, struct uuid incarnation, int most);
int64_t fleet_reclaim_after(struct database *d, struct uuid incarnation, int most, int passed);

/* A claim from one queue: every priority, both lanes. */
struct fleet_claim {
	struct uuid incarnation;
	struct uuid claim_id;
	int queue_id;                /* 0: 1 */
	const char *const *handlers; /* NULL: "h" */
	size_t handler_count;
	int64_t cursor;
	int most;
	bool no_probation;
};
PGresult *fleet_claim_with(struct database *d, const struct fleet_claim *claim);

/* Claims jobs of the handler "h" from the queue "default" and returns how many; *claim_id is new. */
int64_t fleet_claim(struct database *d, struct uuid incarnation, int most, struct uuid *claim_id);

/* Claims one and returns its id, 0 when there is none. */
int64_t fleet_claim_one(struct database *d, struct uuid incarnation, struct uuid *claim_id);

/* Submits a job and claims it, as fleet_claim_one: it is to be completed, where its row stands. */
struct fleet_outcome fleet_claim_placed(struct database *d, struct uuid incarnation);

/* Marks a claimed job as active; returns whether the claim stood. */
bool fleet_start(struct database *d, int64_t id, struct uuid claim_id);

/* claim_release for one job; returns how many were given back. */
int64_t fleet_release(struct database *d, int64_t id, struct uuid claim_id);

struct fleet_outcome {
	int64_t id;
	struct uuid claim_id;
	const char *outcome;
	const char *result;
	const char *error;
	const char *log;
	int64_t ago_ms;
	int64_t delay_ms;
	struct row_place place; /* none: it is found by its id */
	bool skip;              /* of the first counts for the batch */
};

/* job_complete; `confirmed` may be none. Returns how many were accepted, or -1 with d->err. */
int fleet_complete_batch(struct database *d, struct uuid incarnation, struct uuid completion_id,
			 struct uuid confirmed, const struct fleet_outcome *outcomes, size_t count);

/* One outcome: the job's new state, "" when it was not accepted. */
const char *fleet_complete(struct database *d, struct uuid incarnation,
			   const struct fleet_outcome *outcome);

/* completion_lookup for one job. */
const char *fleet_lookup(struct database *d, struct uuid completion_id, int64_t id,
			 struct uuid claim_id);

#endif
