/* JSON written piece by piece into a buffer. Each returns 0, or -1 when the buffer's limit or memory ends.
 * Any thread. */
#ifndef LOCUM_BASE_JSON_WRITE_H
#define LOCUM_BASE_JSON_WRITE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Appends text as it is, as printf does; no more than JSON_WRITE_PIECE bytes. */
enum { JSON_WRITE_PIECE = 512 };
int json_write_format(struct buffer *out, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends a string: quoted, with what must be escaped as \uXXXX. The bytes are UTF-8. */
int json_write_text(struct buffer *out, const char *text, size_t length, struct error *err);

/* Appends a JSON value on one line: its bytes as they are, but line breaks between its tokens as spaces.
 * A line break inside a string is no JSON: -1 with ERROR_INPUT. */
int json_write_line(struct buffer *out, const char *json, size_t length, struct error *err);

#endif
