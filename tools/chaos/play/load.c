#include "tools/chaos/play/load.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "db/db.h"
#include "db/view.h"
#include "tools/chaos/plan/chance.h"
#include "tools/chaos/play/client.h"

enum {
	LOOK_MS = 50,
	CLOCK_US = 500000,
	ROUND_US = 50000, /* longest that a reading of the clock takes */
	SLOW_MOST = 10,
	PAYLOAD_SIZE = 64,
	ANSWER_MS = 10000,
	EXTRA_MS = 10000,
	QUICK = 100
};

struct load {
	struct stage *stage;
	const struct plan_load *plan;
	struct client *extra; /* of load_submit */
	struct worker *workers;
	int worker_count; /* that were started */
	pthread_t watcher;
	bool watched;
	int stop_fd;    /* readable: nothing new */
	int give_up_fd; /* readable: no sending again */
	int end_fd;     /* readable: the watcher ends */
	_Atomic int64_t acknowledged;
	_Atomic int64_t unfinished;
	_Atomic int64_t ended;
	_Atomic int64_t looks; /* answers of the database, and so their order */
};

/* How the reading of the server's clock goes. */
struct clock {
	int64_t due_us;
	int slow; /* readings in a row that took long */
};

/* A client and its thread. */
struct worker {
	struct load *load;
	pthread_t thread;
	struct client *client;
	uint64_t chance;
	int64_t next_ms; /* not before */
	int64_t *ids;
};

/* --- what the database has ---------------------------------------------------------------------- */

static const char *const UNFINISHED[] = { "waiting",  "scheduled", "pending",
					  "assigned", "active",    "held" };

static int64_t count_unfinished(const PGresult *queues)
{
	int64_t count = 0;

	for (int row = 0; row < PQntuples(queues); row++)
		for (size_t i = 0; i < sizeof(UNFINISHED) / sizeof(UNFINISHED[0]); i++)
			count += view_int(queues, row, UNFINISHED[i]);
	return count;
}

static int look(struct load *load, struct db *db, struct error *err)
{
	int64_t acknowledged = atomic_load(&load->acknowledged);
	PGresult *queues = view_queues(db, err);
	int64_t unfinished;

	if (queues == NULL)
		return -1;
	unfinished = count_unfinished(queues);
	PQclear(queues);
	atomic_store(&load->unfinished, unfinished);
	if (acknowledged - unfinished > atomic_load(&load->ended))
		atomic_store(&load->ended, acknowledged - unfinished);
	atomic_fetch_add(&load->looks, 1);
	return 0;
}

/* The server's clock beside this machine's, for the checker: at the middle between question and answer. What took long says
 * little, and is asked again; of a server that is slow for long the last answer is taken. */
static void compare_clocks(struct load *load, struct db *db, struct clock *clock)
{
	int64_t before_us = history_now_us();
	int64_t wall_us = clock_wall_ms() * 1000;
	struct error err;
	int64_t moment;
	int64_t took_us;

	if (before_us < clock->due_us || view_moment(db, NULL, 0, &moment, &err) != 0)
		return;
	took_us = history_now_us() - before_us;
	if (took_us > ROUND_US && ++clock->slow < SLOW_MOST)
		return;
	clock->slow = 0;
	clock->due_us = before_us + CLOCK_US;
	history_write_at(&load->stage->nemesis, before_us + took_us / 2,
			 "clock %" PRId64 " %" PRId64, wall_us + took_us / 2, view_unix_us(moment));
}

/* Whether the descriptor became readable within the time. */
static bool is_told(int fd, int64_t within_ms)
{
	struct pollfd told = { .fd = fd, .events = POLLIN };

	return poll(&told, 1, within_ms < 0 ? 0 : (int)within_ms) > 0;
}

/* Past what a fault harms; but where the server changes, to whichever takes writes. */
static const char *straight(const struct stage *stage)
{
	return stage->kind == STAGE_REPLICA ? stage_conninfo(stage)
					    : server_conninfo(stage->server);
}

static void *watch(void *argument)
{
	struct load *load = argument;
	const struct db_options options = {
		.conninfo = straight(load->stage),
		.role = "watch",
		.answer_ms = ANSWER_MS,
	};
	struct db *db = NULL;
	struct clock clock = { 0 };
	struct error err;

	while (!is_told(load->end_fd, LOOK_MS)) {
		if (db == NULL && db_open(&db, &options, &err) != 0)
			continue;
		compare_clocks(load, db, &clock);
		if (look(load, db, &err) != 0 && db_is_lost(db)) {
			db_close(db);
			db = NULL;
		}
	}
	db_close(db);
	return NULL;
}

/* --- a client ----------------------------------------------------------------------------------- */

static enum plan_handler draw_handler(struct worker *worker)
{
	const int *weights = worker->load->plan->weights;
	int drawn;
	int sum = 0;

	for (int i = 0; i < PLAN_HANDLERS; i++)
		sum += weights[i];
	drawn = (int)chance_below(&worker->chance, (unsigned)sum);
	for (int i = 0; i < PLAN_HANDLERS; i++) {
		drawn -= weights[i];
		if (drawn < 0)
			return (enum plan_handler)i;
	}
	return PLAN_PLUGIN;
}

/* A command takes long to start; the others work so much less that many of them run. A function sleeps by the clock of the
 * server, and would for an hour if that went back by one meanwhile. */
static int64_t work_us(const struct load *load, enum plan_handler handler)
{
	int64_t us = load->plan->work_ms * 1000;

	if (handler == PLAN_SQL && load->stage->kind == STAGE_CLOCK)
		return 0;
	return handler == PLAN_PLUGIN || handler == PLAN_TRANSACTION || handler == PLAN_SERVICE
		       ? us / QUICK
		       : us;
}

static int fill(struct worker *worker, int count, struct error *err)
{
	for (int i = 0; i < count; i++) {
		enum plan_handler handler = draw_handler(worker);
		char payload[PAYLOAD_SIZE];

		snprintf(payload, sizeof(payload), "{\"work_us\":%" PRId64 "}",
			 work_us(worker->load, handler));
		if (client_add(worker->client, plan_handler_names[handler], payload, NULL, err) !=
		    0)
			return -1;
	}
	return 0;
}

static void cancel_some(struct worker *worker, int count)
{
	for (int i = 0; i < count && !is_told(worker->load->stop_fd, 0); i++)
		if (chance_below(&worker->chance, 100) <
		    (unsigned)worker->load->plan->cancel_percent)
			client_cancel(worker->client, worker->ids[i]);
}

/* Each client's share of the rate; what an outage held up is not caught up with. */
static void pace(struct worker *worker, int count)
{
	const struct plan_load *plan = worker->load->plan;
	int64_t now_ms = clock_monotonic_ms();

	if (plan->rate == 0)
		return;
	if (worker->next_ms < now_ms - 1000)
		worker->next_ms = now_ms;
	worker->next_ms += (int64_t)count * plan->clients * 1000 / plan->rate;
}

/* Waits for its turn; false: the end. */
static bool await_turn(const struct worker *worker)
{
	const struct load *load = worker->load;
	int64_t left;

	do {
		left = worker->next_ms - clock_monotonic_ms();
		if (left < LOOK_MS && load_unfinished(load) >= load->plan->backlog)
			left = LOOK_MS;
		if (is_told(load->stop_fd, left < LOOK_MS ? left : LOOK_MS))
			return false;
	} while (left > 0);
	return true;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct load *load = worker->load;
	struct error err;

	while (await_turn(worker)) {
		int count = 1 +
			    (int)chance_below(&worker->chance, 2 * (unsigned)load->plan->batch - 1);

		if (fill(worker, count, &err) == 0 &&
		    client_submit(worker->client, worker->ids, &err) == CLIENT_STORED) {
			atomic_fetch_add(&load->acknowledged, count);
			cancel_some(worker, count);
		}
		pace(worker, count);
	}
	return NULL;
}

/* --- starting and ending ------------------------------------------------------------------------ */

static int start_worker(struct load *load, int number, struct error *err)
{
	struct worker *worker = &load->workers[number];
	const struct client_options options = {
		.folder = load->stage->folder,
		.conninfo = stage_conninfo(load->stage),
		.number = number + 1,
		.give_up_fd = load->give_up_fd,
	};
	int failure;

	worker->load = load;
	worker->chance = chance_part(load->stage->act->seed, 1000000 + (uint64_t)number);
	worker->ids = calloc((size_t)load->plan->batch * 2, sizeof(*worker->ids));
	if (worker->ids == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	worker->client = client_open(&options, err);
	failure = worker->client == NULL ? -1 : pthread_create(&worker->thread, NULL, work, worker);
	if (failure == 0) {
		load->worker_count++;
		return 0;
	}
	client_close(worker->client);
	free(worker->ids);
	return failure < 0 ? -1
			   : error_set_errno(err, ERROR_RETRY, failure, "cannot start a client");
}

static int start_all(struct load *load, struct error *err)
{
	const struct client_options extra = {
		.folder = load->stage->folder,
		.conninfo = server_conninfo(load->stage->server),
		.give_up_fd = load->give_up_fd,
		.patience_ms = EXTRA_MS,
	};
	int failure;

	if (load->stop_fd < 0 || load->give_up_fd < 0 || load->end_fd < 0)
		return error_set(err, ERROR_RETRY, "cannot make an event");
	load->workers = calloc((size_t)load->plan->clients, sizeof(*load->workers));
	if (load->workers == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	load->extra = client_open(&extra, err);
	if (load->extra == NULL)
		return -1;
	failure = pthread_create(&load->watcher, NULL, watch, load);
	if (failure != 0)
		return error_set_errno(err, ERROR_RETRY, failure, "cannot start a thread");
	load->watched = true;
	for (int i = 0; i < load->plan->clients; i++)
		if (start_worker(load, i, err) != 0)
			return -1;
	return 0;
}

int load_start(struct stage *stage, struct error *err)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	load->stage = stage;
	load->plan = &stage->act->load;
	load->stop_fd = eventfd(0, EFD_CLOEXEC);
	load->give_up_fd = eventfd(0, EFD_CLOEXEC);
	load->end_fd = eventfd(0, EFD_CLOEXEC);
	if (start_all(load, err) != 0) {
		load_free(load);
		return -1;
	}
	stage->load = load;
	return 0;
}

static void tell(int fd)
{
	if (fd >= 0)
		eventfd_write(fd, 1);
}

static void join_all(struct load *load)
{
	for (int i = 0; i < load->worker_count; i++) {
		pthread_join(load->workers[i].thread, NULL);
		client_close(load->workers[i].client);
		free(load->workers[i].ids);
	}
	load->worker_count = 0;
}

void load_stop(struct load *load, int64_t timeout_ms)
{
	struct timespec until;

	tell(load->stop_fd);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	for (int i = 0; i < load->worker_count; i++) {
		if (pthread_timedjoin_np(load->workers[i].thread, NULL, &until) != 0) {
			tell(load->give_up_fd);
			pthread_join(load->workers[i].thread, NULL);
		}
		client_close(load->workers[i].client);
		free(load->workers[i].ids);
	}
	load->worker_count = 0;
}

void load_free(struct load *load)
{
	if (load == NULL)
		return;
	tell(load->stop_fd);
	tell(load->give_up_fd);
	tell(load->end_fd);
	join_all(load);
	if (load->watched)
		pthread_join(load->watcher, NULL);
	client_close(load->extra);
	free(load->workers);
	close(load->stop_fd);
	close(load->give_up_fd);
	close(load->end_fd);
	free(load);
}

/* --- questions ---------------------------------------------------------------------------------- */

int64_t load_acknowledged(const struct load *load)
{
	return atomic_load(&load->acknowledged);
}

int64_t load_ended(const struct load *load)
{
	return atomic_load(&load->ended);
}

int64_t load_unfinished(const struct load *load)
{
	return atomic_load(&load->unfinished);
}

int load_submit_as(struct load *load, const char *handler, const char *payload, const char *options,
		   int64_t *job, struct error *err)
{
	if (client_add(load->extra, handler, payload, options, err) != 0 ||
	    client_submit(load->extra, job, err) != CLIENT_STORED)
		return -1;
	atomic_fetch_add(&load->acknowledged, 1);
	return 0;
}

int load_submit(struct load *load, const char *handler, const char *payload, int64_t *job,
		struct error *err)
{
	return load_submit_as(load, handler, payload, NULL, job, err);
}

bool load_cancel(struct load *load, int64_t job)
{
	return client_cancel(load->extra, job);
}

int load_retry(struct load *load, int64_t job, int64_t *again, struct error *err)
{
	if (client_retry(load->extra, job, again, err) != 0)
		return -1;
	if (*again > 0)
		atomic_fetch_add(&load->acknowledged, 1);
	return 0;
}

void load_adopt(struct load *load, int64_t job)
{
	client_adopt(load->extra, job);
	atomic_fetch_add(&load->acknowledged, 1);
}

int load_drain(struct load *load, int64_t timeout_ms, atomic_bool *hurry, int64_t *left,
	       struct error *err)
{
	const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	const int64_t before = atomic_load(&load->looks);

	/* One look that began after this call: the second from now. */
	while (atomic_load(&load->looks) < before + 2 || load_unfinished(load) > 0) {
		if (clock_monotonic_ms() >= deadline_ms || atomic_load(hurry)) {
			*left = load_unfinished(load);
			if (atomic_load(&load->looks) < before + 2)
				return error_set(err, ERROR_RETRY, "the database does not answer");
			return 0;
		}
		poll(NULL, 0, LOOK_MS);
	}
	*left = 0;
	return 0;
}
