/*
 * The tail of what a handler writes: any volume goes in, at most LIMIT_LOG_BYTES stay. Owned by the
 * loop's thread.
 */
#ifndef LOCUM_AGENT_OUTPUT_H
#define LOCUM_AGENT_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

struct output {
	char *ring;     /* NULL until the first byte; grows to LIMIT_LOG_BYTES */
	size_t size;    /* allocated */
	uint64_t total; /* bytes that went through the ring */
	uint64_t lost;  /* bytes that memory did not last for */
};

void output_add(struct output *output, const char *bytes, size_t length);

/* Returns the tail as text to keep, the caller's to free: valid UTF-8 without NUL, at most
 * LIMIT_LOG_BYTES, beginning with a line that says how much is missing if any is. NULL when there was no
 * output or no memory. *length gets its length. */
char *output_text(const struct output *output, size_t *length);

void output_free(struct output *output);

#endif
