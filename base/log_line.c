#include "base/log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

enum {
	VALUE_BYTES = 1536,
	KEY_ROOM = 80, /* for a key, a number or UUID, and what stands around them */
	END_ROOM = 4,
	JSON_ESCAPE_ROOM = 16,
};

/* Of syslog(3), by level. */
static const int PRIORITIES[] = {
	[LOG_LEVEL_DEBUG] = 7,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_WARNING] = 4,
	[LOG_LEVEL_ERROR] = 3,
};

struct writer {
	char *line;
	size_t used;
	enum log_format format;
};

static size_t room(const struct writer *to)
{
	return LOG_LINE_BYTES - END_ROOM - to->used;
}

/* Appends as printf does. Callers see to it that there is room. */
__attribute__((format(printf, 2, 3))) static void put(struct writer *to, const char *format, ...)
{
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(to->line + to->used, room(to), format, args);
	va_end(args);
	if (more > 0)
		to->used += (size_t)more < room(to) ? (size_t)more : room(to) - 1;
}

static void put_time(struct writer *to)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	put(to, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
	    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
}

/* Writes what text_quote made as JSON has it, which knows no \\xNN: that is \\u00NN, or two backslashes when it is a byte
 * of no character. */
static void put_json_text(struct writer *to, const char *quoted)
{
	size_t length = strlen(quoted);

	for (size_t at = 0; at < length && room(to) > JSON_ESCAPE_ROOM;) {
		const char *piece = quoted + at;
		size_t step = piece[0] == '\\' ? 2 : text_character(piece, length - at);

		if (piece[0] == '\\' && piece[1] == 'x') {
			put(to, "%s%.2s", piece[2] < '8' ? "\\u00" : "\\\\x", piece + 2);
			step = 4;
		} else {
			put(to, "%.*s", (int)step, piece);
		}
		at += step;
	}
}

static void put_text(struct writer *to, const char *text)
{
	char quoted[VALUE_BYTES];
	size_t size = room(to) - 2 < sizeof(quoted) ? room(to) - 2 : sizeof(quoted);

	text_quote(text == NULL ? "" : text, quoted, size);
	put(to, "\"");
	if (to->format == LOG_FORMAT_JSON)
		put_json_text(to, quoted);
	else
		put(to, "%s", quoted);
	put(to, "\"");
}

static void put_value(struct writer *to, const struct log_field *field)
{
	const char *quote = to->format == LOG_FORMAT_JSON ? "\"" : "";
	char uuid[UUID_TEXT_SIZE];

	switch (field->type) {
	case LOG_TEXT:
		put_text(to, field->text);
		break;
	case LOG_NUMBER:
		put(to, "%" PRId64, field->number);
		break;
	case LOG_UUID:
		put(to, "%s%s%s", quote, uuid_text(field->uuid, uuid), quote);
		break;
	}
}

static void put_head(struct writer *to, const struct log_line_style *style, enum log_level level,
		     const char *message)
{
	if (style->journal)
		put(to, "<%d>", PRIORITIES[level]);
	if (to->format == LOG_FORMAT_JSON)
		put(to, "{");
	if (!style->journal && to->format == LOG_FORMAT_JSON)
		put(to, "\"time\":\"");
	if (!style->journal)
		put_time(to);
	if (!style->journal)
		put(to, to->format == LOG_FORMAT_JSON ? "\"," : " ");
	if (to->format == LOG_FORMAT_JSON)
		put(to, "\"level\":\"%s\",\"program\":\"%s\",\"message\":\"%s\"",
		    log_level_name(level), style->program, message);
	else
		put(to, "%s %s %s", style->program, log_level_name(level), message);
}

size_t log_line_write(char line[static LOG_LINE_BYTES], const struct log_line_style *style,
		      enum log_level level, const char *message, unsigned count,
		      const struct log_field *fields)
{
	struct writer to = { .line = line, .format = style->format };

	put_head(&to, style, level, message);
	for (unsigned i = 0; i < count && room(&to) > KEY_ROOM; i++) {
		put(&to, to.format == LOG_FORMAT_JSON ? ",\"%s\":" : " %s=", fields[i].key);
		put_value(&to, &fields[i]);
	}
	if (to.format == LOG_FORMAT_JSON)
		line[to.used++] = '}';
	line[to.used++] = '\n';
	return to.used;
}
