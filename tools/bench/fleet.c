#include "tools/bench/fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "db/db.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "db/job.h"
#include "db/queue.h"

enum {
	ANSWER_MS = 60000,
	DEATH_MS = 30000,
	PING_STATEMENT_MS = 5000,
	JITTER_MS = 50,
	SWEEP_MS = 5000,
	HOUSE_CHUNK = 10000,
	ERRAND_COUNT = 5,
	WATCHED = LIMIT_SUCCESSORS_WATCHED + 1,
};

struct dispatcher {
	struct uuid id;
	struct uuid incarnation;
	int64_t due_ms[ERRAND_COUNT];
};

/* One thread: what a dispatcher's pump and pinger do on their connections, for many dispatchers. */
struct worker {
	pthread_t thread;
	pthread_barrier_t *warm;
	const struct fleet_options *options;
	struct db *pump;
	struct db *pinger;
	struct dispatcher *dispatchers;
	int count;
	int32_t queue;
	uint64_t done[8]; /* by errand */
	int status;
	struct error err;
};

static const char *const QUEUES[] = { "default" };
static const char *const HANDLERS[] = { "true" };

/* --- what a dispatcher does ---------------------------------------------------------------------- */

/* Returns how many rows the first call gave, or -1. */
static int run_calls(struct db *db, struct db_call *calls, size_t count, struct error *err)
{
	PGresult *rows[2] = { NULL, NULL };
	int told = db_run(db, calls, count, rows, err) == 0 ? rows_count(rows[0]) : -1;

	for (size_t i = 0; i < count; i++)
		PQclear(rows[i]);
	return told;
}

static int do_ping(struct worker *worker, const struct dispatcher *self, struct error *err)
{
	struct signal *signals = NULL;
	size_t count;

	if (ping(worker->pinger, self->incarnation, DEATH_MS, err) != 1)
		return -1;
	if (signal_take(worker->pinger, self->incarnation, NULL, 0, &signals, &count, err) != 0)
		return -1;
	free(signals);
	return 0;
}

static void call_look(const struct worker *worker, struct db_call *call)
{
	const struct job_look_args look = {
		.queues = &worker->queue,
		.queue_count = 1,
		.handlers = HANDLERS,
		.handler_count = 1,
		.names = QUEUES,
		.known = &worker->queue,
		.name_count = 1,
	};

	job_look_call(call, &look);
}

/* A scan and a look, as the dispatcher's lookout sends them while everybody pings. */
static int do_watch(struct worker *worker, const struct dispatcher *self, struct error *err)
{
	struct db_call calls[2];
	int told;

	if (worker->options->bare) {
		calls[0].statement = "job_horizon";
		args_init(&calls[0].args);
		return run_calls(worker->pump, calls, 1, err);
	}
	call_look(worker, &calls[1]);
	if (worker->options->dispatchers <= LIMIT_SIBLINGS_WATCHED) {
		sibling_scan_call(&calls[0], self->incarnation);
		return run_calls(worker->pump, calls, 2, err);
	}
	successor_scan_call(&calls[0], self->id, WATCHED);
	told = run_calls(worker->pump, calls, 2, err);
	if (told < 0 || told == WATCHED)
		return told;
	successor_scan_call(&calls[0], (struct uuid){ { 0 } }, WATCHED - told);
	return run_calls(worker->pump, calls, 1, err);
}

static int do_sweep(struct worker *worker, const struct dispatcher *self, struct error *err)
{
	struct uuid *owners = NULL;
	size_t count;

	(void)self;
	if (orphan_owners(worker->pump, &owners, &count, err) != 0)
		return -1;
	free(owners);
	return 0;
}

static int do_reconcile(struct worker *worker, const struct dispatcher *self, struct error *err)
{
	struct db_call calls[2];

	claim_unknown_call(&calls[0], self->incarnation, NULL, 0);
	claim_look_call(&calls[1], NULL, NULL, 0);
	return run_calls(worker->pump, calls, 2, err);
}

/* One of the fleet, at random, by a connection of its own. */
static int do_house(struct worker *worker, const struct dispatcher *self, struct error *err)
{
	const struct db_options reaper = {
		.conninfo = worker->options->conninfo,
		.role = "reaper",
		.incarnation = self->incarnation,
		.prepared = true,
		.pinned = true,
		.answer_ms = ANSWER_MS,
	};
	struct db *db;
	int status = -1;

	if (clock_jitter_ms(worker->options->dispatchers) != 0)
		return 0;
	if (db_open(&db, &reaper, err) != 0)
		return -1;
	if (partition_prepare(db, err) >= 0 && partition_drop(db, err) >= 0 &&
	    house_keep(db, HOUSE_CHUNK, err) >= 0)
		status = 0;
	db_close(db);
	return status;
}

/* The larger the fleet, the less each need sweep. */
static int64_t sweep_interval_ms(const struct worker *worker)
{
	int share = worker->options->dispatchers / LIMIT_SIBLINGS_WATCHED;

	return SWEEP_MS * (share > 1 ? share : 1);
}

static const struct errand {
	const char *name;
	int64_t interval_ms; /* 0: as sweep_interval_ms */
	int (*run)(struct worker *worker, const struct dispatcher *self, struct error *err);
} ERRANDS[] = {
	{ "ping", 5000, do_ping },    { "watch", 1000, do_watch },
	{ "sweep", 0, do_sweep },     { "reconcile", 30000, do_reconcile },
	{ "house", 60000, do_house },
};

_Static_assert(sizeof(ERRANDS) / sizeof(ERRANDS[0]) == ERRAND_COUNT, "each errand has a place");

static int64_t interval_of(const struct worker *worker, int errand)
{
	return ERRANDS[errand].interval_ms > 0 ? ERRANDS[errand].interval_ms
					       : sweep_interval_ms(worker);
}

/* --- one worker ---------------------------------------------------------------------------------- */

static int open_both(struct worker *worker, struct error *err)
{
	const struct db_options pump = {
		.conninfo = worker->options->conninfo,
		.role = "pump",
		.prepared = true,
		.pinned = true,
		.answer_ms = ANSWER_MS,
	};
	const struct db_options pinger = {
		.conninfo = worker->options->conninfo,
		.role = "pinger",
		.prepared = true,
		.answer_ms = ANSWER_MS,
		.statement_ms = PING_STATEMENT_MS,
	};
	struct queue_row queue;

	if (db_open(&worker->pump, &pump, err) != 0 ||
	    db_open(&worker->pinger, &pinger, err) != 0 ||
	    queue_find(worker->pump, QUEUES, 1, &queue, err) < 0)
		return -1;
	worker->queue = queue.id;
	return 0;
}

static int enroll(struct worker *worker, struct dispatcher *dispatcher, struct error *err)
{
	const struct dispatcher_birth birth = {
		.id = uuid_make(),
		.incarnation = uuid_make(),
		.host = "bench",
		.machine_id = "bench",
		.version = "bench",
		.death_interval_ms = DEATH_MS,
	};
	struct dispatcher_twin twin;

	dispatcher->id = birth.id;
	dispatcher->incarnation = birth.incarnation;
	return dispatcher_register(worker->pinger, &birth, &twin, err) == 1 ? 0 : -1;
}

/* Every statement is prepared when this is over. */
static int warm_up(struct worker *worker, struct error *err)
{
	int64_t now_ms;

	for (int i = 0; i < worker->count; i++)
		if (enroll(worker, &worker->dispatchers[i], err) != 0)
			return -1;
	now_ms = clock_monotonic_ms();
	for (int errand = 0; errand < ERRAND_COUNT; errand++) {
		const struct errand *it = &ERRANDS[errand];

		if (it->run(worker, &worker->dispatchers[0], err) < 0)
			return -1;
		for (int i = 0; i < worker->count; i++)
			worker->dispatchers[i].due_ms[errand] =
				now_ms + clock_jitter_ms(interval_of(worker, errand));
	}
	return 0;
}

static void wait_until(int64_t monotonic_ms)
{
	const struct timespec until = { monotonic_ms / 1000, (monotonic_ms % 1000) * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* The errand that is due first. */
static int64_t *first_due(struct worker *worker, int *dispatcher, int *errand)
{
	int64_t *first = NULL;

	for (int i = 0; i < worker->count; i++)
		for (int j = 0; j < ERRAND_COUNT; j++) {
			int64_t *due_ms = &worker->dispatchers[i].due_ms[j];

			if (first != NULL && *due_ms >= *first)
				continue;
			first = due_ms;
			*dispatcher = i;
			*errand = j;
		}
	return first;
}

static int work(struct worker *worker, struct error *err)
{
	int64_t end_ms = clock_monotonic_ms() + worker->options->seconds * INT64_C(1000);
	int dispatcher = 0;
	int errand = 0;
	int64_t *due_ms = first_due(worker, &dispatcher, &errand);

	while (due_ms != NULL && *due_ms < end_ms) {
		const struct errand *it = &ERRANDS[errand];

		wait_until(*due_ms);
		if (it->run(worker, &worker->dispatchers[dispatcher], err) < 0)
			return -1;
		worker->done[errand]++;
		*due_ms = clock_monotonic_ms() + interval_of(worker, errand) +
			  clock_jitter_ms(JITTER_MS);
		due_ms = first_due(worker, &dispatcher, &errand);
	}
	wait_until(end_ms);
	return 0;
}

static void *run(void *context)
{
	struct worker *worker = context;

	if (open_both(worker, &worker->err) != 0 || warm_up(worker, &worker->err) != 0)
		worker->status = -1;
	pthread_barrier_wait(worker->warm);
	if (worker->status == 0)
		worker->status = work(worker, &worker->err);
	return NULL;
}

/* --- all of them --------------------------------------------------------------------------------- */

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static int report(const struct worker *workers, int count, struct error *err)
{
	for (int i = 0; i < count; i++)
		if (workers[i].status != 0) {
			*err = workers[i].err;
			return -1;
		}
	say("over");
	for (int errand = 0; errand < ERRAND_COUNT; errand++) {
		uint64_t done = 0;

		for (int i = 0; i < count; i++)
			done += workers[i].done[errand];
		printf("%s %llu\n", ERRANDS[errand].name, (unsigned long long)done);
	}
	return 0;
}

static void worker_close(struct worker *worker)
{
	db_close(worker->pump);
	db_close(worker->pinger);
	free(worker->dispatchers);
}

/* Shares the dispatchers out. */
static int hire(struct worker *workers, const struct fleet_options *options,
		pthread_barrier_t *warm, struct error *err)
{
	for (int i = 0; i < options->workers; i++) {
		struct worker *worker = &workers[i];

		*worker = (struct worker){ .warm = warm, .options = options };
		worker->count = options->dispatchers / options->workers +
				(i < options->dispatchers % options->workers);
		worker->dispatchers = calloc((size_t)worker->count, sizeof(*worker->dispatchers));
		if (worker->dispatchers == NULL)
			return error_set(err, ERROR_FATAL, "out of memory");
	}
	return 0;
}

static int run_all(struct worker *workers, int count, pthread_barrier_t *warm, struct error *err)
{
	for (int i = 0; i < count; i++) {
		int failed = pthread_create(&workers[i].thread, NULL, run, &workers[i]);

		/* Those that run wait at the barrier: the process ends with this error. */
		if (failed != 0)
			return error_set_errno(err, ERROR_FATAL, failed, "cannot start a thread");
	}
	pthread_barrier_wait(warm);
	say("running");
	for (int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	return report(workers, count, err);
}

int fleet_run(const struct fleet_options *options, struct error *err)
{
	struct worker workers[FLEET_WORKERS_MAX] = { 0 };
	struct fleet_options filled = *options;
	pthread_barrier_t warm;
	int status;

	if (filled.workers > filled.dispatchers)
		filled.workers = filled.dispatchers;
	pthread_barrier_init(&warm, NULL, (unsigned)filled.workers + 1);
	status = hire(workers, &filled, &warm, err);
	if (status == 0)
		status = run_all(workers, filled.workers, &warm, err);
	for (int i = 0; i < filled.workers; i++)
		worker_close(&workers[i]);
	pthread_barrier_destroy(&warm);
	return status;
}

int fleet_ping(const char *conninfo, int pings, struct error *err)
{
	const struct fleet_options options = { .conninfo = conninfo, .dispatchers = 1 };
	struct dispatcher dispatcher = { .due_ms = { 0 } };
	struct worker worker = { .options = &options };
	int status = -1;

	if (open_both(&worker, err) != 0 || enroll(&worker, &dispatcher, err) != 0)
		goto out;
	say("running");
	for (int i = 0; i < pings; i++)
		if (ping(worker.pinger, dispatcher.incarnation, DEATH_MS, err) != 1)
			goto out;
	say("over");
	status = 0;
out:
	worker_close(&worker);
	return status;
}
