#include "lib/options.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/json_scan.h"
#include "base/json_write.h"

enum { TIME_SIZE = 64 };

/* What the first release had: no caller knows less. */
enum { SIZE_LEAST = offsetof(struct locum_options, submitted_by) + sizeof(const char *) };

int options_read(const struct locum_options *given, struct locum_options *known, struct error *err)
{
	const struct locum_options defaults = LOCUM_OPTIONS_INIT;

	*known = defaults;
	if (given == NULL)
		return 0;
	if (given->size < SIZE_LEAST)
		return error_set(err, ERROR_INPUT,
				 "the options were not begun with LOCUM_OPTIONS_INIT");
	if (given->size > sizeof(*known))
		return error_set(err, ERROR_INPUT,
				 "the options are of a newer locum than this library");
	memcpy(known, given, given->size);
	return 0;
}

/* Members of one object. */
struct writer {
	struct buffer *out;
	bool begun;
	struct error *err;
};

static int begin_member(struct writer *writer, const char *name)
{
	const char *before = writer->begun ? "," : "{";

	writer->begun = true;
	return json_write_format(writer->out, writer->err, "%s\"%s\":", before, name);
}

static int put_text(struct writer *writer, const char *name, const char *text)
{
	if (text == NULL)
		return 0;
	if (begin_member(writer, name) != 0)
		return -1;
	return json_write_text(writer->out, text, strlen(text), writer->err);
}

/* JSON stays as it is, but it must not end the object that it stands in. */
static int put_json(struct writer *writer, const char *name, const char *json)
{
	struct json_span value;

	if (json == NULL)
		return 0;
	if (json_scan_value((struct json_span){ json, strlen(json) }, &value, writer->err) != 0)
		return error_prefix(writer->err, "%s", name);
	if (begin_member(writer, name) != 0)
		return -1;
	return buffer_append(writer->out, value.bytes, value.length, writer->err);
}

static int put_ms(struct writer *writer, const char *name, int64_t ms)
{
	if (ms < 0)
		return error_set(writer->err, ERROR_INPUT,
				 "%s_ms must not be negative, not %" PRId64, name, ms);
	if (ms == 0)
		return 0;
	if (begin_member(writer, name) != 0)
		return -1;
	return json_write_format(writer->out, writer->err, "\"%" PRId64 " milliseconds\"", ms);
}

/* As put_ms, but negative stands for none at all, since 0 is the default. */
static int put_pause_ms(struct writer *writer, const char *name, int64_t ms)
{
	if (ms >= 0)
		return put_ms(writer, name, ms);
	return begin_member(writer, name) != 0
		       ? -1
		       : json_write_format(writer->out, writer->err, "\"0\"");
}

static int put_time(struct writer *writer, const char *name, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[TIME_SIZE];
	struct tm tm;

	if (ms == 0)
		return 0;
	if (ms < 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return error_set(writer->err, ERROR_INPUT, "%s_ms is no time: %" PRId64, name, ms);
	if (begin_member(writer, name) != 0)
		return -1;
	return json_write_format(writer->out, writer->err, "\"%s.%03dZ\"", text, (int)(ms % 1000));
}

static int put_int(struct writer *writer, const char *name, int value)
{
	if (value == 0)
		return 0;
	if (begin_member(writer, name) != 0)
		return -1;
	return json_write_format(writer->out, writer->err, "%d", value);
}

int options_write(struct buffer *out, const struct locum_options *options, struct error *err)
{
	struct writer writer = { .out = out, .err = err };

	if (put_int(&writer, "max_attempts", options->max_attempts) != 0 ||
	    put_time(&writer, "run_at", options->run_at_ms) != 0 ||
	    put_ms(&writer, "delay", options->delay_ms) != 0 ||
	    put_ms(&writer, "timeout", options->timeout_ms) != 0 ||
	    put_ms(&writer, "expires", options->expires_ms) != 0 ||
	    put_text(&writer, "on_interrupt", options->on_interrupt) != 0 ||
	    put_text(&writer, "retry_backoff", options->retry_backoff) != 0 ||
	    put_pause_ms(&writer, "retry_delay", options->retry_delay_ms) != 0 ||
	    put_ms(&writer, "retry_cap", options->retry_cap_ms) != 0 ||
	    put_json(&writer, "then", options->then) != 0 ||
	    put_json(&writer, "labels", options->labels) != 0 ||
	    put_text(&writer, "traceparent", options->traceparent) != 0 ||
	    put_text(&writer, "submitted_by", options->submitted_by) != 0)
		return -1;
	return writer.begun ? json_write_format(out, err, "}") : 0;
}

int options_uuid(const char *what, const char *text, struct uuid *uuid, struct error *err)
{
	*uuid = (struct uuid){ { 0 } };
	/* Nobody chose a UUID of zeroes, and here it would mean that there is none. */
	if (text != NULL && (uuid_read(text, uuid) != 0 || uuid_is_none(*uuid)))
		return error_set(err, ERROR_INPUT, "the %s is no UUID: \"%.100s\"", what, text);
	return 0;
}
