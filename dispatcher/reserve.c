#include "dispatcher/reserve.h"

#include <fcntl.h>
#include <unistd.h>

void reserve_fill(struct reserve *reserve)
{
	for (int i = 0; i < RESERVE_FDS; i++)
		if (reserve->fds[i] <= 0)
			reserve->fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void reserve_release(struct reserve *reserve)
{
	for (int i = 0; i < RESERVE_FDS; i++) {
		if (reserve->fds[i] > 0)
			close(reserve->fds[i]);
		reserve->fds[i] = 0;
	}
}
