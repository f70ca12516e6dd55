#include "tools/locum/output.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "db/rows.h"

static const int64_t SECOND_US = 1000000;

void output_string(FILE *out, const char *text)
{
	json_t *string = json_string(text);

	/* The database holds valid UTF-8 only, so this fails for want of memory at most. */
	if (string == NULL || json_dumpf(string, out, JSON_ENCODE_ANY) != 0)
		fputs("null", out);
	json_decref(string);
}

/* A line break in JSON stands between tokens only. */
static void put_raw_json(FILE *out, const char *json)
{
	for (; *json != '\0'; json++)
		putc(*json == '\n' || *json == '\r' ? ' ' : *json, out);
}

static void put_value(FILE *out, const PGresult *rows, int row, int column)
{
	char text[OUTPUT_TIME_SIZE];
	char uuid[UUID_TEXT_SIZE];

	if (rows_is_null(rows, row, column)) {
		fputs("null", out);
		return;
	}
	switch (view_type(rows, column)) {
	case VIEW_NUMBER:
		fprintf(out, "%" PRId64, rows_int(rows, row, column));
		break;
	case VIEW_BOOLEAN:
		fputs(rows_bool(rows, row, column) ? "true" : "false", out);
		break;
	case VIEW_TIME:
		fprintf(out, "\"%s\"", output_time(view_time_us(rows, row, column), text));
		break;
	case VIEW_UUID:
		fprintf(out, "\"%s\"", uuid_text(rows_uuid(rows, row, column), uuid));
		break;
	case VIEW_JSON:
		put_raw_json(out, rows_text(rows, row, column));
		break;
	case VIEW_TEXT:
		output_string(out, rows_text(rows, row, column));
		break;
	}
}

void output_member(FILE *out, const PGresult *rows, int row, const char *name)
{
	fprintf(out, "\"%s\":", name);
	put_value(out, rows, row, PQfnumber(rows, name));
}

void output_members(FILE *out, const PGresult *rows, int row)
{
	const char *separator = "";

	for (int column = 0; column < PQnfields(rows); column++) {
		if (PQfname(rows, column)[0] == '_')
			continue;
		fprintf(out, "%s\"%s\":", separator, PQfname(rows, column));
		put_value(out, rows, row, column);
		separator = ",";
	}
}

void output_object(FILE *out, const PGresult *rows, int row)
{
	putc('{', out);
	output_members(out, rows, row);
	fputs("}\n", out);
}

const char *output_time(int64_t time_us, char text[static OUTPUT_TIME_SIZE])
{
	time_t seconds = (time_t)(time_us / SECOND_US);
	struct tm tm;
	size_t used;

	gmtime_r(&seconds, &tm);
	used = strftime(text, OUTPUT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + used, OUTPUT_TIME_SIZE - used, ".%06dZ", (int)(time_us % SECOND_US));
	return text;
}

const char *output_span(int64_t span_us, char text[static OUTPUT_TIME_SIZE])
{
	int64_t seconds = span_us / SECOND_US;

	if (seconds < 1)
		snprintf(text, OUTPUT_TIME_SIZE, "%" PRId64 "ms", span_us / 1000);
	else if (seconds < 60)
		snprintf(text, OUTPUT_TIME_SIZE, "%" PRId64 "s", seconds);
	else if (seconds < 3600)
		snprintf(text, OUTPUT_TIME_SIZE, "%" PRId64 "m", seconds / 60);
	else if (seconds < 86400)
		snprintf(text, OUTPUT_TIME_SIZE, "%" PRId64 "h %" PRId64 "m", seconds / 3600,
			 seconds % 3600 / 60);
	else
		snprintf(text, OUTPUT_TIME_SIZE, "%" PRId64 "d", seconds / 86400);
	return text;
}

const char *output_ago(int64_t time_us, int64_t now_us, char text[static OUTPUT_TIME_SIZE])
{
	char span[OUTPUT_TIME_SIZE];
	int64_t past_us = now_us - time_us;

	if (past_us > -SECOND_US && past_us < SECOND_US)
		return "now";
	output_span(past_us < 0 ? -past_us : past_us, span);
	if (past_us < 0)
		snprintf(text, OUTPUT_TIME_SIZE, "in %.30s", span);
	else
		snprintf(text, OUTPUT_TIME_SIZE, "%.30s ago", span);
	return text;
}

/* U+202A to U+202E and U+2066 to U+2069: a name with them looks like another. */
static bool is_turn(const unsigned char *text, size_t length)
{
	return length == 3 && text[0] == 0xe2 &&
	       ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
		(text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

size_t output_character(FILE *out, const char *text)
{
	size_t length = text_character(text, strnlen(text, 4));
	bool control = (unsigned char)*text < 0x20 || *text == 0x7f ||
		       (length == 2 && (unsigned char)text[0] == 0xc2 &&
			(unsigned char)text[1] < 0xa0);

	if (is_turn((const unsigned char *)text, length)) {
		fprintf(out, "<U+%04X>",
			0x2000u | ((unsigned char)text[1] & 0x3fu) << 6 |
				((unsigned char)text[2] & 0x3fu));
		return length;
	}
	if (length == 0 || (control && *text != '\t')) {
		fprintf(out, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	fwrite(text, 1, length, out);
	return length;
}

void output_block(FILE *out, const char *indent, const char *text)
{
	bool line_start = true;

	while (*text != '\0') {
		if (line_start)
			fputs(indent, out);
		line_start = *text == '\n';
		if (line_start) {
			putc('\n', out);
			text++;
		} else {
			text += output_character(out, text);
		}
	}
	if (!line_start)
		putc('\n', out);
}
