/* An agent's claimer without a database: what a claim brings is what the test says. */
#ifndef LOCUM_TESTS_SUPPORT_CLAIMER_BENCH_H
#define LOCUM_TESTS_SUPPORT_CLAIMER_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "dispatcher/claimer.h"

enum { BENCH_SIZE = 8, BENCH_NOW = 1000000, BENCH_POLL = 1000, BENCH_QUEUES = 3 };
enum { BENCH_RANGES = (LIMIT_PRIORITY_MAX + 1) * JOB_LANES }; /* of one queue */

struct claimer_bench {
	struct config config;
	struct config_agent agent;
	struct config_queue queues[BENCH_QUEUES];
	int indexes[2];
	struct handler handlers[2];
	struct claimer *claimer;
	const struct job_range *ranges;
	bool claiming;
};

/* Set-up and tear-down of a test; its state is a struct claimer_bench. The agent serves the queues "a", "b"
 * and "c" with the weights 1, 2 and 5, which exist under the ids 11, 12 and 13, and two handlers. */
int claimer_bench_open(void **state);
int claimer_bench_close(void **state);

/* The ranges of the next claim, in bench->ranges. */
size_t claimer_bench_scan(struct claimer_bench *bench, int64_t now_ms);

/* A claim that takes no time and brings these. */
void claimer_bench_take(struct claimer_bench *bench, const struct job_claimed *jobs, size_t count,
			int asked, int64_t now_ms);

/* One that took time. */
void claimer_bench_take_slowly(struct claimer_bench *bench, const struct job_claimed *jobs,
			       size_t count, int asked, int64_t began_ms, int64_t now_ms);

/* A job of the lane of new ones. */
struct job_claimed claimer_bench_job(int queue_id, int priority, int64_t id);

#endif
