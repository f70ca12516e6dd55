/* Services under test, in shell: a loop that knows the protocol, and functions that a test replaces. */
#ifndef LOCUM_TESTS_SUPPORT_SERVICE_SCRIPT_H
#define LOCUM_TESTS_SUPPORT_SERVICE_SCRIPT_H

#include "tests/support/agent_fixture.h"

/*
 * Adds a handler of kind "service" with a concurrency of 100. `functions` is shell that is read before the
 * loop begins and may redefine what the loop calls, with $id, $payload and the whole $order set:
 *
 *   ready  initialize     run  job.run     cancel  job.cancel     stop  shutdown     ping     finish  the end
 *
 * and may call: say LINE, result JSON, error MESSAGE [DATA], notify METHOD PARAMS, hear TEXT (to the
 * fixture's fifo). By default every job succeeds without a value.
 */
struct handler *service_script(struct agent_fixture *fixture, const char *name,
			       const char *functions);

#endif
