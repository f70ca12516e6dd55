#include "tools/chaos/history/history.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SHORT_LINE = 4096, TEXT_MAX = 4096, WORDS_AT_FIRST = 256, PATH_MAX_BYTES = 4096 };

int64_t history_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int join(char *path, const char *folder, const char *name, struct error *err)
{
	int length = snprintf(path, PATH_MAX_BYTES, "%s/%s", folder, name);

	if (length >= PATH_MAX_BYTES)
		return error_set(err, ERROR_INPUT, "%s/%s: the path is too long", folder, name);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

int history_open(struct history *history, const char *folder, const char *name, struct error *err)
{
	char path[PATH_MAX_BYTES];

	if (join(path, folder, name, err) != 0)
		return -1;
	atomic_init(&history->records, 0);
	history->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (history->fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "%s", path);
	return 0;
}

/* A record is one line, whatever its text holds. */
static void flatten(char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			*text = ' ';
}

/* Writes the record into line; returns its length without the NUL, or the length that it would have. */
static size_t compose(char *line, size_t size, int64_t at_us, const char *format, va_list arguments)
	__attribute__((format(printf, 4, 0)));

static size_t compose(char *line, size_t size, int64_t at_us, const char *format, va_list arguments)
{
	int head = snprintf(line, size, "%" PRId64 " ", at_us);
	int text = vsnprintf(line + head, size - (size_t)head, format, arguments);
	size_t length = (size_t)head + (size_t)(text < 0 ? 0 : text);

	if (length + 2 > size)
		return length + 2;
	flatten(line);
	line[length] = '\n';
	line[length + 1] = '\0';
	return length + 1;
}

static void write_line(int fd, const char *line, size_t length)
{
	ssize_t written;

	do
		written = write(fd, line, length);
	while (written < 0 && errno == EINTR);
}

static void write_record(struct history *history, int64_t at_us, const char *format,
			 va_list arguments) __attribute__((format(printf, 3, 0)));

static void write_record(struct history *history, int64_t at_us, const char *format,
			 va_list arguments)
{
	char small[SHORT_LINE];
	char *line = small;
	va_list again;
	size_t length;

	va_copy(again, arguments);
	length = compose(small, sizeof(small), at_us, format, arguments);
	if (length >= sizeof(small)) {
		line = malloc(length + 1);
		if (line != NULL)
			length = compose(line, length + 1, at_us, format, again);
	}
	va_end(again);
	if (line == NULL)
		return;
	atomic_fetch_add(&history->records, 1);
	write_line(history->fd, line, length);
	if (line != small)
		free(line);
}

void history_write(struct history *history, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_record(history, history_now_us(), format, arguments);
	va_end(arguments);
}

void history_write_at(struct history *history, int64_t at_us, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_record(history, at_us, format, arguments);
	va_end(arguments);
}

void history_close(struct history *history)
{
	if (history->fd < 0)
		return;
	history_write(history, "closed %lld", atomic_load(&history->records));
	close(history->fd);
	history->fd = -1;
}

/* --- reading ------------------------------------------------------------------------------------ */

struct history_reader {
	FILE *file;
	char name[256];
	int64_t line;
	char *text; /* HISTORY_LINE_MAX bytes */
	char **words;
	size_t word_room;
};

struct history_reader *history_reader_open(const char *folder, const char *name, struct error *err)
{
	struct history_reader *reader = calloc(1, sizeof(*reader));
	char path[PATH_MAX_BYTES];

	if (reader == NULL || join(path, folder, name, err) != 0)
		goto fail;
	snprintf(reader->name, sizeof(reader->name), "%s", name);
	reader->word_room = WORDS_AT_FIRST;
	reader->text = malloc(HISTORY_LINE_MAX);
	reader->words = malloc(reader->word_room * sizeof(*reader->words));
	if (reader->text == NULL || reader->words == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto fail;
	}
	reader->file = fopen(path, "re");
	if (reader->file != NULL)
		return reader;
	error_set_errno(err, ERROR_INPUT, errno, "%s", path);
fail:
	history_reader_close(reader);
	return NULL;
}

void history_reader_close(struct history_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->file != NULL)
		fclose(reader->file);
	free(reader->text);
	free(reader->words);
	free(reader);
}

int64_t history_reader_line(const struct history_reader *reader)
{
	return reader->line;
}

/* Which word of a record of that kind is free text, counted from KIND; 0: none. */
static size_t free_text(const char *kind)
{
	if (strcmp(kind, "witness") == 0 || strcmp(kind, "broken") == 0 ||
	    strcmp(kind, "skip") == 0)
		return 2;
	return strcmp(kind, "note") == 0 ? 1 : 0;
}

static int add_word(struct history_reader *reader, size_t count, char *word, struct error *err)
{
	if (count + 1 >= reader->word_room) {
		size_t room = reader->word_room * 2;
		char **words = realloc(reader->words, room * sizeof(*words));

		if (words == NULL)
			return error_set(err, ERROR_RETRY, "out of memory");
		reader->words = words;
		reader->word_room = room;
	}
	reader->words[count] = word;
	return 0;
}

/* Splits text at single spaces. Returns how many words there are, 0 for a line that is no record. */
static int split(struct history_reader *reader, char *text, size_t *count, struct error *err)
{
	size_t whole = 0;
	size_t found = 0;

	while (text != NULL) {
		char *space = found > 0 && found == whole ? NULL : strchr(text, ' ');

		if (space != NULL)
			*space = '\0';
		if (add_word(reader, found, text, err) != 0)
			return -1;
		found++;
		if (found == 1)
			whole = free_text(text);
		if (*text == '\0' && (whole == 0 || found <= whole))
			return 0;
		text = space == NULL ? NULL : space + 1;
	}
	reader->words[found] = NULL;
	*count = found;
	return 1;
}

static int no_record(const struct history_reader *reader, const char *why, struct error *err)
{
	return error_set(err, ERROR_INPUT, "%s:%" PRId64 ": %s", reader->name, reader->line, why);
}

int history_reader_next(struct history_reader *reader, int64_t *at_us, char ***words, size_t *count,
			struct error *err)
{
	char *rest;
	size_t length;
	int status;

	errno = 0;
	if (fgets(reader->text, HISTORY_LINE_MAX, reader->file) == NULL) {
		if (ferror(reader->file))
			return error_set_errno(err, ERROR_FATAL, errno, "%s", reader->name);
		return 0;
	}
	reader->line++;
	length = strlen(reader->text);
	if (length == 0 || reader->text[length - 1] != '\n')
		return no_record(reader,
				 length + 1 == HISTORY_LINE_MAX ? "the line is too long"
								: "the line is cut",
				 err);
	reader->text[length - 1] = '\0';
	*at_us = strtoll(reader->text, &rest, 10);
	if (rest == reader->text || *rest != ' ' || errno != 0)
		return no_record(reader, "the line does not begin with a time", err);
	status = split(reader, rest + 1, count, err);
	if (status == 0)
		return no_record(reader, "the line is no record", err);
	if (status < 0)
		return -1;
	*words = reader->words;
	return 1;
}
