#include "agent/roster.h"

void roster_init(struct roster *roster)
{
	*roster = (struct roster){ .waiting_count = 0 };
	TAILQ_INIT(&roster->waiting);
	TAILQ_INIT(&roster->running);
	TAILQ_INIT(&roster->guests);
	TAILQ_INIT(&roster->clearing);
	TAILQ_INIT(&roster->done);
}

static void free_list(struct roster_list *list)
{
	struct run *run;

	while ((run = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, run, link);
		run_free(run);
	}
}

void roster_fini(struct roster *roster)
{
	struct arrival *arrival;

	while ((arrival = TAILQ_FIRST(&roster->waiting)) != NULL) {
		TAILQ_REMOVE(&roster->waiting, arrival, link);
		arrival_free(arrival);
	}
	free_list(&roster->running);
	free_list(&roster->guests);
	free_list(&roster->clearing);
	free_list(&roster->done);
}

static struct roster_bucket *bucket_of(struct roster *roster, pid_t pid)
{
	return &roster->by_pid[(size_t)pid % ROSTER_BUCKETS];
}

static void insert_running(struct roster *roster, struct run *run)
{
	if (run->role == RUN_GUEST) {
		TAILQ_INSERT_TAIL(&roster->guests, run, link);
		roster->guest_count++;
		return;
	}
	TAILQ_INSERT_TAIL(&roster->running, run, link);
	SLIST_INSERT_HEAD(bucket_of(roster, run->pid), run, by_pid);
	roster->running_count++;
	roster->server_count += run_is_process(run);
}

static void remove_running(struct roster *roster, struct run *run)
{
	if (run->role == RUN_GUEST) {
		TAILQ_REMOVE(&roster->guests, run, link);
		roster->guest_count--;
		return;
	}
	TAILQ_REMOVE(&roster->running, run, link);
	SLIST_REMOVE(bucket_of(roster, run->pid), run, run, by_pid);
	roster->running_count--;
	roster->server_count -= run_is_process(run);
}

static void insert(struct roster *roster, struct run *run)
{
	switch (run->state) {
	case RUN_WAITING: /* is not on the roster */
		break;
	case RUN_RUNNING:
	case RUN_TERMINATING:
	case RUN_KILLING:
		insert_running(roster, run);
		break;
	case RUN_CLEARING:
		TAILQ_INSERT_TAIL(&roster->clearing, run, link);
		roster->clearing_count++;
		roster->server_count += run_is_process(run);
		break;
	case RUN_DONE:
		TAILQ_INSERT_TAIL(&roster->done, run, link);
		roster->done_count++;
		break;
	}
	run->place = run->state;
}

static void take_out(struct roster *roster, struct run *run)
{
	switch (run->place) {
	case RUN_WAITING:
		break;
	case RUN_RUNNING:
	case RUN_TERMINATING:
	case RUN_KILLING:
		remove_running(roster, run);
		break;
	case RUN_CLEARING:
		TAILQ_REMOVE(&roster->clearing, run, link);
		roster->clearing_count--;
		roster->server_count -= run_is_process(run);
		break;
	case RUN_DONE:
		TAILQ_REMOVE(&roster->done, run, link);
		roster->done_count--;
		break;
	}
}

void roster_line_up(struct roster *roster, struct arrival_list *line, struct arrival *arrival)
{
	arrival->number = ++roster->last_number;
	TAILQ_INSERT_TAIL(line, arrival, link);
	roster->waiting_count++;
	roster->waiting_bytes += arrival->payload;
}

void roster_take_out(struct roster *roster, struct arrival_list *line, struct arrival *arrival)
{
	TAILQ_REMOVE(line, arrival, link);
	roster->waiting_count--;
	roster->waiting_bytes -= arrival->payload;
}

void roster_add(struct roster *roster, struct run *run)
{
	insert(roster, run);
}

void roster_move(struct roster *roster, struct run *run)
{
	take_out(roster, run);
	insert(roster, run);
}

void roster_remove(struct roster *roster, struct run *run)
{
	take_out(roster, run);
}

struct run *roster_by_pid(const struct roster *roster, pid_t pid)
{
	struct run *run;

	for (run = SLIST_FIRST(&roster->by_pid[(size_t)pid % ROSTER_BUCKETS]); run != NULL;
	     run = SLIST_NEXT(run, by_pid)) {
		if (run->pid == pid)
			return run;
	}
	return NULL;
}

static struct run *find_claim(const struct roster_list *list, int64_t job, struct uuid claim)
{
	struct run *run;

	for (run = TAILQ_FIRST(list); run != NULL; run = TAILQ_NEXT(run, link)) {
		if (run->job.id == job && uuid_same(run->job.claim_id, claim))
			return run;
	}
	return NULL;
}

struct run *roster_by_claim(const struct roster *roster, int64_t job, struct uuid claim)
{
	struct run *run = find_claim(&roster->running, job, claim);

	if (run == NULL)
		run = find_claim(&roster->guests, job, claim);
	if (run == NULL)
		run = find_claim(&roster->clearing, job, claim);
	return run;
}

size_t roster_busy(const struct roster *roster)
{
	return roster_living(roster) - roster->server_count;
}

size_t roster_living(const struct roster *roster)
{
	return roster->running_count + roster->clearing_count + roster->guest_count;
}
