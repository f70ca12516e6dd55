#include "tests/support/claimer_bench.h"

#include <string.h>

static char QUEUE_A[] = "a", QUEUE_B[] = "b", QUEUE_C[] = "c", ONE[] = "one", TWO[] = "two";

int claimer_bench_open(void **state)
{
	static struct claimer_bench bench;
	struct queue_row rows[] = { { 0, 11, false }, { 1, 12, false }, { 2, 13, false } };

	memset(&bench, 0, sizeof(bench));
	bench.queues[0] = (struct config_queue){ QUEUE_A, 1 };
	bench.queues[1] = (struct config_queue){ QUEUE_B, 2 };
	bench.queues[2] = (struct config_queue){ QUEUE_C, 5 };
	bench.handlers[0].name = ONE;
	bench.handlers[1].name = TWO;
	bench.indexes[1] = 1;
	bench.agent = (struct config_agent){
		.size = BENCH_SIZE,
		.queue_count = BENCH_QUEUES,
		.queues = bench.queues,
		.handler_count = 2,
		.handlers = bench.indexes,
	};
	bench.config.poll_interval_ms = BENCH_POLL;
	bench.config.handlers = bench.handlers;
	bench.config.handler_count = 2;
	bench.claimer = claimer_open(&bench.config, &bench.agent);
	claimer_set_queues(bench.claimer, rows, BENCH_QUEUES);
	*state = &bench;
	return bench.claimer == NULL;
}

int claimer_bench_close(void **state)
{
	claimer_close(((struct claimer_bench *)*state)->claimer);
	return 0;
}

size_t claimer_bench_scan(struct claimer_bench *bench, int64_t now_ms)
{
	if (bench->claiming)
		claimer_drop(bench->claimer);
	bench->claiming = true;
	return claimer_begin(bench->claimer, now_ms, &bench->ranges);
}

void claimer_bench_take(struct claimer_bench *bench, const struct job_claimed *jobs, size_t count,
			int asked, int64_t now_ms)
{
	claimer_bench_take_slowly(bench, jobs, count, asked, now_ms, now_ms);
}

void claimer_bench_take_slowly(struct claimer_bench *bench, const struct job_claimed *jobs,
			       size_t count, int asked, int64_t began_ms, int64_t now_ms)
{
	if (!bench->claiming)
		claimer_begin(bench->claimer, began_ms, &bench->ranges);
	bench->claiming = false;
	claimer_take(bench->claimer, jobs, count, asked, began_ms, now_ms);
}

struct job_claimed claimer_bench_job(int queue_id, int priority, int64_t id)
{
	return (struct job_claimed){
		.id = id, .queue_id = queue_id, .priority = priority, .lane = JOB_LANE_NEW
	};
}
