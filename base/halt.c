#include "base/halt.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { WAIT_MOST_MS = 60000 };

int halt_open(struct halt *halt, struct error *err)
{
	halt->deadline_ms = INT64_MAX;
	halt->fd = eventfd(0, EFD_CLOEXEC);
	if (halt->fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make an eventfd");
	return 0;
}

void halt_close(struct halt *halt)
{
	if (halt->fd >= 0)
		close(halt->fd);
	halt->fd = -1;
}

void halt_set(struct halt *halt, int64_t deadline_ms)
{
	int64_t present_ms = atomic_load(&halt->deadline_ms);
	uint64_t one = 1;
	ssize_t written;

	while (deadline_ms < present_ms &&
	       !atomic_compare_exchange_weak(&halt->deadline_ms, &present_ms, deadline_ms))
		;
	written = write(halt->fd, &one, sizeof(one));
	(void)written;
}

int64_t halt_deadline_ms(const struct halt *halt)
{
	return halt == NULL ? INT64_MAX : atomic_load(&halt->deadline_ms);
}

/* Once the moment is set its descriptor would end each wait at once. */
int halt_poll(const struct halt *halt, struct pollfd *pollfd, int64_t deadline_ms)
{
	int64_t halt_ms = halt_deadline_ms(halt);
	bool listens = halt != NULL && halt_ms == INT64_MAX;
	struct pollfd fds[2] = { *pollfd, { .fd = listens ? halt->fd : -1, .events = POLLIN } };
	int64_t left_ms = (halt_ms < deadline_ms ? halt_ms : deadline_ms) - clock_monotonic_ms();
	int ready;

	if (left_ms > WAIT_MOST_MS)
		left_ms = WAIT_MOST_MS;
	ready = poll(fds, 2, left_ms < 0 ? 0 : (int)left_ms);
	*pollfd = fds[0];
	return ready < 0 && errno != EINTR ? -1 : 0;
}
