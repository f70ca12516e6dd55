/*
 * What a handler finds in its environment: a whitelist, never what the agent itself was started with.
 * Owned by the loop's thread.
 */
#ifndef LOCUM_AGENT_ENVIRONMENT_H
#define LOCUM_AGENT_ENVIRONMENT_H

#include <pwd.h>
#include <stdint.h>

#include "base/error.h"
#include "base/wire.h"

/* The variables by which a process tells whose it is (agent/stray.h). */
#define ENVIRONMENT_JOB_ID "LOCUM_JOB_ID"
#define ENVIRONMENT_CLAIM_ID "LOCUM_CLAIM_ID"

/* The variable by which a process of a service does. */
#define ENVIRONMENT_PROCESS_ID "LOCUM_PROCESS_ID"

/* The part that is the same for every run of a handler: a NULL-terminated list of strings. `user` is
 * whom it runs as, or NULL when the user has no entry. Freed with environment_free_base. */
char **environment_base(const struct handler *handler, const struct passwd *user,
			struct error *err);
void environment_free_base(char **base);

/* The environment of one run. Returns one block, the caller's to free, which borrows from base.
 * deadline_ms is of CLOCK_REALTIME, 0 when there is none. */
char **environment_of_run(char *const *base, const struct wire_job *job, int64_t deadline_ms,
			  struct error *err);

/* The environment of a process of a service: nothing of any job. As above. */
char **environment_of_service(char *const *base, const char *handler, struct uuid process,
			      struct error *err);

#endif
