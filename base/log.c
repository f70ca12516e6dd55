#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_MAX_BYTES = 4096, VALUE_MAX_BYTES = 1536 };

static const char *const LEVEL_NAMES[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};
enum { LEVEL_COUNT = sizeof(LEVEL_NAMES) / sizeof(LEVEL_NAMES[0]) };

static _Atomic int threshold = LOG_LEVEL_INFO;
static const char *program = "locum";

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

int log_level_read(const char *name, enum log_level *level)
{
	for (int i = 0; i < LEVEL_COUNT; i++) {
		if (strcmp(LEVEL_NAMES[i], name) != 0)
			continue;
		*level = (enum log_level)i;
		return 0;
	}
	return -1;
}

const char *log_level_name(enum log_level level)
{
	return LEVEL_NAMES[level];
}

void log_set_program(const char *name)
{
	program = name;
}

struct log_field log_text(const char *key, const char *text)
{
	return (struct log_field){ .key = key, .type = LOG_TEXT, .text = text };
}

struct log_field log_number(const char *key, int64_t number)
{
	return (struct log_field){ .key = key, .type = LOG_NUMBER, .number = number };
}

struct log_field log_uuid(const char *key, struct uuid uuid)
{
	return (struct log_field){ .key = key, .type = LOG_UUID, .uuid = uuid };
}

struct log_field log_err(const struct error *err)
{
	return log_text("error", err->text);
}

/* Appends as printf does; what does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void put(char *line, size_t *used, const char *format,
						      ...)
{
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(line + *used, LINE_MAX_BYTES - *used, format, args);
	va_end(args);
	if (more > 0)
		*used += (size_t)more;
	if (*used >= LINE_MAX_BYTES)
		*used = LINE_MAX_BYTES - 1;
}

static void put_time(char *line, size_t *used)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	put(line, used, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
	    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
}

static void put_field(char *line, size_t *used, const struct log_field *field)
{
	char value[VALUE_MAX_BYTES];

	switch (field->type) {
	case LOG_TEXT:
		put(line, used, " %s=\"%s\"", field->key,
		    text_quote(field->text == NULL ? "" : field->text, value, sizeof(value)));
		break;
	case LOG_NUMBER:
		put(line, used, " %s=%" PRId64, field->key, field->number);
		break;
	case LOG_UUID:
		put(line, used, " %s=%s", field->key, uuid_text(field->uuid, value));
		break;
	}
}

void log_write(enum log_level level, const char *message, unsigned count,
	       const struct log_field *fields)
{
	char line[LINE_MAX_BYTES];
	size_t used = 0;
	ssize_t written;

	if ((int)level < atomic_load(&threshold))
		return;
	put_time(line, &used);
	put(line, &used, " %s %s %s", program, LEVEL_NAMES[level], message);
	for (unsigned i = 0; i < count; i++)
		put_field(line, &used, &fields[i]);
	line[used++] = '\n';
	written = write(STDERR_FILENO, line, used);
	(void)written; /* a log that cannot be written has nowhere to say so */
}
