#include "dispatcher/reaper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "db/db.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "db/job.h"
#include "db/sqlstate.h"

enum {
	RECLAIM_CHUNK = 1000,
	TERMINATE_TRIES = 3,
	PASSED_MOST =
		8, /* claims that would have to wait for somebody; more wait for the next sweep */
	HOUSE_INTERVAL_MS = 60000,
	DAYS_INTERVAL_MS = 3600000, /* the partitions, a week ahead */
	HOUSE_CHUNK = 10000,
};

/* One thing to do: an accusation, or a sweep when seq is SWEEP_ONLY. */
struct task {
	struct observer_suspect suspect;
	bool accuse;
	struct task *next;
};

struct reaper {
	const struct config *config;
	struct primary *primary;
	int64_t days_due_ms; /* next time that partitions are made and dropped */
	pthread_t thread;
	pthread_mutex_t lock; /* guards first, self, fleet_size, stopping */
	pthread_cond_t changed;
	struct task *first;
	struct uuid self;
	int64_t fleet_size; /* 0: not known */
	bool stopping;
};

static int open_db(struct reaper *reaper, struct db **db, struct error *err)
{
	struct db_options options = {
		.conninfo = reaper->config->database,
		.role = "reaper",
		.prepared = reaper->config->prepared != 0,
		.pinned = reaper->config->prepared != 0,
		.answer_ms = reaper->config->ping_death_interval_ms,
	};

	int64_t timeline;

	pthread_mutex_lock(&reaper->lock);
	options.incarnation = reaper->self;
	pthread_mutex_unlock(&reaper->lock);
	return primary_connect(reaper->primary, db, &options, &timeline, err);
}

/* 1: declared by us; 0: not any more; -1: failed. A silent victim may hold the locks that its own death
 * needs: its connections are ended then. Where it has none, somebody else holds them, and the next scan tries
 * again. */
static int declare(struct db *db, const struct observer_suspect *suspect, struct uuid self,
		   struct error *err)
{
	char evidence[512];
	int declared;
	int ended = 1;

	observer_write_evidence(suspect, evidence, sizeof(evidence));
	for (int i = 0; i < TERMINATE_TRIES && ended > 0; i++) {
		declared = dispatcher_death(db, suspect->incarnation, suspect->seq, self, evidence,
					    err);
		if (declared >= 0 || !sqlstate_is_locked(err->sqlstate))
			return declared;
		ended = backend_terminate(db, suspect->incarnation, err);
	}
	return ended < 0 ? -1 : error_set(err, ERROR_RETRY, "its rows stay locked");
}

static bool is_stopping(struct reaper *reaper)
{
	bool stopping;

	pthread_mutex_lock(&reaper->lock);
	stopping = reaper->stopping;
	pthread_mutex_unlock(&reaper->lock);
	return stopping;
}

/* Takes all claims away that nobody holds locked, unless told to stop. One that has to wait for somebody who is about to
 * submit a job with the key of its follow-up is sought out and passed over. Returns how many were taken, or -1. */
static int reclaim(struct reaper *reaper, struct db *db, struct uuid victim, int *passed,
		   struct error *err)
{
	int chunk = RECLAIM_CHUNK;
	int total = 0;
	int taken;

	*passed = 0;
	do {
		taken = job_reclaim(db, victim, chunk, *passed, err);
		if (taken < 0 && !sqlstate_is_locked(err->sqlstate))
			return -1;
		if (taken < 0 && chunk > 1) {
			chunk = 1;
		} else if (taken < 0) {
			++*passed;
			chunk = RECLAIM_CHUNK;
		}
		total += taken > 0 ? taken : 0;
		if (taken > 0)
			PROBE(reclaimed_in_part);
	} while (taken != 0 && *passed < PASSED_MOST && !is_stopping(reaper));
	return total;
}

/* Whether claims of the victim are left, which somebody held locked. */
static int claims_left(struct db *db, struct uuid victim, struct error *err)
{
	struct uuid *owners;
	size_t count;
	int left = 0;

	if (orphan_owners(db, &owners, &count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		left = left || uuid_same(owners[i], victim);
	free(owners);
	return left;
}

/* Who holds claims locked is ended, for the dead hold nothing. What has to wait for somebody alive is left to the next
 * sweep. */
static int reclaim_all(struct reaper *reaper, struct db *db, struct uuid victim, struct error *err)
{
	int total = 0;
	int left = 1;
	int passed = 0;

	for (int i = 0; left > 0 && passed == 0 && i < TERMINATE_TRIES && !is_stopping(reaper);
	     i++) {
		int taken;

		if (i > 0 && backend_terminate(db, victim, err) < 0)
			return -1;
		taken = reclaim(reaper, db, victim, &passed, err);
		if (taken < 0)
			return -1;
		total += taken;
		left = claims_left(db, victim, err);
		if (left < 0)
			return -1;
	}
	return total;
}

/* Does one task; returns -1 when the database failed and the sweep must come again. */
static int bury(struct reaper *reaper, struct db *db, const struct task *task, struct error *err)
{
	const struct observer_suspect *suspect = &task->suspect;
	struct uuid self;
	int declared = 0;
	int reclaimed;

	pthread_mutex_lock(&reaper->lock);
	self = reaper->self;
	pthread_mutex_unlock(&reaper->lock);
	if (task->accuse) {
		declared = declare(db, suspect, self, err);
		if (declared < 0)
			return -1;
		if (declared == 0)
			return 0;
		log_warning("dispatcher declared dead", log_uuid("dispatcher", suspect->id),
			    log_uuid("incarnation", suspect->incarnation),
			    log_number("silent_ms", suspect->observed_ms),
			    log_number("death_interval_ms", suspect->death_interval_ms));
	}
	PROBE(death_declared);
	reclaimed = reclaim_all(reaper, db, suspect->incarnation, err);
	if (reclaimed < 0)
		return -1;
	if (declared > 0 || reclaimed > 0) {
		death_progress(db, suspect->incarnation, reclaimed, err);
		log_info("jobs reclaimed", log_number("jobs", reclaimed),
			 log_uuid("incarnation", suspect->incarnation));
	}
	return 0;
}

static int keep_days(struct db *db, struct error *err)
{
	int made = partition_prepare(db, err);
	int dropped = made < 0 ? -1 : partition_drop(db, err);

	if (dropped > 0)
		log_info("old partitions dropped", log_number("commands", dropped));
	return dropped < 0 ? -1 : 0;
}

static int keep_house(struct reaper *reaper, struct db *db, struct error *err)
{
	int64_t now_ms = clock_boottime_ms(); /* days pass while a machine is suspended, too */
	int deleted = HOUSE_CHUNK;

	if (now_ms >= reaper->days_due_ms) {
		if (keep_days(db, err) != 0)
			return -1;
		reaper->days_due_ms = now_ms + DAYS_INTERVAL_MS;
	}
	while (deleted == HOUSE_CHUNK && !is_stopping(reaper))
		deleted = house_keep(db, HOUSE_CHUNK, err);
	return deleted < 0 ? -1 : 0;
}

/* Whether it falls to us this time: one of the fleet is enough, so each does it as often as there are dispatchers. */
static bool is_keeper(struct reaper *reaper)
{
	int64_t fleet_size;

	pthread_mutex_lock(&reaper->lock);
	fleet_size = reaper->fleet_size;
	pthread_mutex_unlock(&reaper->lock);
	return fleet_size <= 1 || clock_jitter_ms(fleet_size) == 0;
}

/* Waits for a task, the time to keep house, or the end. NULL with *stopping unset: house. */
static struct task *next_task(struct reaper *reaper, int64_t house_due_ms, bool *stopping)
{
	struct task *task;
	struct timespec until = { .tv_sec = house_due_ms / 1000,
				  .tv_nsec = (house_due_ms % 1000) * 1000000 };

	pthread_mutex_lock(&reaper->lock);
	while (reaper->first == NULL && !reaper->stopping && clock_monotonic_ms() < house_due_ms)
		pthread_cond_timedwait(&reaper->changed, &reaper->lock, &until);
	*stopping = reaper->stopping;
	task = reaper->first;
	pthread_mutex_unlock(&reaper->lock);
	return task;
}

/* A task stays in the list while it is in hand, so that it is not accepted twice. */
static void finish_task(struct reaper *reaper, struct task *task)
{
	struct task **link;

	pthread_mutex_lock(&reaper->lock);
	for (link = &reaper->first; *link != task; link = &(*link)->next)
		;
	*link = task->next;
	pthread_mutex_unlock(&reaper->lock);
	free(task);
}

static void *run(void *context)
{
	struct reaper *reaper = context;
	int64_t house_due_ms = clock_monotonic_ms() + clock_jitter_ms(HOUSE_INTERVAL_MS);
	bool stopping = false;

	for (;;) {
		struct task *task = next_task(reaper, house_due_ms, &stopping);
		struct error err = { ERROR_NONE, "", "" };
		struct db *db = NULL;

		if (stopping)
			return NULL;
		if (task == NULL)
			house_due_ms = clock_monotonic_ms() + HOUSE_INTERVAL_MS;
		if (task == NULL && !is_keeper(reaper))
			continue;
		if (open_db(reaper, &db, &err) != 0)
			log_warning("reaper cannot reach the database", log_err(&err));
		else if (task == NULL && keep_house(reaper, db, &err) != 0)
			log_warning("housekeeping failed", log_err(&err));
		for (; db != NULL && task != NULL; task = next_task(reaper, 0, &stopping)) {
			if (bury(reaper, db, task, &err) != 0)
				log_warning("reclaim failed", log_err(&err),
					    log_uuid("incarnation", task->suspect.incarnation));
			finish_task(reaper, task);
			if (stopping || db_is_lost(db))
				break;
		}
		/* Without a connection the task goes; the next scan or sweep brings it again. */
		if (db == NULL && task != NULL)
			finish_task(reaper, task);
		db_close(db);
	}
}

int reaper_start(struct reaper **reaper, const struct config *config, struct primary *primary,
		 struct error *err)
{
	struct reaper *started = calloc(1, sizeof(*started));
	pthread_condattr_t attributes;
	int failed;

	if (started == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	started->config = config;
	started->primary = primary;
	pthread_mutex_init(&started->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&started->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	failed = pthread_create(&started->thread, NULL, run, started);
	if (failed != 0) {
		free(started);
		return error_set_errno(err, ERROR_FATAL, failed, "cannot start the reaper");
	}
	*reaper = started;
	return 0;
}

void reaper_stop(struct reaper *reaper)
{
	if (reaper == NULL)
		return;
	pthread_mutex_lock(&reaper->lock);
	reaper->stopping = true;
	pthread_cond_signal(&reaper->changed);
	pthread_mutex_unlock(&reaper->lock);
	pthread_join(reaper->thread, NULL);
	while (reaper->first != NULL) {
		struct task *task = reaper->first;

		reaper->first = task->next;
		free(task);
	}
	pthread_cond_destroy(&reaper->changed);
	pthread_mutex_destroy(&reaper->lock);
	free(reaper);
}

void reaper_set_life(struct reaper *reaper, struct uuid incarnation)
{
	pthread_mutex_lock(&reaper->lock);
	reaper->self = incarnation;
	pthread_mutex_unlock(&reaper->lock);
}

void reaper_set_fleet(struct reaper *reaper, int64_t size)
{
	pthread_mutex_lock(&reaper->lock);
	reaper->fleet_size = size;
	pthread_mutex_unlock(&reaper->lock);
}

static void add_task(struct reaper *reaper, const struct observer_suspect *suspect, bool accuse)
{
	struct task *task = calloc(1, sizeof(*task));
	struct task **link;

	if (task == NULL)
		return; /* the next scan or sweep brings it again */
	task->suspect = *suspect;
	task->accuse = accuse;
	pthread_mutex_lock(&reaper->lock);
	for (link = &reaper->first; *link != NULL; link = &(*link)->next)
		if (uuid_same((*link)->suspect.incarnation, suspect->incarnation))
			break;
	if (*link == NULL) {
		*link = task;
		task = NULL;
		pthread_cond_signal(&reaper->changed);
	}
	pthread_mutex_unlock(&reaper->lock);
	free(task);
}

void reaper_accuse(struct reaper *reaper, const struct observer_suspect *suspect)
{
	add_task(reaper, suspect, true);
}

void reaper_sweep(struct reaper *reaper, struct uuid incarnation)
{
	struct observer_suspect suspect = { .incarnation = incarnation };

	add_task(reaper, &suspect, false);
}
