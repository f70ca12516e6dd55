#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/arrivals.h"
#include "agent/former.h"
#include "agent/order.h"
#include "agent/pools.h"
#include "agent/service.h"
#include "agent/services.h"
#include "base/clock.h"
#include "base/log.h"

enum { STARTS_PER_TURN = 64 };
enum { UNSENT_BYTES_MAX = 8 * 1024 * 1024 }; /* nothing starts while more waits to be sent */
enum { REMINDER_MS = 5000 };

/* --- the fence --------------------------------------------------------------------------------- */

static void apply_fence(const struct agent *agent, enum guard_level level)
{
	struct run *run;

	for (run = TAILQ_FIRST(&agent->roster.running); run != NULL; run = TAILQ_NEXT(run, link)) {
		if (run->program->handler->fence == HANDLER_FENCE_FINISH)
			continue;
		if (level == GUARD_DOWN)
			run_kill(run, RUN_FENCED);
		else
			run_terminate(run, RUN_FENCED, agent->shared.kill_grace_ms);
	}
}

static void log_fence(const struct agent *agent, enum guard_level level)
{
	int64_t running = (int64_t)roster_busy(&agent->roster);

	switch (level) {
	case GUARD_OPEN:
		log_info("fence is open", log_text("agent", agent->hello.agent));
		break;
	case GUARD_CLOSING:
		log_warning("fence is near: terminating", log_text("agent", agent->hello.agent),
			    log_number("running", running));
		break;
	case GUARD_DOWN:
		log_warning("fence is down: killing", log_text("agent", agent->hello.agent),
			    log_number("running", running));
		break;
	}
}

static void on_fence(void *context, enum guard_level level, bool changed)
{
	struct agent *agent = context;

	if (level != GUARD_OPEN)
		apply_fence(agent, level);
	if (!changed)
		return;
	agent->shared.sweep_wanted = true;
	log_fence(agent, level);
}

/* --- deaths ------------------------------------------------------------------------------------ */

/* Looks at one dead child without reaping it, so that its pid still names it. */
static bool find_dead(siginfo_t *how)
{
	how->si_pid = 0;
	return waitid(P_ALL, 0, how, WEXITED | WNOHANG | WNOWAIT) == 0 && how->si_pid != 0;
}

static void reap(struct agent *agent)
{
	siginfo_t how;

	while (find_dead(&how)) {
		struct run *run = roster_by_pid(&agent->roster, how.si_pid);

		if (run != NULL) {
			run_exited(run, &how);
			roster_move(&agent->roster, run);
		}
		waitid(P_PID, (id_t)how.si_pid, NULL, WEXITED);
		agent->shared.sweep_wanted = true;
	}
}

static void on_death(uv_poll_t *handle, int status, int events)
{
	struct agent *agent = handle->data;
	struct signalfd_siginfo info;

	(void)status;
	(void)events;
	guard_check(&agent->shared.guard);
	/* Only to empty it: the turn that follows asks who died. */
	while (read(agent->deaths_fd, &info, sizeof(info)) > 0) {
	}
}

static enum stray_mode sweep_mode(const struct agent *agent)
{
	if (agent->state >= AGENT_ENDING)
		return STRAY_AND_MAINS;
	if (agent->state == AGENT_STOPPING || agent->roster.running_count == 0 ||
	    agent->shared.guard.level == GUARD_DOWN)
		return STRAY_UNKNOWN;
	return STRAY_OF_ENDED;
}

static void finish_cleared(struct agent *agent)
{
	struct run *run;
	struct run *next;

	for (run = TAILQ_FIRST(&agent->roster.clearing); run != NULL; run = next) {
		next = TAILQ_NEXT(run, link);
		if (!run_is_cleared(run))
			continue;
		run_finish(run);
		if (run->role == RUN_SERVER)
			server_end(run->server);
		else if (run->role == RUN_HOST)
			host_end(run->host);
		roster_move(&agent->roster, run);
		if (run->role == RUN_OF_JOB && run->verdict == VERDICT_RELEASED &&
		    !run->program->broken)
			order_break(agent, run->program, run->error);
	}
}

/* While something is left to clear away, every turn looks, so that no wake-up can be missed. */
static void sweep(struct agent *agent)
{
	struct error err;

	if (!agent->shared.sweep_wanted && agent->roster.clearing_count == 0)
		return;
	agent->shared.sweep_wanted = false;
	if (stray_sweep(&agent->finder, &agent->roster, sweep_mode(agent), &err) != 0) {
		log_error("cannot look for strays", log_err(&err));
		return;
	}
	finish_cleared(agent);
}

/* --- starting ---------------------------------------------------------------------------------- */

static bool is_open(struct agent *agent)
{
	return agent->state == AGENT_SERVING &&
	       buffer_length(&agent->channel.out) < UNSENT_BYTES_MAX &&
	       guard_check(&agent->shared.guard) == GUARD_OPEN && !former_is_here(agent);
}

static bool may_start(struct agent *agent)
{
	return agent->roster.waiting_count > 0 &&
	       roster_busy(&agent->roster) + pools_busy(agent) < agent->hello.slots &&
	       is_open(agent);
}

static void report_started(struct agent *agent, const struct run *run)
{
	struct error err;

	if (report_start(&agent->report, run, &err) != 0) {
		log_error("cannot report a start", log_err(&err));
		agent_end(agent, EX_SOFTWARE);
	}
}

/* At once, for its process may be the end of this agent, and is known by that it began. */
static void tell_starts(struct agent *agent)
{
	struct error err;

	if (report_starts(&agent->report, &err) != 0) {
		log_error("cannot report a start", log_err(&err));
		agent_end(agent, EX_SOFTWARE);
		return;
	}
	channel_flush(&agent->channel);
}

static void start_process(struct agent *agent)
{
	struct run *run = arrivals_begin(agent, &agent->roster.waiting);
	struct error err;

	if (run == NULL)
		return;
	if (run_start(run, &err) != 0) {
		run_release(run, err.text);
		roster_add(&agent->roster, run);
		if (err.kind != ERROR_RETRY)
			order_break(agent, run->program, err.text);
		return;
	}
	roster_add(&agent->roster, run);
	report_started(agent, run);
	tell_starts(agent);
}

static void start_guest(struct agent *agent, struct service *service)
{
	struct run *run = arrivals_begin(agent, &service->waiting);
	struct error err;

	if (run == NULL)
		return;
	if (service_start(service, run, &err) == 0) {
		report_started(agent, run);
		return;
	}
	if (err.kind == ERROR_INPUT)
		run_refuse(run, err.text);
	else
		run_release(run, err.text);
	roster_add(&agent->roster, run);
}

static void on_again(uv_idle_t *handle)
{
	uv_idle_stop(handle);
}

static void start_waiting(struct agent *agent)
{
	int processes = 0;

	while (may_start(agent)) {
		const struct arrival *first = TAILQ_FIRST(&agent->roster.waiting);
		struct service *service = services_next(agent, first);

		if (service != NULL) {
			start_guest(agent, service);
			continue;
		}
		if (first == NULL)
			return; /* those that wait do so for their services */
		if (processes++ == STARTS_PER_TURN) {
			uv_idle_start(&agent->again, on_again);
			return;
		}
		start_process(agent);
	}
}

static void turn_pools(struct agent *agent)
{
	if (pools_turn(agent, is_open(agent)) == 0)
		return;
	log_error("out of memory for plugin hosts", log_text("agent", agent->hello.agent));
	agent_end(agent, EX_SOFTWARE);
}

/* --- ending ------------------------------------------------------------------------------------ */

static void on_reminder(uv_timer_t *handle)
{
	struct agent *agent = handle->data;

	agent->shared.sweep_wanted = true;
	log_warning("waiting for processes that do not die", log_text("agent", agent->hello.agent),
		    log_number("runs", (int64_t)roster_busy(&agent->roster)));
}

void agent_end(struct agent *agent, int exit_status)
{
	struct run *run;

	if (agent->state >= AGENT_ENDING)
		return;
	agent->state = AGENT_ENDING;
	agent->exit_status = exit_status;
	pools_stop(agent);
	for (run = TAILQ_FIRST(&agent->roster.running); run != NULL; run = TAILQ_NEXT(run, link))
		run_kill(run, RUN_LOST);
	agent->shared.sweep_wanted = true;
}

/* What a SIGKILL does not end soon is worth a line: it holds a slot, or the agent itself. */
static void remind(struct agent *agent)
{
	bool wanted = agent->state == AGENT_ENDING || agent->roster.clearing_count > 0;

	if (!wanted)
		uv_timer_stop(&agent->reminder);
	else if (!uv_is_active((uv_handle_t *)&agent->reminder))
		uv_timer_start(&agent->reminder, on_reminder, REMINDER_MS, REMINDER_MS);
}

static bool has_children(void)
{
	siginfo_t how;

	return waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void close_all(struct agent *agent)
{
	agent->state = AGENT_OVER;
	channel_close(&agent->channel);
	guard_close(&agent->shared.guard);
	uv_close((uv_handle_t *)&agent->turn, NULL);
	uv_close((uv_handle_t *)&agent->again, NULL);
	uv_close((uv_handle_t *)&agent->deaths, NULL);
	uv_close((uv_handle_t *)&agent->reminder, NULL);
	pulse_close(&agent->pulse);
	uv_close((uv_handle_t *)&agent->settling, NULL);
	services_close(agent);
	pools_close(agent);
	roster_fini(&agent->roster);
}

static void end_when_done(struct agent *agent)
{
	if (agent->state == AGENT_STOPPING && roster_living(&agent->roster) == 0)
		agent_end(agent, EX_OK);
	if (agent->state == AGENT_ENDING && !has_children() && channel_is_flushed(&agent->channel))
		close_all(agent);
	else if (agent->shared.sweep_wanted || agent->roster.done_count > 0)
		uv_idle_start(&agent->again, on_again);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static void report(struct agent *agent)
{
	struct error err;

	if (report_turn(&agent->report, &agent->roster, &err) != 0) {
		log_error("cannot report to the dispatcher", log_err(&err));
		agent_end(agent, EX_SOFTWARE);
		channel_close(&agent->channel);
		return;
	}
	channel_flush(&agent->channel);
}

static void on_settling(uv_timer_t *handle)
{
	(void)handle;
	log_settle(false);
}

static void settle_log(struct agent *agent)
{
	int64_t due_ms = log_due_ms();
	int64_t left_ms = due_ms - clock_monotonic_ms();

	if (due_ms == INT64_MAX || uv_is_active((uv_handle_t *)&agent->settling))
		return;
	uv_update_time(&agent->loop);
	uv_timer_start(&agent->settling, on_settling, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

/* Whether a deadline that is taken back could find a job; a service or a plugin host that only waits for one is found by
 * the next turn. */
static bool is_at_work(const struct agent *agent)
{
	return roster_busy(&agent->roster) + pools_busy(agent) > 0;
}

static void on_turn(uv_prepare_t *handle)
{
	struct agent *agent = handle->data;

	settle_log(agent);
	guard_check(&agent->shared.guard);
	if (former_is_here(agent))
		former_drop(agent);
	reap(agent);
	sweep(agent);
	services_turn(agent);
	start_waiting(agent);
	services_flush(agent);
	turn_pools(agent);
	report(agent);
	guard_arm(&agent->shared.guard, is_at_work(agent));
	remind(agent);
	end_when_done(agent);
}

static void on_awake(void *context)
{
	guard_check(&((struct agent *)context)->shared.guard);
}

static void on_frame(void *context, const struct wire_frame *frame)
{
	order_obey(context, frame);
}

static void on_gone(void *context, const struct error *err)
{
	struct agent *agent = context;
	int64_t running = (int64_t)roster_busy(&agent->roster);

	if (err->kind != ERROR_NONE)
		log_error("lost the dispatcher: killing", log_text("agent", agent->hello.agent),
			  log_err(err));
	else if (running > 0)
		log_warning("the dispatcher is gone: killing",
			    log_text("agent", agent->hello.agent), log_number("running", running));
	agent_end(agent, err->kind == ERROR_NONE ? EX_OK : EX_PROTOCOL);
}

static const struct channel_callbacks CHANNEL_CALLBACKS = {
	.awake = on_awake,
	.frame = on_frame,
	.gone = on_gone,
};

static int open_deaths(struct agent *agent, int deaths_fd, struct error *err)
{
	agent->deaths_fd = deaths_fd;
	if (uv_poll_init(&agent->loop, &agent->deaths, deaths_fd) != 0)
		return error_set(err, ERROR_FATAL, "cannot watch for the end of children");
	agent->deaths.data = agent;
	uv_poll_start(&agent->deaths, UV_READABLE, on_death);
	return 0;
}

static void open_handles(struct agent *agent)
{
	uv_prepare_init(&agent->loop, &agent->turn);
	uv_idle_init(&agent->loop, &agent->again);
	uv_timer_init(&agent->loop, &agent->reminder);
	uv_timer_init(&agent->loop, &agent->settling);
	agent->turn.data = agent;
	agent->reminder.data = agent;
	uv_prepare_start(&agent->turn, on_turn);
}

/* A failure here ends the process, which gives everything back. */
int agent_open(struct agent **agent, int socket_fd, struct fence *fence, int deaths_fd,
	       struct error *err)
{
	struct agent *made = calloc(1, sizeof(*made));

	if (made == NULL || (made->shared.scratch = malloc(RUN_SCRATCH_BYTES)) == NULL ||
	    uv_loop_init(&made->loop) != 0)
		return error_set(err, ERROR_FATAL, "cannot make the event loop");
	made->shared.loop = &made->loop;
	roster_init(&made->roster);
	TAILQ_INIT(&made->shared.notes);
	report_init(&made->report, &made->shared.notes, &made->channel.out);
	open_handles(made);
	pulse_open(&made->pulse, &made->loop, fence);
	made->shared.cgroup.fd = -1; /* until HELLO */
	if (open_deaths(made, deaths_fd, err) != 0 ||
	    guard_open(&made->shared.guard, &made->loop, fence, on_fence, made, err) != 0 ||
	    shim_open(&made->shared.shim, err) != 0 || stray_open(&made->finder, err) != 0 ||
	    channel_open(&made->channel, &made->loop, socket_fd, &CHANNEL_CALLBACKS, made, err) !=
		    0)
		return -1;
	*agent = made;
	return 0;
}

int agent_run(struct agent *agent)
{
	uv_run(&agent->loop, UV_RUN_DEFAULT);
	return agent->exit_status;
}

void agent_close(struct agent *agent)
{
	uv_loop_close(&agent->loop);
	stray_close(&agent->finder);
	shim_close(&agent->shared.shim);
	cgroup_close(&agent->shared.cgroup);
	report_fini(&agent->report);
	for (size_t i = 0; i < agent->program_count; i++)
		program_drop(agent->programs[i]);
	free(agent->programs);
	free(agent->pool_shared.program);
	wire_hello_fini(&agent->hello);
	free(agent->shared.scratch);
	free(agent);
}
