#include "tools/locum/chunk.h"

#include <stdlib.h>

struct chunk *chunk_new(void)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	/* A full chunk may hold one line more than its bytes allow. */
	if (chunk != NULL)
		buffer_init(&chunk->bytes, CHUNK_BYTES + LIMIT_LINE_BYTES);
	return chunk;
}

void chunk_free(struct chunk *chunk)
{
	if (chunk == NULL)
		return;
	buffer_free(&chunk->bytes);
	free(chunk);
}

void chunk_clear(struct chunk *chunk)
{
	chunk->bytes.start = 0;
	chunk->bytes.end = 0;
	chunk->count = 0;
}

bool chunk_is_full(const struct chunk *chunk)
{
	return chunk->count == CHUNK_LINES || buffer_length(&chunk->bytes) >= CHUNK_BYTES;
}

int chunk_add(struct chunk *chunk, const char *line, size_t length, int64_t number,
	      struct error *err)
{
	if (buffer_append(&chunk->bytes, line, length, err) != 0)
		return -1;
	chunk->lines[chunk->count].length = length;
	chunk->numbers[chunk->count] = number;
	chunk->count++;
	return 0;
}

/* The bytes may have moved while lines were added. */
void chunk_close(struct chunk *chunk)
{
	const char *at = buffer_bytes(&chunk->bytes);

	for (size_t i = 0; i < chunk->count; i++) {
		chunk->lines[i].bytes = at;
		at += chunk->lines[i].length;
	}
}
