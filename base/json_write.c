#include "base/json_write.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ESCAPE_BYTES = 6 };

int json_write_format(struct buffer *out, struct error *err, const char *format, ...)
{
	char *room = buffer_reserve(out, JSON_WRITE_PIECE, err);
	va_list args;
	int used;

	if (room == NULL)
		return -1;
	va_start(args, format);
	used = vsnprintf(room, JSON_WRITE_PIECE, format, args);
	va_end(args);
	if (used < 0 || used >= JSON_WRITE_PIECE)
		return error_set(err, ERROR_FATAL, "a piece of more than %d bytes",
				 JSON_WRITE_PIECE);
	out->end += (size_t)used;
	return 0;
}

static bool is_plain(char byte)
{
	return (unsigned char)byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

int json_write_text(struct buffer *out, const char *text, size_t length, struct error *err)
{
	char *room = buffer_reserve(out, length * ESCAPE_BYTES + 3, err);
	char *to = room;

	if (room == NULL)
		return -1;
	*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		if (is_plain(text[i]))
			*to++ = text[i];
		else
			to += snprintf(to, ESCAPE_BYTES + 1, "\\u%04x", (unsigned char)text[i]);
	}
	*to++ = '"';
	out->end += (size_t)(to - room);
	return 0;
}

static bool is_break(char byte)
{
	return byte == '\n' || byte == '\r';
}

/* Returns the byte behind the string that begins at json[at], or 0 when a line break is in it. */
static size_t string_end(const char *json, size_t length, size_t at)
{
	for (at++; at < length && json[at] != '"'; at++) {
		if (is_break(json[at]))
			return 0;
		if (json[at] == '\\' && at + 1 < length && !is_break(json[at + 1]))
			at++;
	}
	return at < length ? at + 1 : length;
}

static int join_lines(char *json, size_t length, struct error *err)
{
	size_t at = 0;

	while (at < length) {
		if (json[at] == '"') {
			at = string_end(json, length, at);
			if (at == 0)
				return error_set(err, ERROR_INPUT,
						 "no JSON: a line break in a string");
			continue;
		}
		if (is_break(json[at]))
			json[at] = ' ';
		at++;
	}
	return 0;
}

int json_write_line(struct buffer *out, const char *json, size_t length, struct error *err)
{
	char *room;

	if (buffer_append(out, json, length, err) != 0)
		return -1;
	if (memchr(json, '\n', length) == NULL && memchr(json, '\r', length) == NULL)
		return 0;
	room = out->data + out->end - length;
	if (join_lines(room, length, err) == 0)
		return 0;
	out->end -= length;
	return -1;
}
