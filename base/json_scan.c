#include "base/json_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/text.h"

enum { NUMBER_SIZE = 64 }; /* no number of ours is written longer */

/* Where the reading is. The first fault stays. */
struct cursor {
	const char *start;
	const char *at;
	const char *end;
	const char *fault;
	bool allows_deep; /* for members of an object */
	bool deep;        /* a value has too many levels */
};

static bool fail(struct cursor *cursor, const char *fault)
{
	if (cursor->fault == NULL)
		cursor->fault = fault;
	return false;
}

static bool next_is(const struct cursor *cursor, char byte)
{
	return cursor->at < cursor->end && *cursor->at == byte;
}

static bool take(struct cursor *cursor, char byte)
{
	if (!next_is(cursor, byte))
		return false;
	cursor->at++;
	return true;
}

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
					    *cursor->at == '\n' || *cursor->at == '\r'))
		cursor->at++;
}

/* --- scalars ----------------------------------------------------------------------------------- */

/* Behind a backslash. */
static bool skip_escape(struct cursor *cursor)
{
	if (cursor->at == cursor->end)
		return fail(cursor, "a string that does not end");
	if (take(cursor, 'u')) {
		if (json_text_hex(cursor->at, cursor->end) < 0)
			return fail(cursor, "\\u without four hexadecimal digits");
		cursor->at += 4;
		return true;
	}
	if (*cursor->at == '\0' || strchr("\"\\/bfnrt", *cursor->at) == NULL)
		return fail(cursor, "an unknown escape");
	cursor->at++;
	return true;
}

/* One character that is not plain ASCII text. */
static bool skip_special(struct cursor *cursor)
{
	size_t step;

	if (take(cursor, '\\'))
		return skip_escape(cursor);
	if ((unsigned char)*cursor->at < 0x20)
		return fail(cursor, "a control character in a string");
	step = text_character(cursor->at, (size_t)(cursor->end - cursor->at));
	if (step == 0)
		return fail(cursor, "bytes that are not UTF-8");
	cursor->at += step;
	return true;
}

static bool skip_string(struct cursor *cursor)
{
	if (!take(cursor, '"'))
		return fail(cursor, "no string where one is expected");
	while (cursor->at < cursor->end) {
		unsigned char byte = (unsigned char)*cursor->at;

		if (byte == '"') {
			cursor->at++;
			return true;
		}
		if (byte >= 0x20 && byte < 0x80 && byte != '\\')
			cursor->at++;
		else if (!skip_special(cursor))
			return false;
	}
	return fail(cursor, "a string that does not end");
}

static size_t skip_digits(struct cursor *cursor)
{
	const char *from = cursor->at;

	while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
		cursor->at++;
	return (size_t)(cursor->at - from);
}

static bool skip_number(struct cursor *cursor)
{
	take(cursor, '-');
	if (!take(cursor, '0') && skip_digits(cursor) == 0)
		return fail(cursor, "no value where one is expected");
	if (take(cursor, '.') && skip_digits(cursor) == 0)
		return fail(cursor, "a number without digits behind its point");
	if (take(cursor, 'e') || take(cursor, 'E')) {
		if (!take(cursor, '+'))
			take(cursor, '-');
		if (skip_digits(cursor) == 0)
			return fail(cursor, "a number without an exponent");
	}
	return true;
}

static bool skip_word(struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
		return fail(cursor, "no value where one is expected");
	cursor->at += length;
	return true;
}

static bool skip_scalar(struct cursor *cursor)
{
	if (cursor->at == cursor->end)
		return fail(cursor, "no value where one is expected");
	switch (*cursor->at) {
	case '"':
		return skip_string(cursor);
	case 't':
		return skip_word(cursor, "true");
	case 'f':
		return skip_word(cursor, "false");
	case 'n':
		return skip_word(cursor, "null");
	default:
		return skip_number(cursor);
	}
}

/* --- values ------------------------------------------------------------------------------------ */

/* What is open: a bit for each level, set for an object. */
struct nest {
	unsigned depth;
	unsigned char objects[JSON_SCAN_DEPTH / 8];
};

static bool in_object(const struct nest *nest)
{
	unsigned level = nest->depth - 1;

	return (nest->objects[level / 8] & 1u << level % 8) != 0;
}

static void push(struct nest *nest, bool is_object)
{
	unsigned level = nest->depth;

	if (is_object)
		nest->objects[level / 8] |= (unsigned char)(1u << level % 8);
	else
		nest->objects[level / 8] &= (unsigned char)~(1u << level % 8);
	nest->depth++;
}

/* To the end of what opens here, by its brackets alone. */
static bool skip_deep(struct cursor *cursor)
{
	size_t open = 0;

	cursor->deep = true;
	do {
		if (cursor->at == cursor->end)
			return fail(cursor, "too many levels");
		if (next_is(cursor, '"')) {
			if (!skip_string(cursor))
				return false;
			continue;
		}
		if (next_is(cursor, '{') || next_is(cursor, '['))
			open++;
		else if (next_is(cursor, '}') || next_is(cursor, ']'))
			open--;
		cursor->at++;
	} while (open > 0);
	return true;
}

static bool skip_key(struct cursor *cursor)
{
	skip_space(cursor);
	if (!skip_string(cursor))
		return false;
	skip_space(cursor);
	return take(cursor, ':') || fail(cursor, "no colon behind a name");
}

/* Behind a value: closes what ends here. Returns whether another value follows. */
static bool close_levels(struct cursor *cursor, struct nest *nest)
{
	while (nest->depth > 0 && cursor->fault == NULL) {
		skip_space(cursor);
		if (take(cursor, ','))
			return !in_object(nest) || skip_key(cursor);
		if (!take(cursor, in_object(nest) ? '}' : ']'))
			return fail(cursor, "no comma and no end behind a value");
		nest->depth--;
	}
	return false;
}

/* Takes a bracket that opens, and goes to the first value inside. An empty level, as one too many, is a value that
 * has ended: *ended stays set. */
static bool open_level(struct cursor *cursor, struct nest *nest, bool *ended)
{
	bool is_object = *cursor->at == '{';

	if (nest->depth == JSON_SCAN_DEPTH)
		return skip_deep(cursor);
	push(nest, is_object);
	cursor->at++;
	skip_space(cursor);
	*ended = take(cursor, is_object ? '}' : ']');
	if (*ended)
		nest->depth--;
	return *ended || !is_object || skip_key(cursor);
}

static bool skip_value(struct cursor *cursor)
{
	struct nest nest = { .depth = 0 };
	bool ended;

	do {
		ended = true;
		skip_space(cursor);
		if (next_is(cursor, '{') || next_is(cursor, '['))
			open_level(cursor, &nest, &ended);
		else
			skip_scalar(cursor);
	} while (cursor->fault == NULL && (!ended || close_levels(cursor, &nest)));
	return cursor->fault == NULL;
}

static struct cursor begin(struct json_span text)
{
	return (struct cursor){
		.start = text.bytes,
		.at = text.bytes,
		.end = text.bytes + text.length,
	};
}

static int end(struct cursor *cursor, struct error *err)
{
	if (cursor->fault == NULL) {
		skip_space(cursor);
		if (cursor->at < cursor->end)
			fail(cursor, "something behind the value");
	}
	if (cursor->fault == NULL)
		return 0;
	return error_set(err, ERROR_INPUT, "no JSON: %s at byte %zu", cursor->fault,
			 (size_t)(cursor->at - cursor->start) + 1);
}

int json_scan_value(struct json_span text, struct json_span *value, struct error *err)
{
	struct cursor cursor = begin(text);
	struct json_span found;

	skip_space(&cursor);
	found.bytes = cursor.at;
	if (skip_value(&cursor) && cursor.deep)
		fail(&cursor, "too many levels");
	found.length = (size_t)(cursor.at - found.bytes);
	if (end(&cursor, err) != 0)
		return -1;
	*value = found;
	return 0;
}

/* --- objects ----------------------------------------------------------------------------------- */

static bool take_member(struct cursor *cursor, json_scan_visit *visit, void *context)
{
	struct json_span key;
	struct json_span value;
	const char *fault;

	skip_space(cursor);
	key.bytes = cursor->at;
	if (!skip_string(cursor))
		return false;
	key.length = (size_t)(cursor->at - key.bytes);
	skip_space(cursor);
	if (!take(cursor, ':'))
		return fail(cursor, "no colon behind a name");
	skip_space(cursor);
	value.bytes = cursor->at;
	cursor->deep = false;
	if (!skip_value(cursor))
		return false;
	value.length = (size_t)(cursor->at - value.bytes);
	if (cursor->deep && !cursor->allows_deep)
		return fail(cursor, "too many levels");
	fault = visit(context, key, value);
	return fault == NULL || fail(cursor, fault);
}

static void take_members(struct cursor *cursor, json_scan_visit *visit, void *context)
{
	skip_space(cursor);
	if (take(cursor, '}'))
		return;
	while (take_member(cursor, visit, context)) {
		skip_space(cursor);
		if (take(cursor, '}'))
			return;
		if (!take(cursor, ','))
			fail(cursor, "no comma and no end behind a value");
		if (cursor->fault != NULL)
			return;
	}
}

static int scan_members(struct cursor *cursor, json_scan_visit *visit, void *context,
			struct error *err)
{
	skip_space(cursor);
	if (take(cursor, '{'))
		take_members(cursor, visit, context);
	else
		fail(cursor, "no object");
	return end(cursor, err);
}

int json_scan_members(struct json_span text, json_scan_visit *visit, void *context,
		      struct error *err)
{
	struct cursor cursor = begin(text);

	return scan_members(&cursor, visit, context, err);
}

/* The members that are looked for. */
struct wanted {
	const struct cursor *cursor;
	struct json_member *members;
	size_t count;
};

static const char *keep_wanted(void *context, struct json_span name, struct json_span value)
{
	const struct wanted *wanted = context;

	for (size_t i = 0; i < wanted->count; i++) {
		struct json_member *member = &wanted->members[i];

		if (!json_text_is(name, member->name))
			continue;
		if (member->value.bytes != NULL)
			return "a member that comes twice";
		if (wanted->cursor->deep && !member->may_be_deep)
			return "too many levels";
		member->value = value;
		member->is_deep = wanted->cursor->deep;
		return NULL;
	}
	return NULL;
}

int json_scan_object(struct json_span text, struct json_member *members, size_t count,
		     struct error *err)
{
	struct cursor cursor = begin(text);
	struct wanted wanted = { &cursor, members, count };

	cursor.allows_deep = true;
	for (size_t i = 0; i < count; i++) {
		members[i].value = (struct json_span){ .bytes = NULL };
		members[i].is_deep = false;
	}
	return scan_members(&cursor, keep_wanted, &wanted, err);
}

/* --- what a value is --------------------------------------------------------------------------- */

static bool begins_with(struct json_span value, char byte)
{
	return value.bytes != NULL && value.length > 0 && value.bytes[0] == byte;
}

bool json_scan_is_object(struct json_span value)
{
	return begins_with(value, '{');
}

bool json_scan_is_text(struct json_span value)
{
	return begins_with(value, '"');
}

bool json_scan_is_null(struct json_span value)
{
	return begins_with(value, 'n');
}

/* Copies a number to where it ends with NUL. */
static bool copy_number(struct json_span value, char copy[static NUMBER_SIZE])
{
	if (value.bytes == NULL || value.length == 0 || value.length >= NUMBER_SIZE)
		return false;
	if (value.bytes[0] != '-' && (value.bytes[0] < '0' || value.bytes[0] > '9'))
		return false;
	memcpy(copy, value.bytes, value.length);
	copy[value.length] = '\0';
	return true;
}

bool json_scan_int(struct json_span value, int64_t *number)
{
	char copy[NUMBER_SIZE];
	char *behind;
	long long read;

	if (!copy_number(value, copy))
		return false;
	errno = 0;
	read = strtoll(copy, &behind, 10);
	if (errno != 0 || *behind != '\0')
		return false;
	*number = read;
	return true;
}

bool json_scan_number(struct json_span value, double *number)
{
	char copy[NUMBER_SIZE];

	if (!copy_number(value, copy))
		return false;
	*number = strtod(copy, NULL);
	return true;
}

bool json_scan_bool(struct json_span value, bool *truth)
{
	if (!begins_with(value, 't') && !begins_with(value, 'f'))
		return false;
	*truth = value.bytes[0] == 't';
	return true;
}
