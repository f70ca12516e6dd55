#include "base/probe.h"

#ifdef LOCUM_PROBES

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ORDER_BYTES = 32 };

/* Whether this process is meant by "kill" or "kill PID". */
static bool is_for_us(const char *order)
{
	const char *pid = strchr(order, ' ');

	return pid == NULL || strtol(pid, NULL, 10) == getpid();
}

/* Reads what the file orders, and takes it away. Returns the signal to send, or 0. */
static int take_order(const char *armed, const char *taken)
{
	char order[ORDER_BYTES] = "";
	int fd = open(armed, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return 0;
	got = read(fd, order, sizeof(order) - 1);
	close(fd);
	if (got <= 0 || !is_for_us(order) || rename(armed, taken) != 0)
		return 0; /* somebody else is meant, or was quicker */
	return strncmp(order, "stop", 4) == 0 ? SIGSTOP : SIGKILL;
}

void probe_reach(const char *name)
{
	const char *folder = getenv("CHAOS_PROBES");
	char armed[PATH_MAX];
	char taken[PATH_MAX];
	int signal;

	if (folder == NULL)
		return;
	snprintf(armed, sizeof(armed), "%s/%s", folder, name);
	snprintf(taken, sizeof(taken), "%s/%s.%d", folder, name, (int)getpid());
	signal = take_order(armed, taken);
	if (signal != 0)
		raise(signal); /* to this thread: it gets no further */
}

#endif
