/* What a claim brought: sorted, held back as far as it must, recorded as started where that goes first, and sent
 * to its agent. */
#ifndef LOCUM_DISPATCHER_INTAKE_H
#define LOCUM_DISPATCHER_INTAKE_H

#include "dispatcher/pump_state.h"

/* The claim. */
struct intake {
	int agent;
	int asked;
	struct uuid claim_id;
	int64_t began_ms; /* CLOCK_MONOTONIC */
};

/* Takes in the answer to the claim, by way of the connection that it came from. -1 when jobs may be left that the
 * database counts as ours and nobody has. */
int intake_take(struct pump *pump, struct db *db, const struct intake *intake,
		const PGresult *answer, struct error *err);

#endif
