/*
 * Where the lines of a stream come from: straight from the input, or through a buffer that a thread of its own
 * fills, so that whoever writes the lines need not wait while a batch is stored.
 */
#ifndef LOCUM_TOOLS_LOCUM_INTAKE_H
#define LOCUM_TOOLS_LOCUM_INTAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tools/locum/lines.h"

/* What happens to a line when the buffer is full. */
enum intake_policy { INTAKE_BLOCK, INTAKE_DROP_OLDEST, INTAKE_DROP_NEW };

struct intake_line {
	char *bytes;
	size_t length;
	int64_t number;
	int64_t offset; /* bytes of the input up to its end */
};

struct intake {
	/* Of the thread that takes the lines. */
	bool ended;     /* the last line was given */
	bool late;      /* none came before the deadline; more may come */
	int64_t number; /* of the line that was given last, from 1 */
	int64_t offset; /* bytes of the input up to its end */
	struct intake_line given;

	size_t room; /* lines; 0: no buffer and no thread */
	enum intake_policy policy;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t filled;  /* there is a line, or the end */
	pthread_cond_t emptied; /* there is room, or nobody takes lines any more */

	struct lines lines; /* of the thread that reads, until it has ended */

	/* Under the mutex. */
	struct intake_line *ring;
	size_t first;
	size_t count;
	size_t bytes;
	bool finished;  /* nothing more comes; `failed` says whether for an error */
	bool abandoned; /* nobody takes lines any more */
	int failed;
	struct error err;
	int64_t dropped;
};

/* Opens a file, or stdin for "-". stop_fd ends the lines when it becomes readable; -1: never. */
int intake_open(struct intake *intake, const char *path, int stop_fd, size_t room,
		enum intake_policy policy, struct error *err);

/* Does not wait for input that is still to come. */
void intake_close(struct intake *intake);

/* As lines_next; waits for a line until deadline_ms of clock_monotonic_ms, for ever if that is 0. */
int intake_next(struct intake *intake, int64_t deadline_ms, const char **line, size_t *length,
		struct error *err);

/* As lines_look_for_stop, lines_seek. What went through a buffer cannot be read again. */
void intake_look_for_stop(struct intake *intake);
int intake_seek(struct intake *intake, int64_t number, int64_t offset, struct error *err);

/* Whether the lines, which have ended, were ended by a stop. */
bool intake_stopped(const struct intake *intake);

/* How many lines were dropped so far. */
int64_t intake_dropped(struct intake *intake);

#endif
