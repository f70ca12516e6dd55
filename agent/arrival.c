#include "agent/arrival.h"

#include <stdlib.h>
#include <string.h>

struct arrival *arrival_make(struct program *program, const struct wire_job *job,
			     struct wire_bytes entry, struct error *err)
{
	struct arrival *arrival = malloc(sizeof(*arrival) + entry.length);

	if (arrival == NULL) {
		error_set(err, ERROR_FATAL, "out of memory for a job");
		return NULL;
	}
	*arrival = (struct arrival){
		.program = program_hold(program),
		.job = job->id,
		.payload = job->payload.length,
		.length = entry.length,
	};
	memcpy(arrival->entry, entry.bytes, entry.length);
	return arrival;
}

void arrival_free(struct arrival *arrival)
{
	if (arrival == NULL)
		return;
	program_drop(arrival->program);
	free(arrival);
}

struct wire_job arrival_job(const struct arrival *arrival)
{
	struct wire_frame frame = {
		.type = WIRE_RUN,
		.body = { arrival->entry, arrival->length },
	};
	struct wire_job job = { 0 };
	size_t at = 0;

	wire_read_run(&frame, &at, &job, NULL); /* it was read before */
	return job;
}

struct arrival *arrival_find(const struct arrival_list *list, int64_t job, struct uuid claim)
{
	struct arrival *arrival;

	TAILQ_FOREACH(arrival, list, link)
	{
		if (arrival->job == job && uuid_same(arrival_job(arrival).claim_id, claim))
			return arrival;
	}
	return NULL;
}
