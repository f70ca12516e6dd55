/* The lines of a stream that go to the server in one call. */
#ifndef LOCUM_TOOLS_LOCUM_CHUNK_H
#define LOCUM_TOOLS_LOCUM_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "db/submission.h"
#include "tools/locum/job_line.h"
#include "tools/locum/unserved.h"

struct chunk {
	struct submission *jobs;
	struct job_line line;
	struct unserved *unserved;
	size_t count;
	int64_t numbers[LIMIT_SUBMIT_BATCH]; /* of the lines in the stream */
	struct unserved_fresh fresh;
};

/* Lines say what `defaults`, which are borrowed, do not. Returns NULL when memory ends. */
struct chunk *chunk_new(const struct submission_job *defaults, struct unserved *unserved);
void chunk_free(struct chunk *chunk);

void chunk_clear(struct chunk *chunk);
bool chunk_is_full(const struct chunk *chunk);

/* Adds the job of a line to a chunk that is not full. ERROR_INPUT names the line. */
int chunk_add(struct chunk *chunk, const char *line, size_t length, int64_t number,
	      struct error *err);

/* Drops the first lines. */
void chunk_drop(struct chunk *chunk, size_t count);

/* The number of its last line. */
int64_t chunk_last(const struct chunk *chunk);

#endif
