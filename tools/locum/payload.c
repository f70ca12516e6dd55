#include "tools/locum/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/text.h"

enum { READ_BYTES = 65536 };

static int too_long(struct error *err)
{
	return error_set(err, ERROR_INPUT, "the payload has more than %d bytes",
			 LIMIT_PAYLOAD_BYTES);
}

static int read_all(int fd, struct buffer *into, const char *name, struct error *err)
{
	for (;;) {
		char *room = buffer_reserve(into, READ_BYTES, err);
		ssize_t got;

		if (room == NULL)
			return err->kind == ERROR_INPUT ? too_long(err) : -1;
		got = read(fd, room, READ_BYTES);
		if (got < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_INPUT, errno, "cannot read %s", name);
		if (got == 0)
			return 0;
		if (got > 0)
			into->end += (size_t)got;
	}
}

static int check(const char *bytes, size_t length, struct error *err)
{
	size_t valid;

	if (length > LIMIT_PAYLOAD_BYTES)
		return too_long(err);
	valid = text_valid(bytes, length);
	if (valid < length)
		return error_set(err, ERROR_INPUT,
				 "the payload is not UTF-8 text: byte %zu is 0x%02x", valid + 1,
				 (unsigned char)bytes[valid]);
	return 0;
}

static char *read_open(int fd, const char *name, struct error *err)
{
	struct buffer bytes;
	char *text = NULL;

	/* Room for the read that finds the payload too long, and for the one that finds its end. */
	buffer_init(&bytes, LIMIT_PAYLOAD_BYTES + 2 * READ_BYTES);
	if (read_all(fd, &bytes, name, err) == 0 &&
	    check(buffer_bytes(&bytes), buffer_length(&bytes), err) == 0) {
		text = strndup(buffer_bytes(&bytes), buffer_length(&bytes));
		if (text == NULL)
			error_set(err, ERROR_RETRY, "out of memory");
	}
	buffer_free(&bytes);
	return text;
}

static char *read_file(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0) {
		error_set_errno(err, ERROR_INPUT, errno, "cannot open %s", path);
		return NULL;
	}
	text = read_open(fd, path, err);
	close(fd);
	return text;
}

char *payload_read(const char *argument, struct error *err)
{
	char *text;

	if (strcmp(argument, "-") == 0)
		return read_open(STDIN_FILENO, "stdin", err);
	if (argument[0] == '@')
		return read_file(argument + 1, err);
	if (check(argument, strlen(argument), err) != 0)
		return NULL;
	text = strdup(argument);
	if (text == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return text;
}

int payload_find_fault(const char *text, size_t length, char *place, size_t size)
{
	json_error_t fault;
	json_t *value = json_loadb(text, length, JSON_DECODE_ANY, &fault);

	if (value != NULL) {
		json_decref(value);
		return -1;
	}
	snprintf(place, size, "line %d, column %d: %s", fault.line, fault.column, fault.text);
	return 0;
}
