#include "tests/support/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAID_BYTES_MAX = 64 * 1024 * 1024, READ_BYTES = 64 * 1024 };
enum { PATIENCE_MS = 120000 }; /* far more than anything takes that works */

static void make(char path[static FIFO_PATH], const char *directory, const char *name)
{
	snprintf(path, FIFO_PATH, "%.200s/%s", directory, name);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(chmod(path, 0666), 0);
}

/* Opened anew, a fifo waits for its next writer; the old end keeps what is already in it. */
static void open_again(struct fifo *fifo)
{
	int fd = open(fifo->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	if (fifo->fd >= 0)
		close(fifo->fd);
	fifo->fd = fd;
}

void fifo_open(struct fifo *fifo, const char *directory)
{
	fifo->fd = -1;
	buffer_init(&fifo->said, SAID_BYTES_MAX);
	make(fifo->path, directory, "fifo");
	make(fifo->go, directory, "fifo.go");
	open_again(fifo);
}

void fifo_close(struct fifo *fifo)
{
	close(fifo->fd);
	unlink(fifo->path);
	unlink(fifo->go);
	buffer_free(&fifo->said);
}

void fifo_await_readable(int fd, const char *what)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	if (poll(&wanted, 1, PATIENCE_MS) != 1)
		fail_msg("%s: nothing in %d ms", what, PATIENCE_MS);
}

/* Reads once. Returns what read does. */
static ssize_t listen_once(struct fifo *fifo)
{
	char *room = buffer_reserve(&fifo->said, READ_BYTES, NULL);
	ssize_t got;

	assert_non_null(room);
	got = read(fifo->fd, room, READ_BYTES);
	if (got > 0)
		fifo->said.end += (size_t)got;
	return got;
}

static const char *find_said(const struct fifo *fifo, const char *text)
{
	if (buffer_length(&fifo->said) == 0)
		return NULL;
	return memmem(buffer_bytes(&fifo->said), buffer_length(&fifo->said), text, strlen(text));
}

void fifo_await(struct fifo *fifo, const char *text)
{
	const char *found;

	while ((found = find_said(fifo, text)) == NULL) {
		fifo_await_readable(fifo->fd, text);
		if (listen_once(fifo) == 0)
			open_again(fifo);
	}
	buffer_consume(&fifo->said, (size_t)(found - buffer_bytes(&fifo->said)) + strlen(text));
}

void fifo_await_all_dead(struct fifo *fifo)
{
	do {
		fifo_await_readable(fifo->fd, "the end of all handlers");
	} while (listen_once(fifo) != 0);
}

bool fifo_is_held(struct fifo *fifo)
{
	ssize_t got;

	do {
		got = listen_once(fifo);
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

void fifo_go(struct fifo *fifo)
{
	int fd = open(fifo->go, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "go\n", 3), 3);
	close(fd);
}
