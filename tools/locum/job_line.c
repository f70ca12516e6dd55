#include "tools/locum/job_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "tools/locum/payload.h"

/* The members that have an array of their own. */
enum member { HANDLER, PAYLOAD, QUEUE, PRIORITY, KEY, MEMBERS };

static const char *const NAMES[MEMBERS] = {
	[HANDLER] = "handler",   [PAYLOAD] = "payload", [QUEUE] = "queue",
	[PRIORITY] = "priority", [KEY] = "key",
};

void job_line_init(struct job_line *line, const struct submission_job *defaults)
{
	*line = (struct job_line){ .defaults = defaults };
	buffer_init(&line->options, LIMIT_LINE_BYTES + LIMIT_OPTIONS_BYTES);
}

void job_line_fini(struct job_line *line)
{
	buffer_free(&line->options);
}

static enum member find_member(struct json_span name)
{
	enum member member = HANDLER;

	while (member < MEMBERS && !json_text_is(name, NAMES[member]))
		member++;
	return member;
}

/* Options that are texts. To the server each other value would be one, too, and be taken for a name. */
static const struct {
	const char *name;
	const char *fault;
} TEXTS[] = {
#define TEXT(name)                                                                                 \
	{                                                                                          \
		name, "a \"" name "\" that is no string"                                           \
	}
	TEXT("handler"),      TEXT("queue"),       TEXT("key"),          TEXT("run_at"),
	TEXT("delay"),        TEXT("retry_delay"), TEXT("retry_cap"),    TEXT("retry_backoff"),
	TEXT("timeout"),      TEXT("expires"),     TEXT("on_interrupt"), TEXT("traceparent"),
	TEXT("submitted_by"),
#undef TEXT
};

static const char *check_text(struct json_span name, struct json_span value)
{
	if (json_scan_is_text(value) || json_scan_is_null(value))
		return NULL;
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		if (json_text_is(name, TEXTS[i].name))
			return TEXTS[i].fault;
	return NULL;
}

static bool has_escape(struct json_span name)
{
	return memchr(name.bytes, '\\', name.length) != NULL;
}

/* Whether two names are the same, however they are written. */
static bool is_same(struct json_span a, struct json_span b)
{
	char *first;
	char *second;
	bool same;

	if (!has_escape(a) && !has_escape(b))
		return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
	first = json_text_decode(a, &a.length);
	second = json_text_decode(b, &b.length);
	same = first == NULL || second == NULL ||
	       (a.length == b.length && memcmp(first, second, a.length) == 0);
	free(first);
	free(second);
	return same;
}

static const char *note_name(struct job_line *line, struct json_span name)
{
	for (size_t i = 0; i < line->count; i++)
		if (is_same(line->names[i], name))
			return "a member that comes twice";
	if (line->count == JOB_LINE_MEMBERS)
		return "too many members";
	line->names[line->count++] = name;
	return NULL;
}

/* A text without escapes is its own bytes. What is not as usual is left to the server. */
static bool take_text(struct json_span value, struct args_text *text)
{
	if (!json_scan_is_text(value) || memchr(value.bytes, '\\', value.length) != NULL)
		return false;
	*text = (struct args_text){ value.bytes + 1, value.length - 2 };
	return true;
}

static bool take_priority(struct json_span value, int64_t *priority)
{
	int64_t number;

	if (!json_scan_int(value, &number) || number <= INT32_MIN || number > INT32_MAX)
		return false;
	*priority = number;
	return true;
}

/* Returns whether the member is taken; if not, it goes to the options, and the default must not win. */
static bool take_member(struct submission_job *job, enum member member, struct json_span value)
{
	static const struct args_text NONE = { NULL, 0 };

	switch (member) {
	case HANDLER:
		job->handler = NONE;
		return take_text(value, &job->handler);
	case QUEUE:
		job->queue = NONE;
		return take_text(value, &job->queue);
	case KEY:
		job->key = NONE;
		return take_text(value, &job->key);
	case PRIORITY:
		job->priority = SUBMISSION_PRIORITY_NONE;
		return take_priority(value, &job->priority);
	case PAYLOAD:
		job->payload = (struct args_text){ value.bytes, value.length };
		return true;
	case MEMBERS:
		break;
	}
	return false;
}

static int add_option(struct job_line *line, struct json_span name, struct json_span value)
{
	const char *before = buffer_length(&line->options) == 0 ? "{" : ",";

	if (buffer_append(&line->options, before, 1, NULL) != 0 ||
	    buffer_append(&line->options, name.bytes, name.length, NULL) != 0 ||
	    buffer_append(&line->options, ":", 1, NULL) != 0)
		return -1;
	return buffer_append(&line->options, value.bytes, value.length, NULL);
}

/* An option of the defaults counts unless the line has one of that name. */
static const char *take_default(void *context, struct json_span name, struct json_span value)
{
	struct job_line *line = context;

	for (size_t i = 0; i < line->own_count; i++)
		if (is_same(line->own[i], name))
			return NULL;
	line->no_memory = add_option(line, name, value) != 0;
	return line->no_memory ? "no memory for it" : NULL;
}

static const char *take(void *context, struct json_span name, struct json_span value)
{
	struct job_line *line = context;
	enum member member = find_member(name);
	const char *fault = note_name(line, name);

	if (fault == NULL)
		fault = check_text(name, value);
	if (fault != NULL)
		return fault;
	if (json_scan_is_null(value) && member != PAYLOAD)
		return NULL;
	if (take_member(&line->job, member, value))
		return NULL;
	line->own[line->own_count++] = name;
	line->no_memory = add_option(line, name, value) != 0;
	return line->no_memory ? "no memory for it" : NULL;
}

/* There is a brace somewhere. */
static bool begins_object(const char *text)
{
	return text[strspn(text, " \t\r")] == '{';
}

/* The scanner counts bytes; people like to hear of columns. */
static int explain(const struct job_line *line, const char *text, size_t length, struct error *err)
{
	char place[256];
	const char *at;

	if (line->no_memory)
		return error_set(err, ERROR_RETRY, "out of memory");
	if (payload_find_fault(text, length, place, sizeof(place)) == 0) {
		at = strstr(place, "column"); /* the line has its number already */
		return error_set(err, ERROR_INPUT, "it is not JSON: %s", at == NULL ? place : at);
	}
	if (memchr(text, '{', length) == NULL || !begins_object(text))
		return error_set(err, ERROR_INPUT, "a job must be a JSON object");
	return -1;
}

int job_line_read(struct job_line *line, const char *text, size_t length, struct error *err)
{
	line->job = *line->defaults;
	line->count = 0;
	line->own_count = 0;
	line->no_memory = false;
	line->options.start = 0;
	line->options.end = 0;
	if (json_scan_members((struct json_span){ text, length }, take, line, err) != 0)
		return explain(line, text, length, err);
	if (line->own_count == 0)
		return 0;
	if (line->defaults->options.bytes != NULL &&
	    json_scan_members((struct json_span){ line->defaults->options.bytes,
						  line->defaults->options.length },
			      take_default, line, err) != 0)
		return -1;
	if (buffer_append(&line->options, "}", 1, err) != 0)
		return -1;
	line->job.options = (struct args_text){ buffer_bytes(&line->options),
						buffer_length(&line->options) };
	return 0;
}
