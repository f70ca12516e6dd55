#include "agent/pulse.h"

#include <unistd.h>

enum { BEAT_MS = 500 };

static void on_timer(uv_timer_t *timer)
{
	struct pulse *pulse = timer->data;

	fence_beat(pulse->fence, pulse->slot);
}

void pulse_open(struct pulse *pulse, uv_loop_t *loop, struct fence *fence)
{
	pulse->fence = fence;
	pulse->slot = fence_join(fence, getpid());
	uv_timer_init(loop, &pulse->timer);
	pulse->timer.data = pulse;
	uv_timer_start(&pulse->timer, on_timer, 0, BEAT_MS);
}

void pulse_close(struct pulse *pulse)
{
	uv_close((uv_handle_t *)&pulse->timer, NULL);
}
