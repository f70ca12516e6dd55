#include "dispatcher/claimer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	PRIORITIES = LIMIT_PRIORITY_MAX + 1,
	PREFETCH_MS = 200, /* of measured work */
	SLOW_SCAN_MS = 20, /* a claim that takes longer passes over rows of others */
	SMOOTHING = 8,     /* a run's weight in the mean is one part in this */
};

/* The waits of a dry claimer; after the last, poll_interval. */
static const int64_t BACKOFF_MS[] = { 0, 5, 20, 80, 320 };
enum { BACKOFF_STEPS = sizeof(BACKOFF_MS) / sizeof(BACKOFF_MS[0]) };

struct served_queue {
	int id; /* 0: not there yet */
	bool paused;
	int weight;
	int credit; /* of the smooth weighted turns */
	int64_t cursors[PRIORITIES];
};

struct claimer {
	const struct config *config;
	const struct config_agent *agent;
	const char **queue_names;
	struct served_queue *queues;
	const char **handlers;
	size_t handler_count;
	const char **broken;
	size_t broken_count;
	struct job_range *ranges;
	int32_t *known;      /* the queues, for a look, */
	int32_t *open;       /* and those of them that are not paused */
	int64_t mean_run_us; /* 0: none measured */
	int64_t due_ms;
	int64_t hold_until_ms;
	int dry_steps; /* claims in a row that found nothing */
	int claims;    /* on their way */
	bool full;     /* the last one took all that it asked for */
	bool looks;    /* before it claims */
	int64_t confirmed_ms;
	bool rescanning;
	int64_t rescan_due_ms;
	bool slow;
	bool restrained;
	int64_t horizon; /* 0: unknown */
};

static bool allocate(struct claimer *claimer)
{
	size_t queues = (size_t)claimer->agent->queue_count;
	size_t handlers = (size_t)claimer->agent->handler_count;

	claimer->queue_names = calloc(queues + 1, sizeof(char *));
	claimer->queues = calloc(queues + 1, sizeof(*claimer->queues));
	claimer->handlers = calloc(handlers + 1, sizeof(char *));
	claimer->broken = calloc(handlers + 1, sizeof(char *));
	claimer->ranges = calloc(queues * PRIORITIES * JOB_LANES + 1, sizeof(*claimer->ranges));
	claimer->known = calloc(queues + 1, sizeof(*claimer->known));
	claimer->open = calloc(queues + 1, sizeof(*claimer->open));
	return claimer->queue_names != NULL && claimer->queues != NULL && claimer->known != NULL &&
	       claimer->open != NULL && claimer->handlers != NULL && claimer->broken != NULL &&
	       claimer->ranges != NULL;
}

struct claimer *claimer_open(const struct config *config, const struct config_agent *agent)
{
	struct claimer *claimer = calloc(1, sizeof(*claimer));

	if (claimer == NULL)
		return NULL;
	claimer->config = config;
	claimer->agent = agent;
	if (!allocate(claimer)) {
		claimer_close(claimer);
		return NULL;
	}
	for (int i = 0; i < agent->queue_count; i++) {
		claimer->queue_names[i] = agent->queues[i].name;
		claimer->queues[i].weight = agent->queues[i].weight;
	}
	for (int i = 0; i < agent->handler_count; i++)
		claimer->handlers[i] = config->handlers[agent->handlers[i]].name;
	claimer->handler_count = (size_t)agent->handler_count;
	return claimer;
}

void claimer_close(struct claimer *claimer)
{
	if (claimer == NULL)
		return;
	free(claimer->queue_names);
	free(claimer->queues);
	free(claimer->handlers);
	free(claimer->broken);
	free(claimer->ranges);
	free(claimer->known);
	free(claimer->open);
	free(claimer);
}

void claimer_inherit(struct claimer *claimer, const struct claimer *former)
{
	claimer->mean_run_us = former->mean_run_us;
	claimer->restrained = former->restrained;
	claimer->slow = former->slow;
	claimer->rescan_due_ms = former->rescan_due_ms;
}

void claimer_restart(struct claimer *claimer)
{
	for (int i = 0; i < claimer->agent->queue_count; i++)
		memset(claimer->queues[i].cursors, 0, sizeof(claimer->queues[i].cursors));
	claimer->rescan_due_ms = 0;
	claimer->slow = false;
	claimer_wake(claimer);
}

const char *const *claimer_queues(const struct claimer *claimer, size_t *count)
{
	*count = (size_t)claimer->agent->queue_count;
	return claimer->queue_names;
}

void claimer_set_queues(struct claimer *claimer, const struct queue_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct served_queue *queue = &claimer->queues[rows[i].index];

		/* What came in while nobody scanned it may lie below the cursor. */
		if (queue->id == 0 || (queue->paused && !rows[i].paused)) {
			memset(queue->cursors, 0, sizeof(queue->cursors));
			claimer_wake(claimer);
		}
		queue->id = rows[i].id;
		queue->paused = rows[i].paused;
	}
}

const char *const *claimer_handlers(const struct claimer *claimer, size_t *count)
{
	*count = claimer->handler_count;
	return claimer->handlers;
}

const char *const *claimer_broken(const struct claimer *claimer, size_t *count)
{
	*count = claimer->broken_count;
	return claimer->broken;
}

/* Moves a name from one list to the end of another. Returns whether it was there. */
static bool move_name(const char **from, size_t *from_count, const char **to, size_t *to_count,
		      const char *name, size_t length)
{
	for (size_t i = 0; i < *from_count; i++) {
		if (strlen(from[i]) != length || memcmp(from[i], name, length) != 0)
			continue;
		to[(*to_count)++] = from[i];
		from[i] = from[--*from_count];
		return true;
	}
	return false;
}

bool claimer_break(struct claimer *claimer, const char *handler, size_t length)
{
	return move_name(claimer->handlers, &claimer->handler_count, claimer->broken,
			 &claimer->broken_count, handler, length);
}

bool claimer_mend(struct claimer *claimer, const char *handler, size_t length)
{
	if (!move_name(claimer->broken, &claimer->broken_count, claimer->handlers,
		       &claimer->handler_count, handler, length))
		return false;
	/* Its jobs may lie below the cursors, which passed over them. */
	claimer_restart(claimer);
	return true;
}

void claimer_measure(struct claimer *claimer, int64_t run_ms)
{
	/* The clock's step is a millisecond: the shortest runs count as half of one. */
	int64_t run_us = run_ms > 0 ? run_ms * 1000 : 500;

	if (claimer->mean_run_us == 0)
		claimer->mean_run_us = run_us;
	claimer->mean_run_us += (run_us - claimer->mean_run_us) / SMOOTHING;
	if (claimer->mean_run_us < 1)
		claimer->mean_run_us = 1;
}

int claimer_room(const struct claimer *claimer, size_t load)
{
	int64_t size = claimer->agent->size;
	int64_t prefetch = 0;
	int64_t room;

	if (claimer->mean_run_us > 0 && !claimer->restrained)
		prefetch = size * PREFETCH_MS * 1000 / claimer->mean_run_us;
	room = size + prefetch - (int64_t)load;
	/* Refill when a good part is used up, so that claims come in batches. */
	if (claimer->handler_count == 0 || claimer->rescanning || room <= 0 ||
	    (room < prefetch / 4 && (int64_t)load > size))
		return 0;
	return room > LIMIT_CLAIM_BATCH ? LIMIT_CLAIM_BATCH : (int)room;
}

void claimer_restrain(struct claimer *claimer, bool restrained)
{
	claimer->restrained = restrained;
}

int64_t claimer_due_ms(const struct claimer *claimer)
{
	return claimer->due_ms > claimer->hold_until_ms ? claimer->due_ms : claimer->hold_until_ms;
}

void claimer_hold(struct claimer *claimer, int64_t now_ms)
{
	claimer->hold_until_ms = now_ms + CLAIMER_HOLD_MS;
}

void claimer_wake(struct claimer *claimer)
{
	claimer->due_ms = 0;
	claimer->dry_steps = 0;
	claimer->looks = false;
}

bool claimer_is_dry(const struct claimer *claimer)
{
	return claimer->dry_steps > 0 || claimer->handler_count == 0;
}

bool claimer_is_full(const struct claimer *claimer)
{
	return claimer->full;
}

/* Smooth weighted turns: each queue gains its weight, the richest goes first and pays the sum. */
static int next_turn(struct claimer *claimer)
{
	int total = 0;
	int best = -1;

	for (int i = 0; i < claimer->agent->queue_count; i++) {
		struct served_queue *queue = &claimer->queues[i];

		if (queue->id == 0 || queue->paused)
			continue;
		queue->credit += queue->weight;
		total += queue->weight;
		if (best < 0 || queue->credit > claimer->queues[best].credit)
			best = i;
	}
	if (best >= 0)
		claimer->queues[best].credit -= total;
	return best;
}

static size_t add_ranges(struct claimer *claimer, const struct served_queue *queue, size_t count)
{
	if (queue->id == 0 || queue->paused)
		return count;
	for (int priority = 0; priority < PRIORITIES; priority++)
		for (int lane = 0; lane < JOB_LANES; lane++)
			claimer->ranges[count++] = (struct job_range){
				.queue_id = queue->id,
				.priority = priority,
				.lane = lane,
				.lowest = lane == JOB_LANE_NEW && !claimer->rescanning
						  ? queue->cursors[priority]
						  : 0,
			};
	return count;
}

size_t claimer_begin(struct claimer *claimer, int64_t now_ms, const struct job_range **ranges)
{
	int queues = claimer->agent->queue_count;
	int first = next_turn(claimer);
	size_t count = 0;

	claimer->rescanning = claimer->claims == 0 && now_ms >= claimer->rescan_due_ms;
	claimer->claims++;
	for (int i = 0; first >= 0 && i < queues; i++)
		count = add_ranges(claimer, &claimer->queues[(first + i) % queues], count);
	*ranges = claimer->ranges;
	return count;
}

static struct served_queue *queue_of(struct claimer *claimer, int id)
{
	for (int i = 0; i < claimer->agent->queue_count; i++)
		if (claimer->queues[i].id == id)
			return &claimer->queues[i];
	return NULL;
}

/* A full claim of a rescan stopped at what it took: the rest below the old cursor is still to be looked
 * at. Any other claim has seen everything up to what it took. */
static void move_cursors(struct claimer *claimer, const struct job_claimed *jobs, size_t count,
			 bool full)
{
	if (full && claimer->rescanning) {
		for (size_t i = 0; i < count; i++) {
			struct served_queue *queue = queue_of(claimer, jobs[i].queue_id);

			if (queue != NULL && jobs[i].lane == JOB_LANE_NEW)
				queue->cursors[jobs[i].priority] = 0;
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct served_queue *queue = queue_of(claimer, jobs[i].queue_id);

		if (queue != NULL && jobs[i].lane == JOB_LANE_NEW &&
		    jobs[i].id >= queue->cursors[jobs[i].priority])
			queue->cursors[jobs[i].priority] = jobs[i].id + 1;
	}
}

/* Nothing of ours is left below the highest id that there was before the claim. */
static void skip_to_horizon(struct claimer *claimer)
{
	for (int i = 0; i < claimer->agent->queue_count; i++)
		for (int priority = 0; priority < PRIORITIES; priority++)
			if (claimer->queues[i].cursors[priority] <= claimer->horizon)
				claimer->queues[i].cursors[priority] = claimer->horizon + 1;
}

static void schedule(struct claimer *claimer, size_t count, int64_t now_ms)
{
	if (count > 0) {
		claimer_wake(claimer);
		return;
	}
	claimer->due_ms = now_ms + (claimer->dry_steps < BACKOFF_STEPS
					    ? BACKOFF_MS[claimer->dry_steps]
					    : claimer->config->poll_interval_ms);
	if (claimer->due_ms > now_ms + claimer->config->poll_interval_ms)
		claimer->due_ms = now_ms + claimer->config->poll_interval_ms;
	if (claimer->dry_steps < BACKOFF_STEPS)
		claimer->dry_steps++;
	claimer->looks = true;
}

void claimer_drop(struct claimer *claimer)
{
	claimer->claims--;
	claimer->rescanning = false;
	claimer->horizon = 0;
}

void claimer_take(struct claimer *claimer, const struct job_claimed *jobs, size_t count, int asked,
		  int64_t began_ms, int64_t now_ms)
{
	int64_t took_ms = now_ms - began_ms;
	bool full = count >= (size_t)asked;

	claimer->claims--;
	claimer->full = full;
	move_cursors(claimer, jobs, count, full);
	if (!full && claimer->horizon > 0)
		skip_to_horizon(claimer);
	claimer->horizon = 0;
	claimer->slow = !full && took_ms >= SLOW_SCAN_MS;
	if (claimer->rescanning) {
		claimer->rescan_due_ms = now_ms + took_ms * CLAIMER_RESCAN_SHARE;
		if (claimer->rescan_due_ms < began_ms + CLAIMER_RESCAN_MS)
			claimer->rescan_due_ms = began_ms + CLAIMER_RESCAN_MS;
		if (claimer->rescan_due_ms > now_ms + CLAIMER_RESCAN_MOST_MS)
			claimer->rescan_due_ms = now_ms + CLAIMER_RESCAN_MOST_MS;
		claimer->rescanning = false;
	}
	schedule(claimer, count, now_ms);
}

bool claimer_looks(const struct claimer *claimer, int64_t now_ms)
{
	return claimer->looks && claimer->claims == 0 && now_ms >= claimer->rescan_due_ms;
}

void claimer_begin_look(struct claimer *claimer, struct job_look_args *look)
{
	*look = (struct job_look_args){
		.queues = claimer->open,
		.handlers = claimer->handlers,
		.handler_count = claimer->handler_count,
		.names = claimer->queue_names,
		.known = claimer->known,
		.name_count = (size_t)claimer->agent->queue_count,
	};
	for (int i = 0; i < claimer->agent->queue_count; i++) {
		const struct served_queue *queue = &claimer->queues[i];

		claimer->known[i] = queue->paused ? -queue->id : queue->id;
		if (claimer->known[i] > 0)
			claimer->open[look->queue_count++] = queue->id;
	}
	claimer->claims++;
	claimer->rescanning = true;
}

void claimer_take_look(struct claimer *claimer, bool found, int64_t began_ms, int64_t now_ms)
{
	if (!found) {
		claimer_take(claimer, NULL, 0, 1, began_ms, now_ms);
		claimer->confirmed_ms = now_ms;
		return;
	}
	claimer_drop(claimer);
	claimer->looks = false;
	claimer->due_ms = 0;
	claimer->confirmed_ms = 0;
}

int64_t claimer_confirmed_ms(const struct claimer *claimer)
{
	return claimer->confirmed_ms;
}

void claimer_set_horizon(struct claimer *claimer, int64_t horizon)
{
	claimer->horizon = horizon;
}

bool claimer_wants_horizon(const struct claimer *claimer)
{
	return claimer->slow;
}

const char *claimer_queue_name(const struct claimer *claimer, int id)
{
	for (int i = 0; i < claimer->agent->queue_count; i++)
		if (claimer->queues[i].id == id)
			return claimer->queue_names[i];
	return "";
}
