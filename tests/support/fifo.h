/*
 * How handlers under test talk to the test: they write into one fifo, and whoever lives holds it open;
 * they read from a second one until the test says go. No wait is by time; each has a deadline.
 */
#ifndef LOCUM_TESTS_SUPPORT_FIFO_H
#define LOCUM_TESTS_SUPPORT_FIFO_H

#include <stdbool.h>

#include "base/buffer.h"

enum { FIFO_PATH = 256 };

struct fifo {
	char path[FIFO_PATH]; /* handlers write here */
	char go[FIFO_PATH];   /* handlers read here */
	int fd;
	struct buffer said; /* and not asked for yet */
};

void fifo_open(struct fifo *fifo, const char *directory);
void fifo_close(struct fifo *fifo);

/* Waits for these bytes. */
void fifo_await(struct fifo *fifo, const char *text);

/* Waits for the end of all that hold the fifo open. */
void fifo_await_all_dead(struct fifo *fifo);

/* Whether anybody holds the fifo open now. */
bool fifo_is_held(struct fifo *fifo);

/* Lets the handler go on that reads from the second fifo, or is about to. */
void fifo_go(struct fifo *fifo);

/* Waits until there is something to read; `what` is for the message when nothing comes. */
void fifo_await_readable(int fd, const char *what);

#endif
