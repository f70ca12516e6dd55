#include "agent/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/environment.h"
#include "agent/guest_note.h"
#include "agent/server.h"
#include "agent/verdict.h"
#include "base/clock.h"
#include "base/limits.h"

enum { READS_PER_TURN = 16 };
enum { DRAIN_BYTES_MAX = 2 * 1024 * 1024 }; /* more than any pipe holds */

/* --- state ------------------------------------------------------------------------------------- */

/* The only place that changes a run's state. */
static void enter(struct run *run, enum run_state state)
{
	run->state = state;
	if (state >= RUN_KILLING)
		run->shared->sweep_wanted = true;
}

static void give_reason(struct run *run, enum run_reason reason)
{
	if (run->reason == RUN_UNDISTURBED || (reason >= RUN_CANCELLED && reason > run->reason))
		run->reason = reason;
}

/* --- making ------------------------------------------------------------------------------------ */

static struct run *make(struct run_shared *shared, struct program *program)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return NULL;
	run->shared = shared;
	run->program = program_hold(program);
	run->exit_code = -1;
	run->delay_ms = -1;
	run->pipes = (struct pipes)PIPES_CLOSED;
	buffer_init(&run->result, LIMIT_RESULT_BYTES);
	return run;
}

struct run *run_make(struct run_shared *shared, struct arrival *arrival, struct error *err)
{
	struct run *run = make(shared, arrival->program);

	if (run == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for a run");
		return NULL;
	}
	run->job = arrival_job(arrival);
	run->arrival = arrival;
	return run;
}

static struct run *make_process(struct run_shared *shared, struct program *program,
				enum run_role role, struct error *err)
{
	struct run *run = make(shared, program);

	if (run == NULL) {
		error_set(err, ERROR_RETRY, "out of memory for a process");
		return NULL;
	}
	run->role = role;
	run->job.claim_id = uuid_make();
	return run;
}

struct run *run_make_server(struct run_shared *shared, struct program *program,
			    struct server *server, struct error *err)
{
	struct run *run = make_process(shared, program, RUN_SERVER, err);

	if (run != NULL)
		run->server = server;
	return run;
}

struct run *run_make_host(struct run_shared *shared, struct program *program, struct host *host,
			  struct error *err)
{
	struct run *run = make_process(shared, program, RUN_HOST, err);

	if (run != NULL)
		run->host = host;
	return run;
}

static void end_waiting(struct run *run, enum verdict verdict, const char *why)
{
	run->verdict = verdict;
	snprintf(run->error, sizeof(run->error), "%s", why);
	run->ended_ms = clock_boottime_ms();
	enter(run, RUN_DONE);
}

void run_release(struct run *run, const char *why)
{
	end_waiting(run, VERDICT_RELEASED, why);
}

void run_refuse(struct run *run, const char *why)
{
	end_waiting(run, VERDICT_FAIL, why);
}

/* --- reading ----------------------------------------------------------------------------------- */

typedef void take_bytes(struct run *run, const char *bytes, size_t length);

static void take_output(struct run *run, const char *bytes, size_t length)
{
	output_add(&run->output, bytes, length);
}

static void take_result(struct run *run, const char *bytes, size_t length)
{
	if (run->role == RUN_SERVER) {
		server_take(run->server, bytes, length);
		return;
	}
	if (run->result_too_large || buffer_append(&run->result, bytes, length, NULL) == 0)
		return;
	run->result_too_large = true;
	buffer_free(&run->result);
}

/* Returns what read does; interruptions and bad luck end it as an empty pipe would. */
static ssize_t read_once(struct run *run, int fd, take_bytes *take)
{
	ssize_t got = read(fd, run->shared->scratch, RUN_SCRATCH_BYTES);

	if (got > 0)
		take(run, run->shared->scratch, (size_t)got);
	return got;
}

/* A handler that closed its end must not wake the loop for ever. Returns whether it did. */
static bool read_some(uv_poll_t *handle, int fd, take_bytes *take)
{
	struct run *run = handle->data;

	guard_check(&run->shared->guard);
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t got = read_once(run, fd, take);

		if (got == 0)
			uv_poll_stop(handle);
		if (got < RUN_SCRATCH_BYTES)
			return got == 0;
	}
	return false;
}

static void on_output(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	read_some(handle, ((struct run *)handle->data)->pipes.output_read, take_output);
}

static void on_result(uv_poll_t *handle, int status, int events)
{
	struct run *run = handle->data;

	(void)status;
	(void)events;
	if (read_some(handle, run->pipes.result_read, take_result) && run->role == RUN_SERVER)
		server_hung_up(run->server);
}

static void drain(struct run *run, int fd, take_bytes *take)
{
	size_t total = 0;
	ssize_t got;

	do {
		got = read_once(run, fd, take);
		total += got > 0 ? (size_t)got : 0;
	} while (got > 0 && total < DRAIN_BYTES_MAX);
}

/* --- running ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *handle)
{
	struct run *run = handle->data;

	guard_check(&run->shared->guard);
	if (run->state == RUN_RUNNING)
		run_terminate(run, RUN_TIMED_OUT, run->shared->kill_grace_ms);
	else if (run->state == RUN_TERMINATING)
		run_kill(run, run->reason);
}

/* A handle that the loop knows has its data set; run_free goes by that. */
static int watch_pipe(struct run *run, uv_poll_t *poll, int fd, uv_poll_cb on_bytes,
		      struct error *err)
{
	if (uv_poll_init(run->shared->loop, poll, fd) != 0)
		return error_set(err, ERROR_RETRY, "cannot watch a pipe");
	poll->data = run;
	run->handles++;
	uv_poll_start(poll, UV_READABLE, on_bytes);
	return 0;
}

static int watch(struct run *run, struct error *err)
{
	uv_timer_init(run->shared->loop, &run->timer);
	run->timer.data = run;
	run->handles++;
	if (watch_pipe(run, &run->output_poll, run->pipes.output_read, on_output, err) != 0)
		return -1;
	if (run->pipes.result_read < 0)
		return 0;
	return watch_pipe(run, &run->result_poll, run->pipes.result_read, on_result, err);
}

static char **environment_for(const struct run *run, struct error *err)
{
	if (run_is_process(run))
		return environment_of_service(run->program->environment,
					      run->program->handler->name, run->job.claim_id, err);
	return environment_of_run(run->program->environment, &run->job,
				  run->timeout_ms > 0 ? clock_wall_ms() + run->timeout_ms : 0, err);
}

static pid_t spawn(struct run *run, struct error *err)
{
	bool is_process = run_is_process(run);
	struct shim_plan plan = {
		.program = run->program,
		.limits = run->program->handler->limits,
		.input = run->pipes.input,
		.output = run->pipes.output_write,
		.third = is_process ? run->pipes.orders_read : run->pipes.result_write,
		.fourth = is_process ? run->pipes.result_write : -1,
	};
	char **environment = environment_for(run, err);
	pid_t pid = -1;

	plan.environment = environment;
	run->group = cgroup_make(&run->shared->cgroup, &plan.limits, &plan.group);
	if (environment != NULL)
		pid = shim_spawn(&run->shared->shim, &plan, err);
	if (pid < 0)
		cgroup_remove(&run->shared->cgroup, run->group);
	if (plan.group >= 0)
		close(plan.group);
	free(environment);
	return pid;
}

static void set_timeout(struct run *run)
{
	if (run->timeout_ms == 0)
		return;
	uv_update_time(run->shared->loop);
	uv_timer_start(&run->timer, on_timer, (uint64_t)run->timeout_ms, 0);
}

/* The pipes are open. */
static int start(struct run *run, struct error *err)
{
	if (watch(run, err) != 0)
		return -1;
	run->pid = spawn(run, err);
	if (run->pid < 0)
		return -1;
	run->started_ms = clock_boottime_ms();
	pipes_close_theirs(&run->pipes);
	arrival_free(run->arrival);
	run->arrival = NULL;
	set_timeout(run);
	enter(run, RUN_RUNNING);
	return 0;
}

int run_start(struct run *run, struct error *err)
{
	int64_t own_ms = run->job.timeout_ms;

	run->timeout_ms = own_ms > 0 ? own_ms : run->program->handler->timeout_ms;
	if (pipes_open(&run->pipes, run->job.payload, run->program, err) != 0)
		return -1;
	return start(run, err);
}

int run_start_server(struct run *run, struct error *err)
{
	if (pipes_open_service(&run->pipes, run->program, err) != 0)
		return -1;
	return start(run, err);
}

int run_start_host(struct run *run, int socket_fd, int slate_fd, struct error *err)
{
	if (pipes_open_host(&run->pipes, socket_fd, slate_fd, run->program, err) != 0)
		return -1;
	return start(run, err);
}

/* --- ending ------------------------------------------------------------------------------------ */

/* The main process is not reaped yet, so its pid names nothing else. */
static void signal_group(const struct run *run, int number)
{
	kill(-run->pid, number);
}

/* In this order: what the group's death lets go of is in the control group still. */
static void kill_all(const struct run *run)
{
	signal_group(run, SIGKILL);
	cgroup_kill(&run->shared->cgroup, run->group);
}

static bool has_exited(const struct run *run)
{
	siginfo_t how = { .si_pid = 0 };

	return waitid(P_PID, (id_t)run->pid, &how, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       how.si_pid != 0;
}

void run_expect_end(struct run *run, enum run_reason reason, int64_t grace_ms)
{
	give_reason(run, reason);
	if (run->state != RUN_RUNNING)
		return;
	uv_update_time(run->shared->loop);
	uv_timer_start(&run->timer, on_timer, (uint64_t)grace_ms, 0);
	enter(run, RUN_TERMINATING);
}

void run_terminate(struct run *run, enum run_reason reason, int64_t grace_ms)
{
	if (run->state == RUN_TERMINATING || run->state == RUN_KILLING)
		give_reason(run, reason);
	if (run->state != RUN_RUNNING || has_exited(run))
		return;
	give_reason(run, reason);
	signal_group(run, SIGTERM);
	/* A stopped process acts on SIGTERM only once it goes on. */
	signal_group(run, SIGCONT);
	uv_timer_start(&run->timer, on_timer, (uint64_t)grace_ms, 0);
	enter(run, RUN_TERMINATING);
}

void run_kill(struct run *run, enum run_reason reason)
{
	if (reason == RUN_LOST || run->state == RUN_TERMINATING || run->state == RUN_KILLING)
		give_reason(run, reason);
	if ((run->state != RUN_RUNNING && run->state != RUN_TERMINATING) || has_exited(run))
		return;
	give_reason(run, reason);
	kill_all(run);
	uv_timer_stop(&run->timer);
	enter(run, RUN_KILLING);
}

void run_exited(struct run *run, const siginfo_t *how)
{
	kill_all(run);
	run->ended_ms = clock_boottime_ms();
	if (how->si_code == CLD_EXITED)
		run->exit_code = how->si_status;
	else
		run->signal = how->si_status;
	uv_timer_stop(&run->timer);
	enter(run, RUN_CLEARING);
}

bool run_is_cleared(const struct run *run)
{
	return !run->has_strays && cgroup_remove(&run->shared->cgroup, run->group);
}

void run_finish(struct run *run)
{
	drain(run, run->pipes.output_read, take_output);
	drain(run, run->pipes.result_read, take_result);
	run->log = output_text(&run->output, &run->log_length);
	if (!run_is_process(run))
		verdict_judge(run);
	enter(run, RUN_DONE);
}

static struct wire_bytes bytes_or_absent(const char *bytes, size_t length)
{
	if (length == 0)
		return (struct wire_bytes){ .bytes = NULL };
	return (struct wire_bytes){ .bytes = bytes, .length = (uint32_t)length };
}

void run_outcome(const struct run *run, struct wire_outcome *outcome)
{
	*outcome = (struct wire_outcome){
		.id = run->job.id,
		.claim_id = run->job.claim_id,
		.verdict = run->verdict,
		.exit_code = run->exit_code,
		.signal = run->signal,
		.started_ms = run->started_ms,
		.ended_ms = run->ended_ms,
		.delay_ms = run->delay_ms,
		.error = bytes_or_absent(run->error, strlen(run->error)),
		.log = bytes_or_absent(run->log, run->log_length),
	};
	if (buffer_length(&run->result) > 0)
		outcome->result = bytes_or_absent(buffer_bytes(&run->result),
						  buffer_length(&run->result));
}

static void let_go(struct run *run)
{
	program_drop(run->program);
	arrival_free(run->arrival);
	free(run->log);
	output_free(&run->output);
	buffer_free(&run->result);
	free(run);
}

static void on_closed(uv_handle_t *handle)
{
	struct run *run = handle->data;

	if (--run->handles == 0)
		let_go(run);
}

static void close_handle(uv_handle_t *handle)
{
	if (handle->data != NULL)
		uv_close(handle, on_closed);
}

void run_free(struct run *run)
{
	bool known = run->handles > 0;

	close_handle((uv_handle_t *)&run->timer);
	close_handle((uv_handle_t *)&run->output_poll);
	close_handle((uv_handle_t *)&run->result_poll);
	pipes_close(&run->pipes);
	guest_note_free(run);
	if (!known)
		let_go(run);
}
