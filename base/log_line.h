/* One line of the log, for base/log.c. Any thread. */
#ifndef LOCUM_BASE_LOG_LINE_H
#define LOCUM_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

/* A line fits into PIPE_BUF, so that it is written whole or not at all. */
enum { LOG_LINE_BYTES = 4096 };

struct log_line_style {
	enum log_format format;
	const char *program;
	bool journal; /* journald reads it: the priority as <N> in front, and no time of ours */
};

/* Writes the line with its line break, without a NUL. Long values are cut with "…", and what has no room is left out.
 * Returns its length. */
size_t log_line_write(char line[static LOG_LINE_BYTES], const struct log_line_style *style,
		      enum log_level level, const char *message, unsigned count,
		      const struct log_field *fields);

#endif
