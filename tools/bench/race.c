#include "tools/bench/race.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct runner {
	const struct contestant *contestant;
	pthread_barrier_t *start;
	pthread_t thread;
	void *loop;
	size_t claimed;
	size_t completed;
	int status;
	struct error err;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *run(void *context)
{
	struct runner *runner = context;
	size_t claimed = 1;

	pthread_barrier_wait(runner->start);
	while (claimed > 0 && runner->status == 0) {
		size_t completed = 0;

		claimed = 0;
		runner->status = runner->contestant->turn(runner->loop, &claimed, &completed,
							  &runner->err);
		runner->claimed += claimed;
		runner->completed += completed;
	}
	return NULL;
}

/* Returns how many threads run; they wait at the barrier for one more than `count`. */
static int start_threads(struct runner *runners, int count, struct error *err)
{
	for (int i = 0; i < count; i++) {
		int failed = pthread_create(&runners[i].thread, NULL, run, &runners[i]);

		if (failed != 0)
			return error_set_errno(err, ERROR_FATAL, failed, "cannot start a thread");
	}
	return 0;
}

static int sum_up(const struct runner *runners, int count, size_t *jobs, struct error *err)
{
	size_t claimed = 0;
	size_t completed = 0;

	for (int i = 0; i < count; i++) {
		if (runners[i].status != 0) {
			*err = runners[i].err;
			return -1;
		}
		claimed += runners[i].claimed;
		completed += runners[i].completed;
	}
	if (claimed != completed)
		return error_set(err, ERROR_FATAL, "%zu jobs were claimed and %zu completed",
				 claimed, completed);
	*jobs = completed;
	return 0;
}

int race_run(const struct race *race, const struct contestant *contestant, size_t *jobs,
	     double *seconds, struct error *err)
{
	struct runner runners[RACE_CONNECTIONS_MAX];
	int count = race->connections;
	pthread_barrier_t start;
	double began_s;
	int status = -1;
	int opened = 0;

	memset(runners, 0, sizeof(runners));
	pthread_barrier_init(&start, NULL, (unsigned)count + 1);
	for (; opened < count; opened++) {
		runners[opened].contestant = contestant;
		runners[opened].start = &start;
		if (contestant->open(&runners[opened].loop, race, err) != 0)
			goto out;
	}
	if (start_threads(runners, count, err) != 0)
		goto out;
	pthread_barrier_wait(&start);
	began_s = now_s();
	for (int i = 0; i < count; i++)
		pthread_join(runners[i].thread, NULL);
	*seconds = now_s() - began_s;
	status = sum_up(runners, count, jobs, err);
out:
	while (opened > 0)
		contestant->close(runners[--opened].loop);
	pthread_barrier_destroy(&start);
	return status;
}
