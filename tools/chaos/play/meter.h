/* A line on a terminal that tells how far a run is. A thread of its own keeps its time going. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_METER_H
#define LOCUM_TOOLS_CHAOS_PLAY_METER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/chaos/play/run.h"

enum { METER_TEXT_SIZE = 192 };

struct meter {
	bool on;
	int64_t began_ms;
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	bool ends;
	bool shown;
	int64_t ends_ms;            /* as far as can be told; 0: nothing can */
	char wide[METER_TEXT_SIZE]; /* what stands behind the time where there is room */
	char narrow[METER_TEXT_SIZE];
};

/* Shows nothing unless stderr is a terminal that can go back in a line. */
void meter_init(struct meter *meter, bool wanted);

/* run_progress's teller; `to` is the meter. */
void meter_show(void *to, const struct run_progress *progress);

/* Takes the line away, and ends. */
void meter_fini(struct meter *meter);

#endif
