#include "dispatcher/pinger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/probe.h"
#include "base/version.h"
#include "db/db.h"
#include "db/dispatcher.h"
#include "db/house.h"
#include "db/schema.h"
#include "dispatcher/bell.h"
#include "dispatcher/heir.h"
#include "dispatcher/imprint.h"
#include "dispatcher/obituary.h"
#include "dispatcher/policy.h"
#include "dispatcher/reserve.h"
#include "dispatcher/signals.h"

/* A life of so many death intervals ends a series of deaths. */
enum { LONG_LIFE_INTERVALS = 10, WAIT_MOST_MS = 60000, HURRY_MS = 20 /* between pings */ };

struct pinger {
	struct pinger_options options;
	struct db *db;
	int64_t timeline; /* of the database when db was opened */
	bool unsaved;     /* the state file cannot be written */
	struct uuid incarnation;
	int deaths;   /* in a row, without a long life between */
	int failures; /* to reach the database, in a row */
	bool evicts;  /* what the former life left in the server may keep the next from its birth */
	int64_t feed_due_ms; /* next time for the watchdog */
	_Atomic int64_t ack_boot_ms;
	_Atomic bool hasty; /* its leave is not worth a new connection */
	struct signals signals;
	struct reserve reserve; /* for the next connection */
	pthread_t thread;
	struct bell bell;
};

static void post(struct pinger *pinger, enum mail_kind kind)
{
	struct mail mail = {
		.kind = kind,
		.incarnation = pinger->incarnation,
		.life = fence_life(pinger->options.fence),
	};

	mailbox_post(pinger->options.pump, &mail);
}

/* The server gives a statement up before we give up the connection. */
static int connect_db(struct pinger *pinger, struct error *err)
{
	const struct config *config = pinger->options.config;
	int64_t answer_ms = config->ping_interval_ms > 1000 ? config->ping_interval_ms : 1000;
	struct db_options options = {
		.conninfo = config->database,
		.role = "pinger",
		.incarnation = pinger->incarnation,
		.prepared = config->prepared != 0,
		.pinned = false,
		.answer_ms = answer_ms,
		.statement_ms = config->prepared != 0 ? answer_ms * 3 / 4 : 0,
	};
	int status;

	reserve_release(&pinger->reserve);
	status = primary_connect(pinger->options.primary, &pinger->db, &options, &pinger->timeline,
				 err);
	reserve_fill(&pinger->reserve);
	return status;
}

static void hang_up(struct pinger *pinger)
{
	db_close(pinger->db);
	pinger->db = NULL;
	reserve_fill(&pinger->reserve);
}

/* Waits until the time, the event (BELL_NONE: none), or until told to stop. Returns whether to go on. */
static bool wait_for(struct pinger *pinger, int64_t monotonic_ms, enum bell_event event)
{
	enum bell_event heard;

	do {
		int64_t until_ms = clock_monotonic_ms() + WAIT_MOST_MS;

		notify_feed(pinger->options.notify, &pinger->feed_due_ms);
		if (pinger->options.notify->watchdog_ms > 0 && pinger->feed_due_ms < until_ms)
			until_ms = pinger->feed_due_ms;
		if (monotonic_ms < until_ms)
			until_ms = monotonic_ms;
		heard = bell_wait(&pinger->bell, until_ms, event);
	} while (heard == BELL_NONE && clock_monotonic_ms() < monotonic_ms);
	return heard != BELL_STOP;
}

/* Waits until the time or until told to stop. Returns whether to go on. */
static bool wait_until(struct pinger *pinger, int64_t monotonic_ms)
{
	return wait_for(pinger, monotonic_ms, BELL_NONE);
}

/* Waits until the next ping is due, or there is a signal. Returns whether to go on. */
static bool wait_for_ping(struct pinger *pinger, int64_t began_ms, int64_t due_ms)
{
	int64_t soonest_ms = began_ms + HURRY_MS;

	if (!wait_for(pinger, due_ms, BELL_HURRIED) ||
	    !wait_until(pinger, soonest_ms < due_ms ? soonest_ms : due_ms))
		return false;
	bell_mute(&pinger->bell, BELL_HURRIED);
	return true;
}

/* Registers the next incarnation. 1: done; 0: somebody else lives under our id; -1: failed. */
static int be_born(struct pinger *pinger, struct dispatcher_twin *twin, struct error *err)
{
	struct identity *identity = pinger->options.identity;
	struct dispatcher_birth birth = {
		.id = identity->id,
		.incarnation = pinger->incarnation,
		.former = identity->former,
		.host = identity->host,
		.pid = (int)getpid(),
		.machine_id = identity->machine_id,
		.version = LOCUM_VERSION,
		.death_interval_ms = pinger->options.config->ping_death_interval_ms,
	};
	int born = dispatcher_register(pinger->db, &birth, twin, err);

	if (born != 1)
		return born;
	identity->system_id = primary_system_id(pinger->options.primary);
	PROBE(registered);
	imprint(pinger->options.identity, pinger->incarnation, pinger->timeline, &pinger->unsaved);
	identity->former = pinger->incarnation;
	trace_register(pinger->options.trace, pinger->incarnation, identity->id);
	log_info("dispatcher registered", log_uuid("dispatcher", identity->id),
		 log_uuid("incarnation", pinger->incarnation));
	return 1;
}

static int ping_once(struct pinger *pinger, struct error *err)
{
	const struct config *config = pinger->options.config;
	int64_t sent_boot_ms = clock_boottime_ms();
	int alive;

	trace_ping(pinger->options.trace);
	PROBE(ping_due);
	alive = ping(pinger->db, pinger->incarnation, config->ping_death_interval_ms, err);
	if (alive != 1)
		return alive;
	PROBE(ping_answered);
	trace_acked(pinger->options.trace, pinger->incarnation,
		    fence_deadline_ms(pinger->options.fence));
	atomic_store(&pinger->ack_boot_ms, sent_boot_ms);
	fence_set_ms(pinger->options.fence,
		     sent_boot_ms + config->ping_death_interval_ms - config->fence_margin_ms);
	return 1;
}

/* The end of a life: nothing runs on, the pump drops what it holds, and the next life begins after a pause
 * that grows when deaths follow each other. Returns whether to go on. */
static bool end_life(struct pinger *pinger, int64_t born_ms)
{
	int64_t death_interval_ms = pinger->options.config->ping_death_interval_ms;
	int64_t pause_ms;

	fence_end_life(pinger->options.fence);
	PROBE(life_ended);
	bell_mute(&pinger->bell, BELL_DROPPED);
	trace_dead(pinger->options.trace, pinger->incarnation);
	post(pinger, MAIL_DEAD);
	obituary_write(pinger->db, pinger->incarnation, pinger_ack_boot_ms(pinger));
	hang_up(pinger);
	/* Until the pump holds nothing of the life that is over. */
	if (!wait_for(pinger, INT64_MAX, BELL_DROPPED))
		return false;
	if (clock_monotonic_ms() - born_ms > LONG_LIFE_INTERVALS * death_interval_ms)
		pinger->deaths = 0;
	pause_ms = policy_return_delay_ms(pinger->deaths, death_interval_ms);
	pinger->deaths++;
	pinger->incarnation = uuid_make();
	return wait_until(pinger, clock_monotonic_ms() + pause_ms);
}

/* Somebody else lives under our id: watches for that one's death. Returns 1 when it is seen to be alive, else 0, or
 * -1. */
static int await_death(struct pinger *pinger, const struct dispatcher_twin *twin,
		       struct heir **heir, struct error *err)
{
	if (*heir == NULL) {
		log_error("another dispatcher lives under this id; waiting for its death",
			  log_text("host", twin->host), log_number("pid", twin->pid),
			  log_number("last_ping_ms", twin->age_ms));
		*heir = heir_open(pinger->options.config, pinger->options.reaper,
				  pinger->options.identity->id, pinger->incarnation);
	}
	if (*heir == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	return heir_look(*heir, pinger->db, err);
}

enum birth { BORN, IN_THE_WAY, TWIN, FAILED };

/* We were declared dead, and somebody whom this process did not start took our id over, or we never lived and somebody
 * does: there are two of us, and this one goes. */
static void give_up(struct pinger *pinger, const struct dispatcher_twin *twin)
{
	eventfd_write(pinger->options.gone_fd, 1);
	log_error(
		"another dispatcher runs under this id; every dispatcher needs a state folder of its own",
		log_uuid("dispatcher", pinger->options.identity->id), log_text("host", twin->host),
		log_number("pid", twin->pid));
}

/* One try to register. */
static enum birth try_birth(struct pinger *pinger, struct heir **heir)
{
	struct dispatcher_twin twin = { "", 0, 0 };
	struct error err = { ERROR_NONE, "", "" };
	int born = -1;
	int alive = 0;

	if (pinger->db != NULL || connect_db(pinger, &err) == 0) {
		if (pinger->evicts)
			heir_evict(pinger->db, pinger->options.identity->former);
		pinger->evicts = false;
		born = be_born(pinger, &twin, &err);
	}
	if (born == 1)
		return BORN;
	if (born == 0)
		alive = pinger->deaths > 0 ? 1 : await_death(pinger, &twin, heir, &err);
	if (born == 0 && alive == 1) {
		give_up(pinger, &twin);
		return TWIN;
	}
	if (born == 0 && alive == 0)
		return IN_THE_WAY;
	log_warning("cannot register", log_err(&err));
	pinger->evicts = true;
	/* An earlier try did it, its answer was lost, and siblings found that life dead meanwhile. */
	if (strcmp(err.sqlstate, "23505") == 0)
		pinger->incarnation = uuid_make();
	hang_up(pinger);
	return FAILED;
}

/* Registers, again and again until it works. Returns whether to go on. */
static bool begin_life(struct pinger *pinger)
{
	const struct config *config = pinger->options.config;
	struct heir *heir = NULL;
	bool go_on = true;
	enum birth birth;

	while (go_on && (birth = try_birth(pinger, &heir)) != BORN) {
		int64_t pause_ms = birth == IN_THE_WAY ? config->scan_interval_ms
						       : config->ping_interval_ms;

		go_on = birth != TWIN && wait_until(pinger, clock_monotonic_ms() + pause_ms);
	}
	heir_close(heir);
	return go_on;
}

/* One ping, with a connection made when there is none. 1: alive; 0: dead; -1: no answer. */
static int live_once(struct pinger *pinger)
{
	struct error err = { ERROR_NONE, "", "" };
	int alive = -1;

	/* From before a failover: it leads to a primary that is none any more. */
	if (pinger->db != NULL && pinger->timeline < primary_timeline(pinger->options.primary))
		hang_up(pinger);
	if (pinger->db == NULL && connect_db(pinger, &err) != 0)
		goto failed;
	alive = ping_once(pinger, &err);
	if (alive < 0)
		goto failed;
	if (alive == 0)
		return 0;
	if (pinger->failures > 0)
		log_info("pings are answered again", log_number("failed", pinger->failures));
	pinger->failures = 0;
	imprint(pinger->options.identity, pinger->incarnation, pinger->timeline, &pinger->unsaved);
	signals_take(&pinger->signals, pinger->db, pinger->incarnation, pinger->options.pump,
		     pinger->options.drain_fd);
	if (db_is_lost(pinger->db))
		hang_up(pinger);
	return 1;
failed:
	if (pinger->failures++ == 0)
		log_warning("ping failed", log_err(&err));
	hang_up(pinger);
	return -1;
}

/* Pings until death or the end. Returns true after a death. */
static bool live(struct pinger *pinger)
{
	const struct config *config = pinger->options.config;
	bool announced = false;
	bool go_on;

	do {
		int64_t began_ms = clock_monotonic_ms();
		int alive;

		trace_fence(pinger->options.trace, pinger->incarnation,
			    fence_deadline_ms(pinger->options.fence));
		alive = live_once(pinger);
		if (alive == 0)
			return true;
		if (alive > 0 && !announced) {
			post(pinger, MAIL_BORN);
			notify_send(pinger->options.notify, "READY=1");
		}
		announced = announced || alive > 0;
		if (alive > 0)
			go_on = wait_for_ping(pinger, began_ms,
					      began_ms + config->ping_interval_ms);
		else
			go_on = wait_until(pinger, clock_monotonic_ms() +
							   policy_reconnect_delay_ms(
								   pinger->failures,
								   config->ping_interval_ms));
	} while (go_on);
	return false;
}

/* The orderly end. What this incarnation still holds is swept up by siblings. */
static void leave(struct pinger *pinger)
{
	struct error err = { ERROR_RETRY, "", "no connection" };
	int status = -1;

	fence_set_ms(pinger->options.fence, FENCE_DOWN);
	/* That a connection was lost may show only now: the second try has another one. */
	for (int i = 0; i < 2 && status != 0; i++) {
		if (pinger->db == NULL && (pinger->hasty || connect_db(pinger, &err) != 0))
			break;
		status = dispatcher_stop(pinger->db, pinger->incarnation, &err);
		if (status == 0)
			break;
		hang_up(pinger);
	}
	if (status != 0)
		log_warning("the end could not be recorded; siblings will find out", log_err(&err));
	else
		trace_stop(pinger->options.trace, pinger->incarnation);
}

/* Whoever takes its former life's claims back hands them to all: what ran them must be gone, and an agent ends that before
 * it is ready. After a death interval siblings take them anyway. Returns whether to go on. */
static bool await_agent(struct pinger *pinger)
{
	const struct config *config = pinger->options.config;
	int64_t due_ms = clock_monotonic_ms() + config->ping_death_interval_ms;

	if (uuid_is_none(pinger->options.identity->former) || config->agent_count == 0)
		return true;
	if (!wait_for(pinger, due_ms, BELL_MET))
		return false;
	if (clock_monotonic_ms() >= due_ms)
		log_warning("no agent is ready; what a former one left may be there still");
	return true;
}

static void *run(void *context)
{
	struct pinger *pinger = context;
	bool go_on;

	priority_raise();
	go_on = await_agent(pinger);
	while (go_on && begin_life(pinger)) {
		int64_t born_ms = clock_monotonic_ms();

		if (!live(pinger)) {
			leave(pinger);
			break;
		}
		if (!end_life(pinger, born_ms))
			break;
	}
	return NULL;
}

static int start_life(struct pinger *pinger, struct error *err)
{
	if (connect_db(pinger, err) != 0 || schema_check(pinger->db, err) != 0 ||
	    epoch_ensure(pinger->db, err) != 0 || partition_prepare(pinger->db, err) < 0)
		return -1;
	return 0;
}

int pinger_start(struct pinger **pinger, const struct pinger_options *options, struct error *err)
{
	struct pinger *started = calloc(1, sizeof(*started));
	int failed;

	if (started == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	started->options = *options;
	started->incarnation = uuid_make();
	started->evicts = true;
	bell_init(&started->bell);
	if (start_life(started, err) != 0)
		goto fail;
	failed = pthread_create(&started->thread, NULL, run, started);
	if (failed == 0) {
		*pinger = started;
		return 0;
	}
	error_set_errno(err, ERROR_FATAL, failed, "cannot start the pinger");
fail:
	bell_fini(&started->bell);
	db_close(started->db);
	reserve_release(&started->reserve);
	free(started);
	return -1;
}

void pinger_stop(struct pinger *pinger, bool hurried)
{
	if (pinger == NULL)
		return;
	pinger->hasty = hurried;
	bell_ring(&pinger->bell, BELL_STOP);
	pthread_join(pinger->thread, NULL);
	fence_set_ms(pinger->options.fence, FENCE_DOWN);
	db_close(pinger->db);
	reserve_release(&pinger->reserve);
	signals_fini(&pinger->signals);
	bell_fini(&pinger->bell);
	free(pinger);
}

int64_t pinger_ack_boot_ms(const struct pinger *pinger)
{
	return atomic_load(&pinger->ack_boot_ms);
}

void pinger_hurry(struct pinger *pinger)
{
	bell_ring(&pinger->bell, BELL_HURRIED);
}

void pinger_met(struct pinger *pinger)
{
	if (pinger != NULL)
		bell_ring(&pinger->bell, BELL_MET);
}

void pinger_dropped(struct pinger *pinger)
{
	bell_ring(&pinger->bell, BELL_DROPPED);
}
