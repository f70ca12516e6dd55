#include "agent/errand.h"

#include <stdlib.h>
#include <string.h>

static struct wire_bytes keep(char **to, struct wire_bytes bytes)
{
	struct wire_bytes kept = bytes;

	if (bytes.bytes == NULL)
		return kept;
	memcpy(*to, bytes.bytes, bytes.length);
	kept.bytes = *to;
	*to += bytes.length;
	return kept;
}

struct errand *errand_make(const struct wire_job *job, struct member *member, struct error *err)
{
	size_t texts = (size_t)job->queue.length + job->handler.length + job->payload.length +
		       job->traceparent.length;
	struct errand *errand = malloc(sizeof(*errand) + texts);
	char *to = (char *)(errand + 1);

	if (errand == NULL) {
		error_set(err, ERROR_FATAL, "out of memory for a job");
		return NULL;
	}
	*errand = (struct errand){ .member = member, .job = *job };
	errand->job.queue = keep(&to, job->queue);
	errand->job.handler = keep(&to, job->handler);
	errand->job.payload = keep(&to, job->payload);
	errand->job.traceparent = keep(&to, job->traceparent);
	return errand;
}

void errand_free(struct errand *errand)
{
	free(errand);
}

struct errand *errand_find(const struct errand_list *list, int64_t job, struct uuid claim)
{
	struct errand *errand;

	TAILQ_FOREACH(errand, list, link)
	{
		if (errand->job.id == job && uuid_same(errand->job.claim_id, claim))
			return errand;
	}
	return NULL;
}

struct errand *errand_by_number(const struct errand_list *list, uint64_t number)
{
	struct errand *errand;

	TAILQ_FOREACH(errand, list, link)
	{
		if (errand->number == number)
			return errand;
	}
	return NULL;
}
