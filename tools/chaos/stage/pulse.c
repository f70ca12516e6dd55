#include "tools/chaos/stage/pulse.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BEAT_US = 50000, LATE_US = 200000 };

struct pulse {
	struct history *history;
	pthread_t thread;
	int stop_fd; /* readable: the thread ends */
};

/* Whether it is to end; false: the moment came. */
static bool is_told(const struct pulse *pulse, int64_t until_us)
{
	struct pollfd told = { .fd = pulse->stop_fd, .events = POLLIN };
	int64_t left_us = until_us - history_now_us();

	return poll(&told, 1, left_us <= 0 ? 0 : (int)((left_us + 999) / 1000)) > 0;
}

static void *beat(void *argument)
{
	const struct pulse *pulse = argument;
	int64_t due_us = history_now_us() + BEAT_US;

	while (!is_told(pulse, due_us)) {
		int64_t now_us = history_now_us();

		if (now_us < due_us)
			continue;
		if (now_us - due_us > LATE_US)
			history_write(pulse->history, "stall %" PRId64 " %" PRId64, due_us,
				      (now_us - due_us) / 1000);
		due_us = now_us - due_us > LATE_US ? now_us + BEAT_US : due_us + BEAT_US;
	}
	return NULL;
}

struct pulse *pulse_start(struct history *history, struct error *err)
{
	struct pulse *pulse = calloc(1, sizeof(*pulse));
	int failure;

	if (pulse == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	pulse->history = history;
	pulse->stop_fd = eventfd(0, EFD_CLOEXEC);
	failure = pulse->stop_fd < 0 ? errno : pthread_create(&pulse->thread, NULL, beat, pulse);
	if (failure == 0)
		return pulse;
	error_set_errno(err, ERROR_RETRY, failure, "cannot watch the pulse of the machine");
	if (pulse->stop_fd >= 0)
		close(pulse->stop_fd);
	free(pulse);
	return NULL;
}

void pulse_stop(struct pulse *pulse)
{
	if (pulse == NULL)
		return;
	eventfd_write(pulse->stop_fd, 1);
	pthread_join(pulse->thread, NULL);
	close(pulse->stop_fd);
	free(pulse);
}
