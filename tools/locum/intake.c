#include "tools/locum/intake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"

/* --- the thread that reads -------------------------------------------------------------------- */

static bool is_full(const struct intake *intake, size_t length)
{
	return intake->count == intake->room ||
	       (intake->count > 0 && intake->bytes + length > LIMIT_BUFFER_BYTES);
}

static struct intake_line take_first(struct intake *intake)
{
	struct intake_line line = intake->ring[intake->first];

	intake->first = (intake->first + 1) % intake->room;
	intake->count--;
	intake->bytes -= line.length;
	return line;
}

static void put_last(struct intake *intake, struct intake_line line)
{
	intake->ring[(intake->first + intake->count) % intake->room] = line;
	intake->count++;
	intake->bytes += line.length;
	pthread_cond_signal(&intake->filled);
}

/* Makes room as the policy says; returns whether there is some now. Under the mutex. */
static bool make_room(struct intake *intake, size_t length)
{
	while (is_full(intake, length) && !intake->abandoned) {
		switch (intake->policy) {
		case INTAKE_BLOCK:
			pthread_cond_wait(&intake->emptied, &intake->mutex);
			break;
		case INTAKE_DROP_OLDEST:
			free(take_first(intake).bytes);
			intake->dropped++;
			break;
		case INTAKE_DROP_NEW:
			intake->dropped++;
			return false;
		}
	}
	return !intake->abandoned;
}

/* Returns whether more lines are wanted. */
static bool pass_on(struct intake *intake, struct intake_line line)
{
	bool wanted;

	pthread_mutex_lock(&intake->mutex);
	if (make_room(intake, line.length))
		put_last(intake, line);
	else
		free(line.bytes);
	wanted = !intake->abandoned;
	pthread_mutex_unlock(&intake->mutex);
	return wanted;
}

static int read_line(struct intake *intake, struct intake_line *line, struct error *err)
{
	struct lines *lines = &intake->lines;
	const char *bytes;
	int found = lines_next(lines, &bytes, &line->length, err);

	if (found <= 0)
		return found;
	line->bytes = malloc(line->length + 1);
	if (line->bytes == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	memcpy(line->bytes, bytes, line->length);
	line->bytes[line->length] = '\0';
	line->number = lines->number;
	line->offset = lines->offset;
	return 1;
}

static void *read_lines(void *argument)
{
	struct intake *intake = argument;
	struct intake_line line;
	struct error err = { .kind = ERROR_NONE };
	int found;

	while ((found = read_line(intake, &line, &err)) == 1)
		if (!pass_on(intake, line))
			break;
	pthread_mutex_lock(&intake->mutex);
	intake->finished = true;
	intake->failed = found < 0 ? -1 : 0;
	intake->err = err;
	pthread_cond_signal(&intake->filled);
	pthread_mutex_unlock(&intake->mutex);
	return NULL;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static int start(struct intake *intake, struct error *err)
{
	pthread_condattr_t monotonic;
	int failed;

	intake->ring = calloc(intake->room, sizeof(*intake->ring));
	if (intake->ring == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	pthread_mutex_init(&intake->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&intake->filled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&intake->emptied, NULL);
	failed = pthread_create(&intake->thread, NULL, read_lines, intake);
	if (failed != 0) {
		free(intake->ring);
		return error_set_errno(err, ERROR_RETRY, failed, "cannot start a thread");
	}
	return 0;
}

int intake_open(struct intake *intake, const char *path, int stop_fd, size_t room,
		enum intake_policy policy, struct error *err)
{
	*intake = (struct intake){ .room = room, .policy = policy };
	if (lines_open(&intake->lines, path, stop_fd, err) != 0)
		return -1;
	if (room > 0)
		intake->lines.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (room > 0 && start(intake, err) != 0) {
		lines_close(&intake->lines);
		return -1;
	}
	return 0;
}

/* Takes the reader out of whatever it waits for. */
static void stop_reading(struct intake *intake)
{
	pthread_mutex_lock(&intake->mutex);
	intake->abandoned = true;
	pthread_cond_signal(&intake->emptied);
	pthread_mutex_unlock(&intake->mutex);
	eventfd_write(intake->lines.wake_fd, 1);
	pthread_join(intake->thread, NULL);
}

void intake_close(struct intake *intake)
{
	if (intake->room > 0) {
		stop_reading(intake);
		while (intake->count > 0)
			free(take_first(intake).bytes);
		free(intake->ring);
		free(intake->given.bytes);
		pthread_cond_destroy(&intake->filled);
		pthread_cond_destroy(&intake->emptied);
		pthread_mutex_destroy(&intake->mutex);
	}
	lines_close(&intake->lines);
}

/* --- taking lines ------------------------------------------------------------------------------ */

/* Waits until there is a line, the end, or the deadline. Under the mutex. */
static void wait_filled(struct intake *intake, int64_t deadline_ms)
{
	const struct timespec until = { .tv_sec = deadline_ms / 1000,
					.tv_nsec = deadline_ms % 1000 * 1000000 };
	int failed = 0;

	while (intake->count == 0 && !intake->finished && failed == 0) {
		if (deadline_ms == 0)
			pthread_cond_wait(&intake->filled, &intake->mutex);
		else
			failed = pthread_cond_timedwait(&intake->filled, &intake->mutex, &until);
	}
	intake->late = intake->count == 0 && !intake->finished;
}

static int next_buffered(struct intake *intake, int64_t deadline_ms, const char **line,
			 size_t *length, struct error *err)
{
	int found = 1;

	free(intake->given.bytes);
	intake->given.bytes = NULL;
	pthread_mutex_lock(&intake->mutex);
	wait_filled(intake, deadline_ms);
	if (intake->count > 0) {
		intake->given = take_first(intake);
		pthread_cond_signal(&intake->emptied);
	} else if (intake->late) {
		found = 0;
	} else {
		found = intake->failed;
		if (found != 0)
			*err = intake->err;
	}
	pthread_mutex_unlock(&intake->mutex);
	intake->ended = found == 0 && !intake->late;
	if (found <= 0)
		return found;
	*line = intake->given.bytes;
	*length = intake->given.length;
	intake->number = intake->given.number;
	intake->offset = intake->given.offset;
	return 1;
}

int intake_next(struct intake *intake, int64_t deadline_ms, const char **line, size_t *length,
		struct error *err)
{
	int found;

	if (intake->room > 0)
		return next_buffered(intake, deadline_ms, line, length, err);
	intake->lines.deadline_ms = deadline_ms;
	found = lines_next(&intake->lines, line, length, err);
	intake->ended = intake->lines.ended;
	intake->late = intake->lines.late;
	intake->number = intake->lines.number;
	intake->offset = intake->lines.offset;
	return found;
}

void intake_look_for_stop(struct intake *intake)
{
	if (intake->room > 0)
		return; /* the reader does */
	lines_look_for_stop(&intake->lines);
	intake->ended = intake->lines.ended;
}

int intake_seek(struct intake *intake, int64_t number, int64_t offset, struct error *err)
{
	if (intake->room > 0)
		return error_set(err, ERROR_RETRY,
				 "what came through the buffer cannot be read a second time");
	if (lines_seek(&intake->lines, number, offset, err) != 0)
		return -1;
	intake->ended = false;
	intake->number = number;
	intake->offset = offset;
	return 0;
}

bool intake_stopped(const struct intake *intake)
{
	return intake->ended && intake->lines.stopped;
}

int64_t intake_dropped(struct intake *intake)
{
	int64_t dropped;

	if (intake->room == 0)
		return 0;
	pthread_mutex_lock(&intake->mutex);
	dropped = intake->dropped;
	pthread_mutex_unlock(&intake->mutex);
	return dropped;
}
