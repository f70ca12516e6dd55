#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/history/history.h"
#include "tools/chaos/judge/check.h"

void check_read_unsound(struct check *check, const char *format, ...)
{
	va_list arguments;

	if (check->unsound[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(check->unsound, sizeof(check->unsound), format, arguments);
	va_end(arguments);
}

void check_read_gap(struct check *check, const char *format, ...)
{
	va_list arguments;

	if (check->gaps++ > 0)
		return;
	va_start(arguments, format);
	vsnprintf(check->gap, sizeof(check->gap), format, arguments);
	va_end(arguments);
}

bool check_read_number(const char *word, int64_t *number)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(word, &end, 10);
	if (end == word || *end != '\0' || errno != 0)
		return false;
	*number = value;
	return true;
}

bool check_read_room(struct check *check, void *items, size_t *room, size_t count, size_t size)
{
	void **array = items;
	size_t more = *room == 0 ? 64 : *room * 2;
	void *grown;

	if (count < *room)
		return true;
	grown = reallocarray(*array, more, size);
	if (grown == NULL) {
		check_read_unsound(check, "out of memory");
		return false;
	}
	*array = grown;
	*room = more;
	return true;
}

void check_read_time(struct check *check, struct check_times *times, int64_t at_us)
{
	if (check_read_room(check, &times->at_us, &times->room, times->count,
			    sizeof(*times->at_us)))
		times->at_us[times->count++] = at_us;
}

bool check_read_is_behind_record(const struct check *check, int64_t at_us)
{
	return check->undrained > 0 && check->ended_us != 0 && at_us > check->ended_us;
}

bool check_read_any(const struct check_times *times, int64_t from_us, int64_t to_us)
{
	for (size_t i = 0; i < times->count; i++)
		if (times->at_us[i] >= from_us && times->at_us[i] <= to_us)
			return true;
	return false;
}

/* --- files -------------------------------------------------------------------------------------- */

static const struct check_read_kind *kind_of(const struct check_read_kind *kinds, const char *word)
{
	while (kinds->kind != NULL && strcmp(kinds->kind, word) != 0)
		kinds++;
	return kinds->kind != NULL ? kinds : NULL;
}

static bool take(struct check *check, const struct check_read_kind *kinds, int64_t at_us,
		 char **words, size_t count)
{
	const struct check_read_kind *kind = kind_of(kinds, words[0]);

	return kind != NULL && count >= kind->least && (kind->most == 0 || count <= kind->most) &&
	       kind->take(check, at_us, words, count);
}

/* The last record: so many stand before it. */
static bool is_end(const struct check *check, char **words, size_t count)
{
	int64_t records;

	return count == 2 && strcmp(words[0], "closed") == 0 &&
	       check_read_number(words[1], &records) && records == check->line - 1;
}

/* A line that is not what has to stand there. */
static void say_wrong(const struct check *check, char **words, size_t count, bool ended,
		      struct error *err)
{
	if (ended)
		error_set(err, ERROR_INPUT, "%s:%" PRId64 ": a line stands behind the last",
			  check->file, check->line);
	else if (count == 2 && strcmp(words[0], "closed") == 0)
		error_set(err, ERROR_INPUT,
			  "%s:%" PRId64 ": the file ends with \"closed %s\", and %" PRId64
			  " lines stand before: some were taken out, or put in",
			  check->file, check->line, words[1], check->line - 1);
	else
		error_set(err, ERROR_INPUT,
			  "%s:%" PRId64 ": \"%s\" cannot stand here, or has wrong fields",
			  check->file, check->line, words[0]);
}

bool check_read(struct check *check, const char *name, const struct check_read_kind *kinds)
{
	struct history_reader *reader;
	struct error err;
	int64_t at_us;
	char **words;
	size_t count;
	bool ended = false;
	int status = -1;

	check->file = name;
	reader = history_reader_open(check->folder, name, &err);
	while (reader != NULL &&
	       (status = history_reader_next(reader, &at_us, &words, &count, &err)) == 1) {
		check->line = history_reader_line(reader);
		if (!ended && is_end(check, words, count)) {
			ended = true;
			continue;
		}
		if (ended || !take(check, kinds, at_us, words, count)) {
			say_wrong(check, words, count, ended, &err);
			status = -1;
			break;
		}
	}
	if (status != 0)
		check_read_unsound(check, "%s", err.text);
	else if (!ended)
		check_read_unsound(check, "%s has no end", name);
	history_reader_close(reader);
	return status == 0 && ended;
}

static bool begins_and_ends(const char *name, const char *begins, const char *ends)
{
	size_t length = strlen(name);

	return length >= strlen(begins) + strlen(ends) &&
	       strncmp(name, begins, strlen(begins)) == 0 &&
	       strcmp(name + length - strlen(ends), ends) == 0;
}

size_t check_read_all(struct check *check, const char *begins, const char *ends,
		      const struct check_read_kind *kinds, void (*done)(struct check *))
{
	struct dirent **names = NULL;
	int found = scandir(check->folder, &names, NULL, alphasort);
	size_t count = 0;

	for (int i = 0; i < found; i++) {
		if (begins_and_ends(names[i]->d_name, begins, ends)) {
			check_read(check, names[i]->d_name, kinds);
			done(check);
			count++;
		}
		free(names[i]);
	}
	free(names);
	return count;
}
