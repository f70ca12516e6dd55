#include "agent/host/desk.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/host/post.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	NAP_MS = 2,            /* while jobs end quickly, what ended is sent at this pace */
	NAP_JOBS = 128,        /* or when so many have ended */
	LIMIT_LOOK_MS = 20,    /* a host that may begin nothing looks again */
	CANCEL_AGAIN_MS = 100, /* a cancellation between two statements hits none */
	REST_MAX_MS = 3600 * 1000,
};

enum rest {
	REST_AWAKE,
	REST_NAPPING, /* wakes soon by itself */
	REST_ASLEEP,  /* wakes for bytes, a deadline, or when it is woken */
};

struct desk {
	struct post post; /* the thread's, after desk_start */
	struct slate *slate;
	struct store *store;
	pthread_t thread;
	int wake_fd;
	uint64_t numbers;      /* jobs received; the thread's */
	int64_t cancel_due_ms; /* under the lock */
	pthread_mutex_t lock;  /* guards what follows */
	pthread_cond_t changed;
	struct locum_job_list waiting;
	struct locum_job_list ended;
	size_t ended_count;
	struct locum_job *running;
	struct buffer broken; /* BROKEN frames */
	enum rest rest;
	bool stopping;
};

/* --- the main thread --------------------------------------------------------------------------- */

/* Returns whether the thread is to be woken. */
static bool hand_in(struct desk *desk, struct locum_job *job)
{
	desk->running = NULL;
	if (job == NULL)
		return false;
	TAILQ_INSERT_TAIL(&desk->ended, job, link);
	desk->ended_count++;
	return desk->rest == REST_ASLEEP ||
	       (desk->rest == REST_NAPPING &&
		(desk->ended_count >= NAP_JOBS || TAILQ_EMPTY(&desk->waiting)));
}

/* There is nobody to say anything to, or no way: as when the agent itself dies. */
static void die(const struct error *err)
{
	if (err->kind != ERROR_NONE)
		log_error("plugin host ends", log_err(err));
	kill(getpid(), SIGKILL);
}

static void wake(struct desk *desk)
{
	uint64_t one = 1;
	struct error err;

	/* A full counter wakes it, too. */
	if (write(desk->wake_fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
		return;
	/* Asleep, the thread holds the closed descriptors open: nobody would ever know. */
	error_set_errno(&err, ERROR_FATAL, errno, "a handler closed what the host needs");
	die(&err);
}

static void wait_ms(struct desk *desk, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&desk->changed, &desk->lock, &until);
}

static struct locum_job *take_up(struct desk *desk, int64_t now_ms)
{
	struct locum_job *job = TAILQ_FIRST(&desk->waiting);

	TAILQ_REMOVE(&desk->waiting, job, link);
	job->store = desk->store;
	job->slate = desk->slate;
	job->started_ms = now_ms;
	desk->running = job;
	slate_begin(desk->slate, job->number, now_ms);
	return job;
}

struct locum_job *desk_next(struct desk *desk, struct locum_job *ended)
{
	struct locum_job *job = NULL;
	int64_t now_ms;

	if (ended != NULL)
		slate_end(desk->slate, ended->number);
	pthread_mutex_lock(&desk->lock);
	if (hand_in(desk, ended))
		wake(desk);
	while (job == NULL && !desk->stopping) {
		now_ms = clock_boottime_ms();
		if (TAILQ_EMPTY(&desk->waiting))
			pthread_cond_wait(&desk->changed, &desk->lock);
		else if (now_ms >= slate_limit_ms(desk->slate))
			wait_ms(desk, LIMIT_LOOK_MS);
		else
			job = take_up(desk, now_ms);
	}
	pthread_mutex_unlock(&desk->lock);
	return job;
}

void desk_break(struct desk *desk, struct wire_bytes handler, const char *reason)
{
	struct wire_broken broken = {
		.handler = handler,
		.reason = { reason, (uint32_t)strlen(reason) },
	};

	pthread_mutex_lock(&desk->lock);
	wire_write_broken(&desk->broken, &broken, NULL);
	pthread_mutex_unlock(&desk->lock);
}

/* Hands back what waits; the lock is held. */
static void release_waiting(struct desk *desk)
{
	struct locum_job *job;

	while ((job = TAILQ_FIRST(&desk->waiting)) != NULL) {
		TAILQ_REMOVE(&desk->waiting, job, link);
		locum_job_end(job, VERDICT_RELEASED, "released: the plugin host is stopping");
		TAILQ_INSERT_TAIL(&desk->ended, job, link);
		desk->ended_count++;
	}
}

void desk_retire(struct desk *desk)
{
	pthread_mutex_lock(&desk->lock);
	desk->stopping = true;
	release_waiting(desk);
	pthread_mutex_unlock(&desk->lock);
	wake(desk);
}

bool desk_pause(struct desk *desk, int64_t ms)
{
	bool goes_on;

	pthread_mutex_lock(&desk->lock);
	wait_ms(desk, ms);
	goes_on = desk->running != NULL && !locum_job_cancelled(desk->running);
	pthread_mutex_unlock(&desk->lock);
	return goes_on;
}

/* --- what the agent says ----------------------------------------------------------------------- */

static int take_jobs(struct desk *desk, const struct wire_frame *frame, struct error *err)
{
	struct locum_job_list jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct locum_job *job;
	struct wire_job wire;
	size_t at = 0;
	int more;

	while ((more = wire_read_run(frame, &at, &wire, err)) == 1) {
		job = locum_job_make(&wire, ++desk->numbers, err);
		if (job == NULL)
			return -1;
		TAILQ_INSERT_TAIL(&jobs, job, link);
	}
	pthread_mutex_lock(&desk->lock);
	TAILQ_CONCAT(&desk->waiting, &jobs, link);
	if (desk->stopping)
		release_waiting(desk);
	pthread_cond_signal(&desk->changed);
	pthread_mutex_unlock(&desk->lock);
	return more;
}

static bool is_of(const struct locum_job *job, const struct wire_cancel *cancel)
{
	return job != NULL && job->wire.id == cancel->id &&
	       uuid_same(job->wire.claim_id, cancel->claim_id);
}

static void cancel_waiting(struct desk *desk, const struct wire_cancel *cancel)
{
	struct locum_job *job;

	TAILQ_FOREACH(job, &desk->waiting, link)
	{
		if (!is_of(job, cancel))
			continue;
		TAILQ_REMOVE(&desk->waiting, job, link);
		/* The agent leaves out whose outcome nobody wants. */
		if (cancel->reason == WIRE_CANCEL_RECALL)
			locum_job_end(job, VERDICT_RELEASED, NULL);
		else
			locum_job_end(job, VERDICT_CANCELLED, "cancelled on request");
		TAILQ_INSERT_TAIL(&desk->ended, job, link);
		desk->ended_count++;
		return;
	}
}

/* Wants the running job to end. The connection is aimed at under the lock, while that job cannot end. */
static bool stop_running(struct desk *desk, enum locum_job_stop reason)
{
	locum_job_stop(desk->running, reason);
	pthread_cond_signal(&desk->changed);
	desk->cancel_due_ms = clock_boottime_ms() + CANCEL_AGAIN_MS;
	return store_aim(desk->store);
}

static int cancel_jobs(struct desk *desk, const struct wire_frame *frame, struct error *err)
{
	struct wire_cancel cancel;
	size_t at = 0;
	int more;

	while ((more = wire_read_cancel(frame, &at, &cancel, err)) == 1) {
		bool aimed = false;

		pthread_mutex_lock(&desk->lock);
		if (is_of(desk->running, &cancel) && cancel.reason != WIRE_CANCEL_RECALL)
			aimed = stop_running(desk, LOCUM_JOB_CANCELLED);
		else
			cancel_waiting(desk, &cancel);
		pthread_mutex_unlock(&desk->lock);
		if (aimed)
			store_fire(desk->store);
	}
	return more;
}

static void stop(struct desk *desk)
{
	bool aimed = false;

	pthread_mutex_lock(&desk->lock);
	desk->stopping = true;
	release_waiting(desk);
	if (desk->running != NULL)
		aimed = stop_running(desk, LOCUM_JOB_STOPPED);
	pthread_cond_signal(&desk->changed);
	pthread_mutex_unlock(&desk->lock);
	if (aimed)
		store_fire(desk->store);
}

static int obey(struct desk *desk, const struct wire_frame *frame, struct error *err)
{
	if (frame->type == WIRE_RUN)
		return take_jobs(desk, frame, err);
	if (frame->type == WIRE_CANCEL)
		return cancel_jobs(desk, frame, err);
	if (frame->type != WIRE_STOP)
		return error_set(err, ERROR_FATAL,
				 "the agent sent a frame that is not its to send");
	stop(desk);
	return 0;
}

/* --- the thread -------------------------------------------------------------------------------- */

/* What one turn sends. */
struct bundle {
	struct locum_job_list ended;
	size_t count;
	struct buffer broken;
	struct wire_started started;
	bool has_started;
	bool over;
};

static void announce(struct desk *desk, struct bundle *bundle)
{
	struct locum_job *job = desk->running;

	if (job == NULL || job->announced)
		return;
	job->announced = true;
	bundle->has_started = true;
	bundle->started = (struct wire_started){
		.id = job->wire.id,
		.claim_id = job->wire.claim_id,
		.started_ms = job->started_ms,
	};
}

/* When the running job is to be stopped, or stopped once more; INT64_MAX: never. */
static int64_t stop_due_ms(const struct desk *desk)
{
	const struct locum_job *job = desk->running;

	if (job == NULL)
		return INT64_MAX;
	if (locum_job_cancelled(job))
		return desk->cancel_due_ms;
	return job->wire.timeout_ms == 0 ? INT64_MAX : job->started_ms + job->wire.timeout_ms;
}

/* Stops the running job when it is time. Returns how long the thread may rest, or -1. */
static int mind_time(struct desk *desk, bool *aimed)
{
	int64_t due_ms = stop_due_ms(desk);
	int64_t now_ms = due_ms == INT64_MAX ? 0 : clock_boottime_ms();

	if (due_ms == INT64_MAX)
		return -1;
	if (due_ms <= now_ms) {
		*aimed = stop_running(desk, LOCUM_JOB_TIMED_OUT);
		return CANCEL_AGAIN_MS;
	}
	return due_ms - now_ms > REST_MAX_MS ? REST_MAX_MS : (int)(due_ms - now_ms);
}

/* Takes what is to be sent, and returns how long the thread may rest. */
static int collect(struct desk *desk, struct bundle *bundle)
{
	bool aimed = false;
	bool quiet;
	int rest_ms;

	*bundle = (struct bundle){ .ended = TAILQ_HEAD_INITIALIZER(bundle->ended) };
	pthread_mutex_lock(&desk->lock);
	TAILQ_CONCAT(&bundle->ended, &desk->ended, link);
	bundle->count = desk->ended_count;
	desk->ended_count = 0;
	bundle->broken = desk->broken;
	buffer_init(&desk->broken, WIRE_FRAME_MAX);
	announce(desk, bundle);
	rest_ms = mind_time(desk, &aimed);
	/* One long job, or none at all. */
	quiet = bundle->count == 0 && !bundle->has_started &&
		(desk->running != NULL || TAILQ_EMPTY(&desk->waiting));
	bundle->over = desk->stopping && desk->running == NULL && bundle->count == 0;
	desk->rest = quiet ? REST_ASLEEP : REST_NAPPING;
	pthread_mutex_unlock(&desk->lock);
	if (aimed)
		store_fire(desk->store);
	return quiet || (rest_ms >= 0 && rest_ms < NAP_MS) ? rest_ms : NAP_MS;
}

static void send_bundle(struct desk *desk, struct bundle *bundle, struct error *err)
{
	if (post_send(&desk->post, &bundle->broken, &bundle->ended, bundle->count, err) != 0)
		die(err);
	if (bundle->has_started &&
	    wire_write_started(&desk->post.out, &bundle->started, 1, err) != 0)
		die(err);
	buffer_free(&bundle->broken);
	if (post_flush(&desk->post, err) != 0)
		die(err);
}

static void rest(struct desk *desk, int rest_ms)
{
	struct pollfd fds[2] = {
		{ .fd = desk->post.fd, .events = POLLIN },
		{ .fd = desk->wake_fd, .events = POLLIN },
	};
	uint64_t count;

	if (buffer_length(&desk->post.out) > 0)
		fds[0].events |= POLLOUT;
	poll(fds, 2, rest_ms);
	pthread_mutex_lock(&desk->lock);
	desk->rest = REST_AWAKE;
	pthread_mutex_unlock(&desk->lock);
	if ((fds[1].revents & POLLIN) != 0 && read(desk->wake_fd, &count, sizeof(count)) < 0)
		return;
}

static void receive(struct desk *desk, struct error *err)
{
	struct wire_frame frame;
	int got;

	if (post_fill(&desk->post, err) != 0)
		die(err);
	while ((got = wire_next(&desk->post.in, &frame, err)) == 1) {
		if (obey(desk, &frame, err) < 0)
			die(err);
		wire_done(&desk->post.in, &frame);
	}
	if (got < 0)
		die(err);
}

static void *serve(void *context)
{
	struct error err = { .kind = ERROR_NONE };
	struct desk *desk = context;
	struct bundle bundle;
	int rest_ms;

	do {
		receive(desk, &err);
		rest_ms = collect(desk, &bundle);
		send_bundle(desk, &bundle, &err);
		if (!bundle.over || buffer_length(&desk->post.out) > 0)
			rest(desk, rest_ms);
	} while (!bundle.over || buffer_length(&desk->post.out) > 0);
	return NULL;
}

/* --- opening and closing ----------------------------------------------------------------------- */

static void open_parts(struct desk *desk, int socket_fd, struct slate *slate)
{
	pthread_condattr_t monotonic;

	post_open(&desk->post, socket_fd);
	desk->slate = slate;
	desk->rest = REST_AWAKE;
	TAILQ_INIT(&desk->waiting);
	TAILQ_INIT(&desk->ended);
	buffer_init(&desk->broken, WIRE_FRAME_MAX);
	pthread_mutex_init(&desk->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&desk->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int desk_open(struct desk **desk, int socket_fd, struct slate *slate, struct wire_hello *hello,
	      struct error *err)
{
	struct desk *opened = calloc(1, sizeof(*opened));

	if (opened == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	open_parts(opened, socket_fd, slate);
	opened->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (opened->wake_fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make an eventfd");
	if (post_greet(&opened->post, hello, err) != 0)
		return -1;
	*desk = opened;
	return 0;
}

int desk_start(struct desk *desk, struct store *store, struct error *err)
{
	struct wire_ready ready = { .protocol = WIRE_PROTOCOL, .pid = getpid() };
	sigset_t former;
	sigset_t all;
	int failed;

	desk->store = store;
	if (wire_write_ready(&desk->post.out, &ready, err) != 0)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	failed = pthread_create(&desk->thread, NULL, serve, desk);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return failed == 0 ? 0 : error_set_errno(err, ERROR_FATAL, failed, "cannot make a thread");
}

void desk_close(struct desk *desk)
{
	wake(desk);
	pthread_join(desk->thread, NULL);
	post_close(&desk->post);
	buffer_free(&desk->broken);
	pthread_cond_destroy(&desk->changed);
	pthread_mutex_destroy(&desk->lock);
	close(desk->wake_fd);
	free(desk);
}
