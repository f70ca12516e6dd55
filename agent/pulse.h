/* The sign that the agent's loop turns, for a dispatcher that would otherwise wait for ever for one that is stopped. */
#ifndef LOCUM_AGENT_PULSE_H
#define LOCUM_AGENT_PULSE_H

#include <uv.h>

#include "base/fence.h"

struct pulse {
	struct fence *fence; /* borrowed */
	int slot;            /* of the fence page; -1: none was free */
	uv_timer_t timer;
};

void pulse_open(struct pulse *pulse, uv_loop_t *loop, struct fence *fence);
void pulse_close(struct pulse *pulse);

#endif
