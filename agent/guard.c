#include "agent/guard.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { RECHECK_MS = 100 };

static void on_edge(uv_poll_t *handle, int status, int events)
{
	struct guard *guard = handle->data;
	uint64_t expirations;

	(void)status;
	(void)events;
	guard_check(guard);
	if (read(guard->timer_fd, &expirations, sizeof(expirations)) > 0)
		guard->armed_ms = 0;
}

static void on_recheck(uv_timer_t *handle)
{
	guard_check(handle->data);
}

int guard_open(struct guard *guard, uv_loop_t *loop, const struct fence *fence, guard_act *act,
	       void *context, struct error *err)
{
	*guard = (struct guard){
		.fence = fence,
		.act = act,
		.context = context,
		.level = GUARD_DOWN,
		.life = fence_life(fence),
	};
	guard->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (guard->timer_fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make the fence timer");
	if (uv_poll_init(loop, &guard->timer, guard->timer_fd) != 0) {
		close(guard->timer_fd);
		return error_set(err, ERROR_FATAL, "cannot watch the fence timer");
	}
	uv_timer_init(loop, &guard->recheck);
	guard->timer.data = guard;
	guard->recheck.data = guard;
	uv_poll_start(&guard->timer, UV_READABLE, on_edge);
	return 0;
}

void guard_set_grace(struct guard *guard, int64_t grace_ms)
{
	guard->grace_ms = grace_ms;
}

static enum guard_level level_now(const struct guard *guard)
{
	int64_t deadline_ms = fence_deadline_ms(guard->fence);
	int64_t now_ms = clock_boottime_ms();

	if (now_ms >= deadline_ms)
		return GUARD_DOWN;
	return now_ms >= deadline_ms - guard->grace_ms ? GUARD_CLOSING : GUARD_OPEN;
}

/* All that runs was started in the former life: a start checks first. */
static void begin_life(struct guard *guard, int64_t life)
{
	guard->life = life;
	guard->level = GUARD_DOWN;
	guard->act(guard->context, GUARD_DOWN, true);
}

enum guard_level guard_check(struct guard *guard)
{
	enum guard_level level = level_now(guard);
	int64_t life = fence_life(guard->fence);
	bool changed;

	if (life != guard->life)
		begin_life(guard, life);
	changed = level != guard->level;

	guard->level = level;
	if (level != GUARD_OPEN || changed)
		guard->act(guard->context, level, changed);
	return level;
}

static int64_t next_edge_ms(const struct guard *guard)
{
	int64_t deadline_ms = fence_deadline_ms(guard->fence);

	switch (guard->level) {
	case GUARD_OPEN:
		return deadline_ms - guard->grace_ms;
	case GUARD_CLOSING:
		return deadline_ms;
	case GUARD_DOWN:
		break;
	}
	return 0;
}

static void set_timer(struct guard *guard, int64_t edge_ms)
{
	struct itimerspec at = { .it_value = { .tv_sec = edge_ms / 1000,
					       .tv_nsec = edge_ms % 1000 * 1000000 } };

	if (timerfd_settime(guard->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		guard->armed_ms = edge_ms;
}

void guard_arm(struct guard *guard, bool watch)
{
	int64_t edge_ms = next_edge_ms(guard);

	/* An edge that has moved on is set again when it fires; one that came nearer at once. */
	if (edge_ms > 0 && (guard->armed_ms == 0 || edge_ms < guard->armed_ms))
		set_timer(guard, edge_ms);
	if (guard->level == GUARD_OPEN && !watch)
		uv_timer_stop(&guard->recheck);
	else if (!uv_is_active((uv_handle_t *)&guard->recheck))
		uv_timer_start(&guard->recheck, on_recheck, RECHECK_MS, RECHECK_MS);
}

int64_t guard_limit_ms(const struct guard *guard)
{
	return fence_deadline_ms(guard->fence) - guard->grace_ms;
}

void guard_close(struct guard *guard)
{
	uv_close((uv_handle_t *)&guard->timer, NULL);
	uv_close((uv_handle_t *)&guard->recheck, NULL);
	close(guard->timer_fd);
}
