/* The lines of a stream that go to the server in one call. */
#ifndef LOCUM_TOOLS_LOCUM_CHUNK_H
#define LOCUM_TOOLS_LOCUM_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "db/args.h"

enum { CHUNK_LINES = LIMIT_SUBMIT_BATCH, CHUNK_BYTES = 16 * 1024 * 1024 };

struct chunk {
	struct buffer bytes;
	size_t count;
	struct args_text lines[CHUNK_LINES]; /* valid after chunk_close */
	int64_t numbers[CHUNK_LINES];        /* of the lines in the stream */
};

/* Returns NULL when memory ends. */
struct chunk *chunk_new(void);
void chunk_free(struct chunk *chunk);

void chunk_clear(struct chunk *chunk);
bool chunk_is_full(const struct chunk *chunk);

/* Copies a line into a chunk that is not full. */
int chunk_add(struct chunk *chunk, const char *line, size_t length, int64_t number,
	      struct error *err);

/* Makes chunk->lines point at the lines. */
void chunk_close(struct chunk *chunk);

#endif
