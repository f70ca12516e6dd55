/*
 * The log: one line per fact on stderr, as logfmt behind time, program, level and message,
 *   2026-01-31T10:00:00.123Z locumd error message key=value
 * or as a JSON object. Where journald reads it (JOURNAL_STREAM names stderr), the level goes in front as <N> and the
 * time is left out.
 *
 * Of one message LOG_LIMIT_LINES are written in LOG_LIMIT_MS (base/log_limit.h); how many more there were is told by
 * one line, "repeated". Lines at debug are not limited.
 *
 * Nothing waits for a reader: a line that is not taken at once is dropped, and the next one that is taken is
 * preceded by their number.
 *
 * Only thread loops and main log; everything else returns its error. User text is escaped, so one
 * fact is one line whatever it contains. Any thread may call; a line is one write(2).
 */
#ifndef LOCUM_BASE_LOG_H
#define LOCUM_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_NONE, /* of a line that nobody wants */
};

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* One key=value of a line. Made by the functions below; the text is borrowed until the call ends. */
struct log_field {
	const char *key;
	enum { LOG_TEXT, LOG_NUMBER, LOG_UUID } type;
	const char *text;
	int64_t number;
	struct uuid uuid;
};

struct log_field log_text(const char *key, const char *text);
struct log_field log_number(const char *key, int64_t number);
struct log_field log_uuid(const char *key, struct uuid uuid);

/* Lines below this level are dropped. Any thread. */
void log_set_level(enum log_level level);

/* How lines are written from now on. Any thread. */
void log_set_format(enum log_format format);

/* Returns 0 and sets *format for "logfmt" or "json"; -1 for another name. */
int log_format_read(const char *name, enum log_format *format);

/* Returns 0 and sets *level for "debug", "info", "warning" or "error"; -1 for another name. */
int log_level_read(const char *name, enum log_level *level);

/* The name of a level up to error. */
const char *log_level_name(enum log_level level);

/* Tells of the lines that were held back as repetitions and are due; with `all` of all, at the end of a process. */
void log_settle(bool all);

/* When that is due next, in milliseconds of CLOCK_MONOTONIC; INT64_MAX: nothing is held back. */
int64_t log_due_ms(void);

/* What the lines of this process begin with after the time, e.g. "locumd". Not copied. Call it first, before
 * threads start: it also opens the log. */
void log_set_program(const char *name);

void log_write(enum log_level level, const char *message, unsigned count,
	       const struct log_field *fields);

/* log_info("job finished", log_number("job", id)) and so on; the message is fixed text. */
/* A compound literal, which the formatter takes for a block. */
/* clang-format off */
#define LOG_FIELDS(...) (const struct log_field[]){ __VA_ARGS__ }
/* clang-format on */
#define LOG_COUNT(...) (sizeof(LOG_FIELDS(__VA_ARGS__)) / sizeof(struct log_field))
#define LOG_LINE(level, message, ...)                                                              \
	log_write(level, message, (unsigned)LOG_COUNT(__VA_ARGS__), LOG_FIELDS(__VA_ARGS__))
#define log_debug(message, ...) LOG_LINE(LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define log_info(message, ...) LOG_LINE(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_warning(message, ...) LOG_LINE(LOG_LEVEL_WARNING, message, __VA_ARGS__)
#define log_error(message, ...) LOG_LINE(LOG_LEVEL_ERROR, message, __VA_ARGS__)

/* The field of an error: error="…". */
struct log_field log_err(const struct error *err);

#endif
