#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 4096, KEEP_SIZE = 256 * 1024 };

void buffer_init(struct buffer *buffer, size_t limit)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->limit = limit;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer, buffer->limit);
}

static void compact(struct buffer *buffer)
{
	size_t length = buffer_length(buffer);

	if (buffer->start == 0)
		return;
	memmove(buffer->data, buffer->data + buffer->start, length);
	buffer->start = 0;
	buffer->end = length;
}

char *buffer_reserve(struct buffer *buffer, size_t more, struct error *err)
{
	size_t need = buffer_length(buffer) + more;
	size_t size = buffer->size == 0 ? FIRST_SIZE : buffer->size;
	char *grown;

	if (need > buffer->limit || need < more) {
		error_set(err, ERROR_INPUT, "more than %zu bytes", buffer->limit);
		return NULL;
	}
	if (buffer->end + more <= buffer->size)
		return buffer->data + buffer->end;
	if (buffer->data != NULL)
		compact(buffer);
	while (size < need)
		size *= 2;
	if (size > buffer->size) {
		grown = realloc(buffer->data, size);
		if (grown == NULL) {
			error_set(err, ERROR_RETRY, "out of memory for %zu bytes", size);
			return NULL;
		}
		buffer->data = grown;
		buffer->size = size;
	}
	return buffer->data + buffer->end;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length, struct error *err)
{
	char *room = buffer_reserve(buffer, length, err);

	if (room == NULL)
		return -1;
	if (length > 0)
		memcpy(room, bytes, length);
	buffer->end += length;
	return 0;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	buffer->start += length;
	if (buffer->start < buffer->end)
		return;
	buffer->start = 0;
	buffer->end = 0;
	if (buffer->size > KEEP_SIZE)
		buffer_free(buffer);
}
