#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.h"
#include "base/log_line.h"

enum { TARGET_FD_LEAST = 64 };

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
static _Atomic int format = LOG_FORMAT_LOGFMT;

/* The lock guards the limit, and is not held while a line is written. */
static struct {
	pthread_mutex_t lock;
	struct log_limit limit;
} repeats = { .lock = PTHREAD_MUTEX_INITIALIZER };
static _Atomic int64_t repeats_due_ms = INT64_MAX;

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

void log_set_format(enum log_format wanted)
{
	atomic_store(&format, (int)wanted);
}

int log_format_read(const char *name, enum log_format *read)
{
	if (strcmp(name, "logfmt") == 0)
		*read = LOG_FORMAT_LOGFMT;
	else if (strcmp(name, "json") == 0)
		*read = LOG_FORMAT_JSON;
	else
		return -1;
	return 0;
}

const char *log_level_name(enum log_level level)
{
	return LEVEL_NAMES[level];
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
	bool is_journal;
} target = { .fd = STDERR_FILENO };

/* JOURNAL_STREAM names the device and inode of the stream that journald gave us. */
static bool is_journal(const struct stat *status)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       device == status->st_dev && inode == status->st_ino;
}

static void open_target(void)
{
	struct stat status;
	int opened;

	if (fstat(STDERR_FILENO, &status) != 0)
		return;
	target.is_socket = S_ISSOCK(status.st_mode);
	target.is_journal = is_journal(&status);
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

static struct log_line_style style(void)
{
	return (struct log_line_style){
		.format = (enum log_format)atomic_load(&format),
		.program = program,
		.journal = target.is_journal,
	};
}

/* Says how many lines nobody took, as soon as one is taken again. */
static bool confess(void)
{
	uint64_t lost = atomic_exchange(&dropped, 0);
	struct log_field lines = log_number("lines", (int64_t)lost);
	struct log_line_style how = style();
	char line[LOG_LINE_BYTES];
	size_t length;

	if (lost == 0)
		return true;
	length = log_line_write(line, &how, LOG_LEVEL_WARNING, "log lines dropped", 1, &lines);
	if (write_line(line, length))
		return true;
	atomic_fetch_add(&dropped, lost);
	return false;
}

static void write_fact(enum log_level level, const char *message, unsigned count,
		       const struct log_field *fields)
{
	struct log_line_style how = style();
	char line[LOG_LINE_BYTES];
	size_t length = log_line_write(line, &how, level, message, count, fields);

	if (!confess() || !write_line(line, length))
		atomic_fetch_add(&dropped, 1);
}

static bool take_repeats(bool all, int64_t now_ms, struct log_limit_kind *told)
{
	bool found;

	pthread_mutex_lock(&repeats.lock);
	found = log_limit_take(&repeats.limit, all, now_ms, told);
	atomic_store(&repeats_due_ms, log_limit_due_ms(&repeats.limit));
	pthread_mutex_unlock(&repeats.lock);
	return found;
}

void log_settle(bool all)
{
	int64_t now_ms = clock_monotonic_ms();
	struct log_limit_kind told;

	if (now_ms < log_due_ms() && !all)
		return;
	while (take_repeats(all, now_ms, &told)) {
		const struct log_field fields[] = {
			log_text("of", told.message),
			log_number("times", told.held),
			log_number("in_ms", now_ms - told.began_ms),
		};

		write_fact(told.level, "repeated", sizeof(fields) / sizeof(fields[0]), fields);
	}
}

int64_t log_due_ms(void)
{
	return atomic_load(&repeats_due_ms);
}

static bool is_admitted(enum log_level level, const char *message)
{
	bool admitted;

	if (level == LOG_LEVEL_DEBUG)
		return true;
	pthread_mutex_lock(&repeats.lock);
	admitted = log_limit_admit(&repeats.limit, level, message, clock_monotonic_ms());
	atomic_store(&repeats_due_ms, log_limit_due_ms(&repeats.limit));
	pthread_mutex_unlock(&repeats.lock);
	return admitted;
}

void log_write(enum log_level level, const char *message, unsigned count,
	       const struct log_field *fields)
{
	if ((int)level < atomic_load(&threshold) || level == LOG_LEVEL_NONE)
		return;
	log_settle(false);
	if (is_admitted(level, message))
		write_fact(level, message, count, fields);
}
