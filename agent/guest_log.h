/* What a service says about one of its jobs becomes a line of the job's log. Owned by the loop's thread. */
#ifndef LOCUM_AGENT_GUEST_LOG_H
#define LOCUM_AGENT_GUEST_LOG_H

#include "agent/run.h"
#include "base/rpc.h"

/* start: what the line begins with. Control characters are escaped: a message is one line. */
void guest_log_add(struct run *guest, const char *start, const struct rpc_notice *notice);

#endif
