#include "agent/server_end.h"

#include <stdio.h>
#include <string.h>

void server_end_describe(const struct run *run, const char *fault, char *text, size_t size)
{
	const char *name;

	if (run->reason == RUN_FAULTY) {
		snprintf(text, size, "%s", fault);
	} else if (run->signal == 0) {
		snprintf(text, size, "the service exited with code %d", run->exit_code);
	} else {
		name = sigdescr_np(run->signal);
		snprintf(text, size, "the service was killed by signal %d (%s)", run->signal,
			 name == NULL ? "unknown" : name);
	}
}

bool server_end_is_crash(const struct run *run)
{
	switch (run->reason) {
	case RUN_UNDISTURBED:
	case RUN_FAULTY:
	case RUN_HUNG:
		return true;
	case RUN_TIMED_OUT:
	case RUN_STOPPED:
	case RUN_FENCED:
	case RUN_RETIRED:
	case RUN_CANCELLED:
	case RUN_LOST:
		break;
	}
	return false;
}
