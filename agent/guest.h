/*
 * A guest: a job that a process of a service has, together with others. It is a run without a process of its
 * own: told to end by a message, and by the end of the process when it does not listen. Owned by the loop's
 * thread.
 */
#ifndef LOCUM_AGENT_GUEST_H
#define LOCUM_AGENT_GUEST_H

#include <stdint.h>

#include "agent/run.h"
#include "base/error.h"
#include "base/rpc.h"

/* The deadline of a run that starts now: 0, or in milliseconds of CLOCK_REALTIME. */
int64_t guest_deadline_ms(const struct run *guest);

/* It was sent to its server. */
void guest_begin(struct run *guest);

/* job.cancel now, the end of its process after grace_ms. A second time does nothing but give a reason. */
void guest_terminate(struct run *guest, enum run_reason reason, int64_t grace_ms);

/* It got on. */
void guest_progress(struct run *guest);

/* It ended with an answer: each judges, and leaves it done. The value may be absent. */
void guest_answer(struct run *guest, const struct rpc_value *value);
void guest_fail(struct run *guest, const struct rpc_failure *failure);

/* Its process is gone, for this reason; how it crashed if it did, and the tail of what it wrote. */
void guest_orphan(struct run *guest, enum run_reason reason, const char *crash,
		  struct wire_bytes tail);

#endif
