/* How a verdict of the agent becomes an outcome of the job. Pure. */
#ifndef LOCUM_DISPATCHER_POLICY_H
#define LOCUM_DISPATCHER_POLICY_H

#include <stdint.h>

#include "base/wire.h"

/* The outcome, as job_complete names it, of a run that was the attempt-th of max_attempts. NULL: there is
 * nothing to complete. */
const char *policy_outcome(enum verdict verdict, int attempt, int max_attempts);

/* The wait before the n-th try (from 0) to reach the database again: 50 ms doubled, half of it jitter, at
 * most cap_ms. */
int64_t policy_reconnect_delay_ms(int n, int64_t cap_ms);

/* The pause of a dispatcher that was declared dead, before its next life, after that many deaths in a row before this one:
 * none, then half a death interval, doubled each time, half of it jitter, at most ten. */
int64_t policy_return_delay_ms(int deaths, int64_t death_interval_ms);

#endif
