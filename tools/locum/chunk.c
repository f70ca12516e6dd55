#include "tools/locum/chunk.h"

#include <stdlib.h>
#include <string.h>

struct chunk *chunk_new(const struct submission_job *defaults, struct unserved *unserved)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	if (chunk == NULL)
		return NULL;
	job_line_init(&chunk->line, defaults);
	chunk->unserved = unserved;
	chunk->jobs = submission_new();
	if (chunk->jobs != NULL)
		return chunk;
	chunk_free(chunk);
	return NULL;
}

void chunk_free(struct chunk *chunk)
{
	if (chunk == NULL)
		return;
	submission_free(chunk->jobs);
	job_line_fini(&chunk->line);
	free(chunk);
}

void chunk_clear(struct chunk *chunk)
{
	submission_clear(chunk->jobs);
	chunk->count = 0;
	chunk->fresh.count = 0;
}

bool chunk_is_full(const struct chunk *chunk)
{
	return submission_is_full(chunk->jobs);
}

int chunk_add(struct chunk *chunk, const char *line, size_t length, int64_t number,
	      struct error *err)
{
	if (job_line_read(&chunk->line, line, length, err) != 0)
		return error_prefix(err, "line %lld", (long long)number);
	if (submission_add(chunk->jobs, &chunk->line.job, err) != 0)
		return -1;
	unserved_note(chunk->unserved, &chunk->fresh, &chunk->line.job, chunk->count);
	chunk->numbers[chunk->count++] = number;
	return 0;
}

void chunk_drop(struct chunk *chunk, size_t count)
{
	submission_drop(chunk->jobs, count);
	chunk->count -= count;
	memmove(chunk->numbers, chunk->numbers + count, chunk->count * sizeof(chunk->numbers[0]));
	unserved_drop(&chunk->fresh, count);
}

int64_t chunk_last(const struct chunk *chunk)
{
	return chunk->numbers[chunk->count - 1];
}
