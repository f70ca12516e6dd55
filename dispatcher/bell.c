#include "dispatcher/bell.h"

#include <time.h>

#include "base/clock.h"

void bell_init(struct bell *bell)
{
	pthread_condattr_t attributes;

	*bell = (struct bell){ 0 };
	pthread_mutex_init(&bell->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&bell->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void bell_fini(struct bell *bell)
{
	pthread_cond_destroy(&bell->changed);
	pthread_mutex_destroy(&bell->lock);
}

void bell_ring(struct bell *bell, enum bell_event event)
{
	pthread_mutex_lock(&bell->lock);
	bell->rung[event] = true;
	pthread_cond_signal(&bell->changed);
	pthread_mutex_unlock(&bell->lock);
}

void bell_mute(struct bell *bell, enum bell_event event)
{
	pthread_mutex_lock(&bell->lock);
	bell->rung[event] = false;
	pthread_mutex_unlock(&bell->lock);
}

enum bell_event bell_wait(struct bell *bell, int64_t until_ms, enum bell_event event)
{
	const struct timespec until = { until_ms / 1000, (until_ms % 1000) * 1000000 };
	enum bell_event heard = BELL_NONE;

	pthread_mutex_lock(&bell->lock);
	while (!bell->rung[BELL_STOP] && !bell->rung[event] && clock_monotonic_ms() < until_ms)
		pthread_cond_timedwait(&bell->changed, &bell->lock, &until);
	if (bell->rung[BELL_STOP])
		heard = BELL_STOP;
	else if (bell->rung[event])
		heard = event;
	pthread_mutex_unlock(&bell->lock);
	return heard;
}
