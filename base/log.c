#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

/* A line fits into PIPE_BUF, so that it is written whole or not at all. */
enum { LINE_MAX_BYTES = 4096, VALUE_MAX_BYTES = 1536, TARGET_FD_LEAST = 64 };

static const char *const LEVEL_NAMES[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};
enum { LEVEL_COUNT = sizeof(LEVEL_NAMES) / sizeof(LEVEL_NAMES[0]) };

static _Atomic int threshold = LOG_LEVEL_INFO;
static const char *program = "locum";
static _Atomic uint64_t dropped; /* lines that nobody took */

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

/* Where the lines go. A pipe or a terminal that nobody reads must not hold up the fence or a ping, so those are
 * opened a second time without blocking: to set that on the descriptor itself would change it for whoever
 * shares it. */
static struct {
	int fd;
	bool is_socket;
} target = { .fd = STDERR_FILENO };

static void open_target(void)
{
	struct stat status;
	int opened;

	if (fstat(STDERR_FILENO, &status) != 0)
		return;
	target.is_socket = S_ISSOCK(status.st_mode);
	if (target.fd != STDERR_FILENO || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
		return;
	opened = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (opened < 0)
		return;
	/* Out of the way of the descriptors that an agent inherits. */
	target.fd = fcntl(opened, F_DUPFD_CLOEXEC, TARGET_FD_LEAST);
	close(opened);
	if (target.fd < 0)
		target.fd = STDERR_FILENO;
}

void log_set_program(const char *name)
{
	program = name;
	open_target();
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

/* Writes a line whole or not at all, and does not wait. */
static bool write_line(const char *line, size_t length)
{
	ssize_t written;

	do {
		written = target.is_socket
				  ? send(target.fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(target.fd, line, length);
	} while (written < 0 && errno == EINTR);
	return written == (ssize_t)length;
}

/* Says how many lines nobody took, as soon as one is taken again. */
static bool confess(void)
{
	uint64_t lost = atomic_exchange(&dropped, 0);
	char line[LINE_MAX_BYTES];
	size_t used = 0;

	if (lost == 0)
		return true;
	put_time(line, &used);
	put(line, &used, " %s warning log lines dropped lines=%" PRIu64 "\n", program, lost);
	if (write_line(line, used))
		return true;
	atomic_fetch_add(&dropped, lost);
	return false;
}

void log_write(enum log_level level, const char *message, unsigned count,
	       const struct log_field *fields)
{
	char line[LINE_MAX_BYTES];
	size_t used = 0;

	if ((int)level < atomic_load(&threshold))
		return;
	put_time(line, &used);
	put(line, &used, " %s %s %s", program, LEVEL_NAMES[level], message);
	for (unsigned i = 0; i < count; i++)
		put_field(line, &used, &fields[i]);
	line[used++] = '\n';
	if (!confess() || !write_line(line, used))
		atomic_fetch_add(&dropped, 1);
}
