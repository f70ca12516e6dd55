/*
 * How often the log says the same: of each kind of message so many lines in an interval; more are counted, and told as
 * one line when the interval is over. Pure: time is given, in milliseconds of CLOCK_MONOTONIC. The caller locks.
 */
#ifndef LOCUM_BASE_LOG_LIMIT_H
#define LOCUM_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

enum { LOG_LIMIT_KINDS = 64, LOG_LIMIT_LINES = 100, LOG_LIMIT_MS = 5000 };

struct log_limit_kind {
	const char *message; /* NULL: not in use */
	enum log_level level;
	int64_t began_ms;
	int64_t lines;
	int64_t held; /* of the lines, those that were not written */
};

/* All zero at first. */
struct log_limit {
	struct log_limit_kind kinds[LOG_LIMIT_KINDS];
};

/* Whether a line of this kind is to be written now; otherwise it is counted. A kind that finds no room is not
 * limited. */
bool log_limit_admit(struct log_limit *limit, enum log_level level, const char *message,
		     int64_t now_ms);

/* Takes out one kind with lines held back whose interval is over, or any with `all`. Returns whether there was one. */
bool log_limit_take(struct log_limit *limit, bool all, int64_t now_ms, struct log_limit_kind *told);

/* When the next one is due, or INT64_MAX. */
int64_t log_limit_due_ms(const struct log_limit *limit);

#endif
