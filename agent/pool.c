#include "agent/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/verdict.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum { TICK_MS = 50 };

static void on_tick(uv_timer_t *handle)
{
	struct pool *pool = handle->data;
	int64_t now_ms = clock_boottime_ms();
	struct host *host;

	guard_check(&pool->shared->run->guard);
	TAILQ_FOREACH(host, &pool->hosts, link)
	host_look(host, now_ms);
}

/* --- making ------------------------------------------------------------------------------------ */

bool pool_fits(const struct handler *a, const struct handler *b)
{
	return text_same(a->user, b->user) && text_same(a->directory, b->directory) &&
	       text_same_list(a->environment, b->environment) && a->fence == b->fence &&
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0;
}

static struct pool *make(const struct handler *handler, size_t room, struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->handler = *handler;
	pool->members = calloc(room + 1, sizeof(struct member));
	pool->program = program_make(&pool->handler, false, err);
	if (pool->members != NULL && pool->program != NULL)
		return pool;
	program_drop(pool->program);
	free(pool->members);
	free(pool);
	return NULL;
}

struct pool *pool_open(const struct pool_shared *shared, const struct handler *handler, size_t room,
		       struct error *err)
{
	static char name[] = "locum-host";
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct pool *pool = make(handler, room, err);
	struct handler *host;

	if (pool == NULL) {
		error_set(err, ERROR_FATAL, "out of memory for plugin hosts");
		return NULL;
	}
	pool->shared = shared;
	pool->argv[0] = shared->program;
	host = pool->program->handler;
	host->name = name;
	host->kind = HANDLER_COMMAND;
	host->argv = pool->argv;
	pool->most_hosts = processors < 1 ? 1 : (size_t)processors;
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->hosts);
	uv_timer_init(shared->run->loop, &pool->tick);
	pool->tick.data = pool;
	return pool;
}

static void on_closed(uv_handle_t *handle)
{
	struct pool *pool = handle->data;

	for (size_t i = 0; i < pool->member_count; i++)
		program_drop(pool->members[i].program);
	program_drop(pool->program);
	free(pool->members);
	free(pool);
}

void pool_close(struct pool *pool)
{
	struct errand *errand;
	struct host *host;

	while ((errand = TAILQ_FIRST(&pool->waiting)) != NULL) {
		TAILQ_REMOVE(&pool->waiting, errand, link);
		errand_free(errand);
	}
	while ((host = TAILQ_FIRST(&pool->hosts)) != NULL) {
		TAILQ_REMOVE(&pool->hosts, host, link);
		host_free(host);
	}
	uv_close((uv_handle_t *)&pool->tick, on_closed);
}

void pool_add(struct pool *pool, struct program *program)
{
	pool->members[pool->member_count++] = (struct member){ .program = program_hold(program) };
}

static struct member *find_member(struct pool *pool, const struct program *program)
{
	for (size_t i = 0; i < pool->member_count; i++) {
		if (pool->members[i].program == program)
			return &pool->members[i];
	}
	return NULL;
}

/* --- the line ---------------------------------------------------------------------------------- */

static void count_in(struct pool *pool, const struct errand *errand)
{
	pool->waiting_count++;
	pool->waiting_bytes += errand->job.payload.length;
}

void pool_take_out(struct pool *pool, struct errand *errand)
{
	TAILQ_REMOVE(&pool->waiting, errand, link);
	pool->waiting_count--;
	pool->waiting_bytes -= errand->job.payload.length;
}

int pool_take(struct pool *pool, const struct program *program, const struct wire_job *job,
	      struct error *err)
{
	struct errand *errand = errand_make(job, find_member(pool, program), err);

	if (errand == NULL)
		return -1;
	if (job->timeout_ms == 0)
		errand->job.timeout_ms = program->handler->timeout_ms;
	TAILQ_INSERT_TAIL(&pool->waiting, errand, link);
	count_in(pool, errand);
	return 0;
}

static void report_unbegun(struct pool *pool, struct errand *errand, enum verdict verdict,
			   const char *why)
{
	struct wire_outcome outcome = {
		.id = errand->job.id,
		.claim_id = errand->job.claim_id,
		.verdict = verdict,
		.exit_code = -1,
		.ended_ms = clock_boottime_ms(),
		.delay_ms = -1,
		.error = { why, (uint32_t)strlen(why) },
	};

	pool_report(pool, errand, &outcome);
}

void pool_report(struct pool *pool, struct errand *errand, const struct wire_outcome *outcome)
{
	if (!pool->is_mute && wire_write_outcome(pool->shared->out, outcome, 1, NULL) != 0)
		pool->failed = true;
	errand_free(errand);
}

static bool is_former(const struct pool *pool, const struct errand *errand)
{
	return errand->job.life != pool->shared->run->guard.life;
}

void pool_return(struct pool *pool, struct errand *errand)
{
	if (is_former(pool, errand)) {
		errand_free(errand);
		return;
	}
	if (pool->releases != NULL) {
		report_unbegun(pool, errand, VERDICT_RELEASED, pool->releases);
		return;
	}
	if (errand->member->program->broken) {
		report_unbegun(pool, errand, VERDICT_RELEASED,
			       "released: the handler cannot be executed here");
		return;
	}
	errand->recalled = false;
	errand->alone = false;
	TAILQ_INSERT_HEAD(&pool->waiting, errand, link);
	count_in(pool, errand);
}

void pool_release(struct pool *pool, const struct member *member, const char *why)
{
	struct errand *errand;
	struct errand *next;

	for (errand = TAILQ_FIRST(&pool->waiting); errand != NULL; errand = next) {
		next = TAILQ_NEXT(errand, link);
		if (member != NULL && errand->member != member)
			continue;
		pool_take_out(pool, errand);
		report_unbegun(pool, errand, VERDICT_RELEASED, why);
	}
}

void pool_drop_former(struct pool *pool)
{
	struct errand *errand;
	struct errand *next;

	for (errand = TAILQ_FIRST(&pool->waiting); errand != NULL; errand = next) {
		next = TAILQ_NEXT(errand, link);
		if (!is_former(pool, errand))
			continue;
		pool_take_out(pool, errand);
		errand_free(errand);
	}
}

void pool_recall(struct pool *pool, const char *why)
{
	struct host *host;

	pool->releases = why;
	pool_release(pool, NULL, why);
	TAILQ_FOREACH(host, &pool->hosts, link)
	host_recall(host);
}

void pool_retire(struct pool *pool, const char *why)
{
	pool->retired = true;
	pool_recall(pool, why);
}

bool pool_wind_up(struct pool *pool)
{
	struct host *host;

	TAILQ_FOREACH(host, &pool->hosts, link)
	{
		if (host->count == 0)
			run_terminate(host->run, RUN_RETIRED, pool->shared->run->kill_grace_ms);
	}
	return TAILQ_EMPTY(&pool->hosts);
}

static void cancel_waiting(struct pool *pool, struct errand *errand, enum wire_cancel_reason reason)
{
	pool_take_out(pool, errand);
	switch (reason) {
	case WIRE_CANCEL_REQUESTED:
		report_unbegun(pool, errand, VERDICT_CANCELLED, VERDICT_TEXT_CANCELLED);
		break;
	case WIRE_CANCEL_LOST:
		errand_free(errand);
		break;
	case WIRE_CANCEL_RECALL:
		report_unbegun(pool, errand, VERDICT_RELEASED, VERDICT_TEXT_RECALLED);
		break;
	}
}

bool pool_cancel(struct pool *pool, const struct wire_cancel *cancel)
{
	struct errand *errand = errand_find(&pool->waiting, cancel->id, cancel->claim_id);
	struct host *host;

	if (errand != NULL) {
		cancel_waiting(pool, errand, cancel->reason);
		return true;
	}
	TAILQ_FOREACH(host, &pool->hosts, link)
	{
		errand = errand_find(&host->errands, cancel->id, cancel->claim_id);
		if (errand == NULL)
			continue;
		host_cancel(host, errand, cancel->reason);
		return true;
	}
	return false;
}

/* --- its clock --------------------------------------------------------------------------------- */

size_t pool_busy(const struct pool *pool)
{
	const struct host *host;
	size_t busy = 0;

	TAILQ_FOREACH(host, &pool->hosts, link)
	busy += host->count > 0;
	return busy;
}

static bool needs_tick(const struct pool *pool)
{
	for (size_t i = 0; i < pool->member_count; i++) {
		if (pool->members[i].breaker.open)
			return true;
	}
	return pool->waiting_count > 0 || pool_busy(pool) > 0;
}

void pool_flush(struct pool *pool)
{
	struct host *host;

	TAILQ_FOREACH(host, &pool->hosts, link)
	host_flush(host);
	if (!needs_tick(pool))
		uv_timer_stop(&pool->tick);
	else if (!uv_is_active((uv_handle_t *)&pool->tick))
		uv_timer_start(&pool->tick, on_tick, TICK_MS, TICK_MS);
}

/* --- faults ------------------------------------------------------------------------------------ */

static void break_member(struct member *member, const char *reason)
{
	member->broke = true;
	snprintf(member->reason, sizeof(member->reason), "%.511s", reason);
}

static void log_death(const struct member *member, const char *reason)
{
	log_warning("a plugin host died",
		    log_text("handler", member == NULL ? "" : member->program->handler->name),
		    log_text("reason", reason));
}

void pool_crash(struct pool *pool, struct member *member, int64_t lived_ms, const char *reason)
{
	int64_t now_ms = clock_monotonic_ms();

	log_death(member, reason);
	if (member != NULL)
		member->suspect = true;
	for (size_t i = 0; i < pool->member_count; i++) {
		if (member != NULL && member != &pool->members[i])
			continue;
		if (breaker_crash(&pool->members[i].breaker, lived_ms, now_ms))
			break_member(&pool->members[i], reason);
	}
}

void pool_pace(struct pool *pool, int64_t lived_ms, const char *reason)
{
	log_death(NULL, reason);
	breaker_crash(&pool->pace, lived_ms, clock_monotonic_ms());
}

void pool_break(struct pool *pool, const struct wire_broken *broken)
{
	char reason[sizeof(((struct member *)0)->reason)] = "";
	size_t length = broken->reason.length;

	if (length >= sizeof(reason))
		length = sizeof(reason) - 1;
	memcpy(reason, broken->reason.bytes, length);
	for (size_t i = 0; i < pool->member_count; i++) {
		struct member *member = &pool->members[i];
		const char *name = member->program->handler->name;

		if (strlen(name) != broken->handler.length ||
		    memcmp(name, broken->handler.bytes, broken->handler.length) != 0)
			continue;
		if (breaker_trip(&member->breaker, clock_monotonic_ms()))
			break_member(member, reason);
	}
}
