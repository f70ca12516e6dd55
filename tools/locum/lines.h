/* The lines of a file or of stdin, read by chunks in bounded memory. */
#ifndef LOCUM_TOOLS_LOCUM_LINES_H
#define LOCUM_TOOLS_LOCUM_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct lines {
	int fd;
	int stop_fd; /* when it becomes readable, the lines end; -1: never */
	int wake_fd; /* the same, for another thread that wants the end; -1: none */
	bool seekable;
	bool ended; /* the last line was given, or stopped */
	bool stopped;
	bool late;           /* nothing came before the deadline; more may come */
	int64_t deadline_ms; /* of waiting for input, by clock_monotonic_ms; 0: none */
	bool drained;        /* the file has no more bytes */
	int64_t number;      /* of the line that was given last, from 1 */
	int64_t offset;      /* bytes in the lines that were given */
	int64_t size;        /* of a regular file, or 0 */
	size_t taken;        /* bytes of the buffer that the line given last takes */
	struct buffer buffer;
};

/* Opens a file, or takes stdin for "-". */
int lines_open(struct lines *lines, const char *path, int stop_fd, struct error *err);
void lines_close(struct lines *lines);

/* Returns 1 and sets *line, which is valid until the next call and has no line break, and *length; 0 when
 * there are no more, or none came before the deadline; -1 for a line of more than LIMIT_LINE_BYTES or one that is not UTF-8. Lines that are
 * empty but for white space are passed over. A line that a stop cuts off is not given. */
int lines_next(struct lines *lines, const char **line, size_t *length, struct error *err);

/* Ends the lines if the stop has come, even if more of them have been read already. */
void lines_look_for_stop(struct lines *lines);

/* Goes back to just behind a line that was given, by lines.number and lines.offset as they were then.
 * -1 when the input cannot be read twice. */
int lines_seek(struct lines *lines, int64_t number, int64_t offset, struct error *err);

#endif
