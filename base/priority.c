#include "base/priority.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

void priority_raise(void)
{
	const struct sched_param none = { 0 };

	errno = 0;
	if (sched_getscheduler(0) != SCHED_OTHER || getpriority(PRIO_PROCESS, 0) != 0 || errno != 0)
		return;
	/* First, so that it is never there without: for Linux a thread is what PRIO_PROCESS and 0 mean. */
	if (sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none) == 0)
		setpriority(PRIO_PROCESS, 0, PRIORITY_NICE);
}
