/* What a thread that waits for a time is told by others meanwhile. Each event stays until it is taken back. */
#ifndef LOCUM_DISPATCHER_BELL_H
#define LOCUM_DISPATCHER_BELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum bell_event {
	BELL_NONE,    /* never rung */
	BELL_STOP,    /* it shall end: comes before the others */
	BELL_MET,     /* an agent is ready */
	BELL_DROPPED, /* the pump holds nothing of the life that is over */
	BELL_HURRIED, /* there is a signal to be taken with a ping */
	BELL_EVENTS,
};

struct bell {
	pthread_mutex_t lock; /* guards rung */
	pthread_cond_t changed;
	bool rung[BELL_EVENTS];
};

void bell_init(struct bell *bell);
void bell_fini(struct bell *bell);

/* Any thread. */
void bell_ring(struct bell *bell, enum bell_event event);
void bell_mute(struct bell *bell, enum bell_event event);

/* Waits until the time (CLOCK_MONOTONIC), the stop or this event. Returns which of these two is there, or BELL_NONE. */
enum bell_event bell_wait(struct bell *bell, int64_t until_ms, enum bell_event event);

#endif
