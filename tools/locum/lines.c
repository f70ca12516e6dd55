#include "tools/locum/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

enum { CHUNK_BYTES = 256 * 1024 };

int lines_open(struct lines *lines, const char *path, int stop_fd, struct error *err)
{
	struct stat status;

	memset(lines, 0, sizeof(*lines));
	lines->stop_fd = stop_fd;
	lines->wake_fd = -1;
	buffer_init(&lines->buffer, LIMIT_LINE_BYTES + 2 * CHUNK_BYTES);
	lines->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot open %s", path);
	if (fstat(lines->fd, &status) == 0 && S_ISREG(status.st_mode)) {
		lines->seekable = lseek(lines->fd, 0, SEEK_CUR) == 0;
		lines->size = status.st_size;
	}
	return 0;
}

void lines_close(struct lines *lines)
{
	if (lines->fd > STDIN_FILENO)
		close(lines->fd);
	if (lines->wake_fd >= 0)
		close(lines->wake_fd);
	buffer_free(&lines->buffer);
}

/* The time until the deadline, for poll. */
static int time_left_ms(const struct lines *lines)
{
	int64_t left_ms = lines->deadline_ms - clock_monotonic_ms();

	if (lines->deadline_ms == 0)
		return -1;
	if (left_ms <= 0)
		return 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Waits for bytes, the stop or the deadline. */
static int wait_input(struct lines *lines, struct error *err)
{
	struct pollfd polled[] = {
		{ .fd = lines->fd, .events = POLLIN },
		{ .fd = lines->stop_fd, .events = POLLIN },
		{ .fd = lines->wake_fd, .events = POLLIN },
	};

	int ready = poll(polled, 3, time_left_ms(lines));

	if (ready < 0 && errno != EINTR)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot wait for input");
	lines->late = ready == 0;
	if (ready <= 0)
		return 0;
	lines->stopped = polled[1].revents != 0 || polled[2].revents != 0;
	return 0;
}

static int read_more(struct lines *lines, struct error *err)
{
	char *room = buffer_reserve(&lines->buffer, CHUNK_BYTES, err);
	ssize_t got;

	if (room == NULL || wait_input(lines, err) != 0)
		return -1;
	if (lines->stopped || lines->late)
		return 0;
	got = read(lines->fd, room, CHUNK_BYTES);
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return error_set_errno(err, ERROR_INPUT, errno, "cannot read the stream");
	lines->drained = got == 0;
	if (got > 0)
		lines->buffer.end += (size_t)got;
	return 0;
}

static int too_long(const struct lines *lines, struct error *err)
{
	return error_set(err, ERROR_INPUT, "line %lld: it is longer than %d bytes",
			 (long long)lines->number + 1, LIMIT_LINE_BYTES);
}

/* Finds the next line's length without its break, reading on as needed; sets *with to the bytes that it
 * takes in the buffer. Returns 1, 0 at the end, or -1. */
static int find_line(struct lines *lines, size_t *length, size_t *with, struct error *err)
{
	size_t seen = 0;

	lines->late = false;
	for (;;) {
		size_t have = buffer_length(&lines->buffer);
		const char *bytes = have == 0 ? "" : buffer_bytes(&lines->buffer);
		const char *end = memchr(bytes + seen, '\n', have - seen);

		*length = end != NULL ? (size_t)(end - bytes) : have;
		*with = end != NULL ? *length + 1 : have;
		if (*length > LIMIT_LINE_BYTES)
			return too_long(lines, err);
		if (end != NULL || (lines->drained && have > 0))
			return 1;
		if (lines->drained || lines->stopped || lines->late)
			return 0;
		seen = have;
		if (read_more(lines, err) != 0)
			return -1;
	}
}

static bool is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strchr(" \t\r", line[i]) == NULL || line[i] == '\0')
			return false;
	return true;
}

static int check_line(const struct lines *lines, const char *line, size_t length, struct error *err)
{
	size_t valid = text_valid(line, length);

	if (valid == length)
		return 1;
	return error_set(err, ERROR_INPUT, "line %lld: it is not UTF-8 text: byte %zu is 0x%02x",
			 (long long)lines->number, valid + 1, (unsigned char)line[valid]);
}

static void drop_previous(struct lines *lines)
{
	if (lines->taken > 0)
		buffer_consume(&lines->buffer, lines->taken);
	lines->taken = 0;
}

int lines_next(struct lines *lines, const char **line, size_t *length, struct error *err)
{
	size_t with;

	do {
		int found;

		drop_previous(lines);
		found = lines->stopped ? 0 : find_line(lines, length, &with, err);
		lines->ended = found == 0 && !lines->late;
		if (found <= 0)
			return found;
		*line = buffer_bytes(&lines->buffer);
		lines->number++;
		lines->offset += (int64_t)with;
		lines->taken = with;
	} while (is_blank(*line, *length));
	return check_line(lines, *line, *length, err);
}

void lines_look_for_stop(struct lines *lines)
{
	struct pollfd polled = { .fd = lines->stop_fd, .events = POLLIN };

	if (poll(&polled, 1, 0) == 1) {
		lines->stopped = true;
		lines->ended = true;
	}
}

int lines_seek(struct lines *lines, int64_t number, int64_t offset, struct error *err)
{
	if (!lines->seekable || lseek(lines->fd, offset, SEEK_SET) != offset)
		return error_set(err, ERROR_RETRY, "the input cannot be read a second time");
	buffer_consume(&lines->buffer, buffer_length(&lines->buffer));
	lines->taken = 0;
	lines->number = number;
	lines->offset = offset;
	lines->ended = false;
	lines->drained = false;
	return 0;
}
