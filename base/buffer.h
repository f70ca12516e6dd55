/* A growable run of bytes with a mandatory limit. Owned by one thread. */
#ifndef LOCUM_BASE_BUFFER_H
#define LOCUM_BASE_BUFFER_H

#include <stddef.h>

#include "base/error.h"

struct buffer {
	char *data;   /* NULL while empty */
	size_t start; /* bytes before this are consumed */
	size_t end;   /* bytes up to this are filled */
	size_t size;  /* allocated */
	size_t limit; /* most bytes that may be held */
};

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_free(struct buffer *buffer);

/* The unconsumed bytes. */
static inline const char *buffer_bytes(const struct buffer *buffer)
{
	return buffer->data == NULL ? NULL : buffer->data + buffer->start;
}

static inline size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* Makes room for `more` bytes at the end; returns where they go, or NULL past the limit. */
char *buffer_reserve(struct buffer *buffer, size_t more, struct error *err);

/* Copies bytes to the end. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length, struct error *err);

/* Drops the first `length` bytes; an emptied large buffer gives its memory back. */
void buffer_consume(struct buffer *buffer, size_t length);

#endif
