/* A line on a terminal that tells how far a run is. */
#ifndef LOCUM_TOOLS_CHAOS_METER_H
#define LOCUM_TOOLS_CHAOS_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/chaos/run.h"

struct meter {
	bool on;
	bool shown;
	int64_t drawn_ms;
	int64_t began_ms;
};

/* Shows nothing unless stderr is a terminal that can go back in a line. */
void meter_init(struct meter *meter, bool wanted);

/* run_progress's teller; `to` is the meter. */
void meter_show(void *to, const struct run_progress *progress);

/* Takes the line away. */
void meter_clear(struct meter *meter);

#endif
