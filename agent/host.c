#include "agent/host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/host_fate.h"
#include "agent/pool.h"
#include "base/clock.h"

enum {
	AHEAD_US = 20000, /* how much work it is sent ahead */
	AHEAD_BYTES = 4 * 1024 * 1024,
	MEAN_SHARE = 4, /* a measurement's weight in the mean is one part in this */
	HELD_UP_MS = 20,
	RECALL_MS = 100, /* what waits behind a longer errand is called back */
	OUT_BYTES_FULL = 16 * 1024 * 1024,
	AFTERMATH_MS = 1000, /* who dies so soon after a job dies of it */
};

/* --- frames from the host ---------------------------------------------------------------------- */

static void fail(struct host *host)
{
	host->pool->failed = true;
}

static void let_go(struct host *host, struct errand *errand)
{
	TAILQ_REMOVE(&host->errands, errand, link);
	host->count--;
	host->bytes -= errand->job.payload.length;
	if (errand->alone)
		errand->member->on_trial = false;
}

static void take_started(struct host *host, const struct wire_frame *frame)
{
	struct wire_started started;
	const struct errand *errand;
	size_t at = 0;

	while (wire_read_started(frame, &at, &started, NULL) == 1) {
		errand = errand_find(&host->errands, started.id, started.claim_id);
		if (errand != NULL && !errand->lost && !host->pool->is_mute &&
		    wire_write_started(host->pool->shared->out, &started, 1, NULL) != 0)
			fail(host);
	}
}

/* Whether an errand that the host hands back is better tried by another host. */
static bool comes_back(const struct host *host, const struct errand *errand,
		       const struct wire_outcome *outcome)
{
	return outcome->verdict == VERDICT_RELEASED && outcome->started_ms == 0 &&
	       !errand->cancelled && host->pool->releases == NULL &&
	       !errand->member->program->broken;
}

/* Takes in one outcome. Returns whether it is for the dispatcher. */
static bool take_outcome(struct host *host, const struct wire_outcome *outcome)
{
	struct errand *errand = errand_find(&host->errands, outcome->id, outcome->claim_id);
	bool wanted;

	if (errand == NULL)
		return false;
	let_go(host, errand);
	if (outcome->started_ms > 0 && outcome->verdict != VERDICT_RELEASED) {
		host->last = errand->member;
		errand->member->suspect = false;
	}
	if (outcome->verdict == VERDICT_DONE || outcome->verdict == VERDICT_SETTLED) {
		breaker_success(&errand->member->breaker);
		breaker_success(&host->pool->pace);
	}
	wanted = !errand->lost && !host->pool->is_mute;
	if (wanted && comes_back(host, errand, outcome)) {
		pool_return(host->pool, errand);
		return false;
	}
	errand_free(errand);
	return wanted;
}

static void measure(struct host *host, size_t ended)
{
	int64_t now_ms = clock_boottime_ms();
	int64_t took_us = (now_ms - host->measured_ms) * 1000 + 500; /* half the clock's step */

	host->mean_us += (took_us / (int64_t)ended - host->mean_us) / MEAN_SHARE;
	host->measured_ms = now_ms;
	host->last_ms = now_ms;
}

/* The frame goes on as it came when all of it is for the dispatcher. */
static void take_outcomes(struct host *host, const struct wire_frame *frame)
{
	struct wire_outcome *wanted = calloc(host->count + 1, sizeof(*wanted));
	size_t wanted_count = 0;
	size_t count = 0;
	size_t at = 0;
	int failed = wanted == NULL ? -1 : 0;

	/* No more are wanted than there are: each takes its errand away. */
	while (failed == 0 && wire_read_outcome(frame, &at, &wanted[wanted_count], NULL) == 1) {
		count++;
		if (take_outcome(host, &wanted[wanted_count]))
			wanted_count++;
	}
	if (failed == 0 && wanted_count == count && count > 0)
		failed = wire_relay(host->pool->shared->out, frame, NULL);
	else if (failed == 0 && wanted_count > 0)
		failed = wire_write_outcome(host->pool->shared->out, wanted, wanted_count, NULL);
	if (failed != 0)
		fail(host);
	if (count > 0)
		measure(host, count);
	free(wanted);
}

static void take_broken(struct host *host, const struct wire_frame *frame)
{
	struct wire_broken broken;

	if (wire_read_broken(frame, &broken, NULL) == 0)
		pool_break(host->pool, &broken);
}

static void on_frame(void *context, const struct wire_frame *frame)
{
	struct host *host = context;

	switch (frame->type) {
	case WIRE_READY:
		host->ready = true;
		break;
	case WIRE_STARTED:
		take_started(host, frame);
		break;
	case WIRE_OUTCOME:
		take_outcomes(host, frame);
		break;
	case WIRE_BROKEN:
		take_broken(host, frame);
		break;
	case WIRE_HELLO:
	case WIRE_RUN:
	case WIRE_CANCEL:
	case WIRE_STOP:
	case WIRE_RELOAD:
	case WIRE_RECALL:
	case WIRE_MENDED:
	case WIRE_NOTE:
		break;
	}
}

static void on_awake(void *context)
{
	guard_check(&((struct host *)context)->pool->shared->run->guard);
}

static void on_gone(void *context, const struct error *err)
{
	struct host *host = context;

	(void)err;
	/* Does nothing to one that exits; its death says more. */
	run_kill(host->run, RUN_FAULTY);
}

static void on_closed(void *context)
{
	struct host *host = context;

	host->closed = true;
	if (host->freeing)
		free(host);
}

static const struct channel_callbacks CALLBACKS = {
	.awake = on_awake,
	.frame = on_frame,
	.gone = on_gone,
	.closed = on_closed,
};

/* --- starting ---------------------------------------------------------------------------------- */

static struct host *make(struct pool *pool)
{
	struct host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		return NULL;
	host->pool = pool;
	host->mean_us = AHEAD_US;
	TAILQ_INIT(&host->errands);
	return host;
}

/* Starts the process with both descriptors, which are the process's alone then. */
static int start_process(struct host *host, int socket_fd, int slate_fd, struct error *err)
{
	struct pool *pool = host->pool;

	host->run = run_make_host(pool->shared->run, pool->program, host, err);
	if (host->run == NULL) {
		close(socket_fd);
		close(slate_fd);
		return -1;
	}
	if (run_start_host(host->run, socket_fd, slate_fd, err) == 0)
		return 0;
	run_free(host->run);
	return -1;
}

int host_start(struct host **host, struct pool *pool, const struct wire_hello *hello,
	       struct error *err)
{
	struct host *made = make(pool);
	int slate_fd;
	int ends[2];

	if (made == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a process");
	if (slate_create(&made->slate, &slate_fd, err) != 0)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
		error_set_errno(err, ERROR_RETRY, errno, "cannot make a socket pair");
		close(slate_fd);
		goto fail;
	}
	if (start_process(made, ends[1], slate_fd, err) != 0) {
		close(ends[0]);
		goto fail;
	}
	roster_add(pool->shared->roster, made->run);
	made->opened = channel_open(&made->channel, pool->shared->run->loop, ends[0], &CALLBACKS,
				    made, err) == 0;
	if (!made->opened || wire_write_hello(&made->channel.out, hello, err) != 0)
		run_kill(made->run, RUN_FAULTY);
	*host = made;
	return 0;
fail:
	slate_close(made->slate);
	free(made);
	return -1;
}

/* --- errands ----------------------------------------------------------------------------------- */

size_t host_room(const struct host *host)
{
	bool ahead = host->pool->handler.fence != HANDLER_FENCE_FINISH;
	const struct errand *first = TAILQ_FIRST(&host->errands);
	int64_t credit = ahead ? AHEAD_US / (host->mean_us > 0 ? host->mean_us : 1) : 1;

	if (host->run->state != RUN_RUNNING || host->told || !host->channel.open ||
	    (first != NULL && first->alone) || host->bytes >= AHEAD_BYTES ||
	    buffer_length(&host->channel.out) >= OUT_BYTES_FULL)
		return 0;
	if (credit < 1 || !host->ready)
		credit = 1;
	if (credit > HOST_CREDIT_MAX)
		credit = HOST_CREDIT_MAX;
	return host->count >= (size_t)credit ? 0 : (size_t)credit - host->count;
}

bool host_is_held_up(const struct host *host)
{
	struct slate_view view = slate_read(host->slate);

	return view.running && clock_boottime_ms() - view.begun_ms >= HELD_UP_MS;
}

static void set_limit(struct host *host)
{
	slate_set_limit_ms(host->slate, guard_limit_ms(&host->pool->shared->run->guard));
}

int host_send(struct host *host, struct errand_list *errands, size_t count, struct error *err)
{
	struct wire_job *jobs = calloc(count, sizeof(*jobs));
	struct errand *errand;
	size_t i = 0;
	int status;

	if (jobs == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for jobs");
	if (host->count == 0)
		host->measured_ms = clock_boottime_ms();
	set_limit(host);
	TAILQ_FOREACH(errand, errands, link)
	{
		errand->number = ++host->numbers;
		host->bytes += errand->job.payload.length;
		jobs[i++] = errand->job;
	}
	host->count += count;
	TAILQ_CONCAT(&host->errands, errands, link);
	status = wire_write_run(&host->channel.out, jobs, count, err);
	free(jobs);
	return status;
}

void host_cancel(struct host *host, struct errand *errand, enum wire_cancel_reason reason)
{
	struct wire_cancel cancel = { errand->job.id, errand->job.claim_id, reason };
	int64_t now_ms = clock_boottime_ms();

	switch (reason) {
	case WIRE_CANCEL_REQUESTED:
		errand->cancelled = true;
		errand->kill_due_ms = now_ms + host->pool->shared->run->kill_grace_ms;
		break;
	case WIRE_CANCEL_LOST:
		errand->lost = true;
		errand->kill_due_ms = now_ms;
		break;
	case WIRE_CANCEL_RECALL:
		errand->recalled = true;
		break;
	}
	if (host->channel.open && wire_write_cancel(&host->channel.out, &cancel, 1, NULL) != 0)
		fail(host);
	host_look(host, now_ms);
}

/* --- its clock --------------------------------------------------------------------------------- */

static void kill_for(struct host *host, const char *fault)
{
	host->fault = fault;
	run_kill(host->run, RUN_HUNG);
}

static void look_at_progress(struct host *host, const struct errand *errand, int64_t now_ms,
			     const struct slate_view *view)
{
	int64_t most_ms = errand->member->program->handler->progress_timeout_ms;

	if (view->progress != host->progress || host->progress_ms < view->begun_ms) {
		host->progress = view->progress;
		host->progress_ms = now_ms;
	}
	if (most_ms > 0 && now_ms - host->progress_ms >= most_ms)
		kill_for(host, "hung: it showed no progress");
}

static void look_at_time(struct host *host, const struct errand *errand, int64_t now_ms,
			 const struct slate_view *view)
{
	int64_t timeout_ms = errand->job.timeout_ms;
	int64_t grace_ms = host->pool->shared->run->kill_grace_ms;

	if (timeout_ms > 0 && now_ms - view->begun_ms >= timeout_ms + grace_ms) {
		host->timed_out = true;
		kill_for(host, "timed out");
	} else if (errand->kill_due_ms > 0 && now_ms >= errand->kill_due_ms) {
		kill_for(host, "it did not end when it was told to");
	} else {
		look_at_progress(host, errand, now_ms, view);
	}
}

static void recall_others(struct host *host, const struct errand *running)
{
	struct errand *errand;

	TAILQ_FOREACH(errand, &host->errands, link)
	{
		if (errand != running && !errand->recalled && !errand->cancelled && !errand->lost)
			host_cancel(host, errand, WIRE_CANCEL_RECALL);
	}
}

void host_recall(struct host *host)
{
	struct slate_view view = slate_read(host->slate);

	recall_others(host, view.running ? errand_by_number(&host->errands, view.begun) : NULL);
}

void host_look(struct host *host, int64_t now_ms)
{
	struct slate_view view = slate_read(host->slate);
	struct errand *errand = view.running ? errand_by_number(&host->errands, view.begun) : NULL;
	int64_t ran_us = (now_ms - view.begun_ms) * 1000;

	set_limit(host);
	if (errand == NULL || host->run->state >= RUN_KILLING)
		return;
	look_at_time(host, errand, now_ms, &view);
	if (ran_us > host->mean_us)
		host->mean_us = ran_us;
	if (ran_us >= RECALL_MS * 1000)
		recall_others(host, errand);
}

void host_flush(struct host *host)
{
	struct wire_stop stop = { .grace_ms = host->pool->shared->run->kill_grace_ms };

	if (!host->channel.open)
		return;
	if (host->run->state >= RUN_TERMINATING && !host->told) {
		host->told = true;
		if (wire_write_stop(&host->channel.out, &stop, NULL) != 0)
			fail(host);
	}
	if (buffer_length(&host->channel.out) > 0)
		channel_flush(&host->channel);
}

/* --- the end ----------------------------------------------------------------------------------- */

static void end_errands(struct host *host)
{
	struct slate_view view = slate_read(host->slate);
	struct wire_outcome outcome;
	struct errand *errand;

	/* From the last to the first, so that those that wait again keep their order. */
	while ((errand = TAILQ_LAST(&host->errands, errand_list)) != NULL) {
		let_go(host, errand);
		if (errand->lost)
			errand_free(errand);
		else if (host_fate_judge(host, errand, &view, &outcome))
			pool_report(host->pool, errand, &outcome);
		else
			pool_return(host->pool, errand);
	}
}

/* Whose job ran, or had just ended, when the host died; or NULL. */
static struct member *blame(const struct host *host, const struct slate_view *view)
{
	const struct errand *errand = errand_by_number(&host->errands, view->begun);

	if (errand != NULL)
		return errand->member;
	return host->run->ended_ms - host->last_ms < AFTERMATH_MS ? host->last : NULL;
}

static void count_crash(struct host *host)
{
	struct slate_view view = slate_read(host->slate);
	struct member *member = blame(host, &view);
	int64_t lived_ms = clock_boottime_ms() - host->run->started_ms;
	char fault[HOST_FATE_TEXT_SIZE];

	if (!host_fate_is_crash(host,
				view.running ? errand_by_number(&host->errands, view.begun) : NULL))
		return;
	host_fate_text(host, fault);
	if (host->ready && member == NULL)
		pool_pace(host->pool, lived_ms, fault);
	else
		pool_crash(host->pool, member, lived_ms, fault);
}

void host_end(struct host *host)
{
	if (host->opened)
		channel_drain(&host->channel);
	count_crash(host);
	end_errands(host);
	host->run->host = NULL;
	host->run = NULL;
	TAILQ_REMOVE(&host->pool->hosts, host, link);
	host->pool->host_count--;
	host_free(host);
}

void host_free(struct host *host)
{
	struct errand *errand;

	while ((errand = TAILQ_FIRST(&host->errands)) != NULL) {
		TAILQ_REMOVE(&host->errands, errand, link);
		errand_free(errand);
	}
	slate_close(host->slate);
	host->slate = NULL;
	host->freeing = true;
	if (!host->opened || host->closed)
		free(host);
	else
		channel_close(&host->channel);
}
