#include "dispatcher/config_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { DEPTH_MAX = 2 }; /* a list in a section */
enum { VARIABLE_MAX = 255 };
enum { KEY_MAX = 80 };
enum { SEEN_MAX = 64 }; /* a section with more keys has some that nobody knows */

/* A value or key as it is written, without its quotes. */
struct key {
	const char *text;
	size_t length;
	int line;
};

struct seen {
	struct key keys[SEEN_MAX];
	size_t count;
};

struct scan {
	const char *path;
	char *at; /* the next character */
	const char *end;
	int line;
	int depth;
	int open[DEPTH_MAX + 1];     /* by depth: the line of the { */
	struct key last;             /* read last */
	bool appends;                /* and a + after it */
	struct seen seen[DEPTH_MAX]; /* by depth: keys that were set */
	struct error *err;
};

static char peek(const struct scan *scan, size_t ahead)
{
	return (size_t)(scan->end - scan->at) > ahead ? scan->at[ahead] : '\0';
}

static int fail(const struct scan *scan, int line, const char *what)
{
	return error_set(scan->err, ERROR_INPUT, "%s:%d: %s", scan->path, line, what);
}

static void blank_line(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		*scan->at++ = ' ';
}

static int blank_block(struct scan *scan)
{
	int begin = scan->line;

	while (scan->at < scan->end && !(peek(scan, 0) == '*' && peek(scan, 1) == '/')) {
		if (*scan->at == '\n')
			scan->line++;
		else
			*scan->at = ' ';
		scan->at++;
	}
	if (scan->at == scan->end)
		return fail(scan, begin,
			    "the comment that begins here is not closed: */ is missing");
	memset(scan->at, ' ', 2);
	scan->at += 2;
	return 0;
}

/* libConfuse puts the value of an environment variable in the place of ${NAME} or ${NAME:-DEFAULT}. */
static int variable(struct scan *scan)
{
	const char *name = scan->at + 2;
	size_t rest = (size_t)(scan->end - name);
	const char *close = memchr(name, '}', rest);
	char copy[VARIABLE_MAX + 1];
	size_t length;

	if (close == NULL || memchr(name, '\n', (size_t)(close - name)) != NULL)
		return fail(scan, scan->line, "${ is not closed: } is missing on the line");
	length = (size_t)(close - name);
	scan->at += 2 + length + 1;
	if (length > VARIABLE_MAX)
		return fail(scan, scan->line, "the name in ${…} is too long");
	memcpy(copy, name, length);
	copy[length] = '\0';
	if (strstr(copy, ":-") == NULL && getenv(copy) == NULL)
		return error_set(scan->err, ERROR_INPUT,
				 "%s:%d: the environment variable %s is not set; "
				 "write ${%s:-DEFAULT} or \\$ for a dollar sign",
				 scan->path, scan->line, copy, copy);
	return 0;
}

/* After a backslash in double quotes: \0 and \x0 would end the value unseen. */
static bool is_nul_escape(const struct scan *scan)
{
	size_t digits = peek(scan, 1) == 'x' ? 2 : 1;
	size_t width = digits == 2 ? 2 : 3;
	size_t zeros = 0;
	const char *more = digits == 2 ? "0123456789abcdefABCDEF" : "01234567";
	char next;

	while (zeros < width && peek(scan, digits + zeros) == '0')
		zeros++;
	next = peek(scan, digits + zeros);
	return zeros > 0 && (zeros == width || next == '\0' || strchr(more, next) == NULL);
}

static int backslash(struct scan *scan, char quote)
{
	if (quote == '"' && is_nul_escape(scan))
		return fail(scan, scan->line, "a value cannot contain a NUL byte");
	if (peek(scan, 1) == '\n')
		scan->line++;
	scan->at += scan->end - scan->at > 1 ? 2 : 1;
	return 0;
}

static void remember(struct scan *scan, const char *text)
{
	scan->last = (struct key){ text, (size_t)(scan->at - text), scan->line };
	scan->appends = false;
}

static int string(struct scan *scan)
{
	char quote = *scan->at++;
	const char *text = scan->at;
	int begin = scan->line;

	while (scan->at < scan->end && *scan->at != quote && *scan->at != '\n') {
		int rc = 0;

		if (*scan->at == '\\')
			rc = backslash(scan, quote);
		else if (quote == '"' && *scan->at == '$' && peek(scan, 1) == '{')
			rc = variable(scan);
		else
			scan->at++;
		if (rc < 0)
			return -1;
	}
	if (scan->at == scan->end || *scan->at == '\n')
		return fail(scan, begin,
			    "the string that begins here is not closed: a quote is missing");
	remember(scan, text);
	scan->at++;
	return 0;
}

static int open_brace(struct scan *scan)
{
	if (scan->depth == DEPTH_MAX)
		return fail(scan, scan->line, "{ inside a list: a list holds values only");
	scan->open[scan->depth++] = scan->line;
	if (scan->depth < DEPTH_MAX)
		scan->seen[scan->depth].count = 0;
	scan->at++;
	return 0;
}

static int close_brace(struct scan *scan)
{
	if (scan->depth == 0)
		return fail(scan, scan->line, "} closes nothing: no section is open here");
	scan->depth--;
	scan->at++;
	return 0;
}

static int refuse_twice(const struct scan *scan, const struct key *key, int first_line)
{
	char name[KEY_MAX + 1];
	char quoted[2 * KEY_MAX];
	size_t length = key->length < KEY_MAX ? key->length : KEY_MAX;

	memcpy(name, key->text, length);
	name[length] = '\0';
	return error_set(scan->err, ERROR_INPUT,
			 "%s:%d: \"%s\" is set twice in one section: it is already set on line %d",
			 scan->path, key->line, text_quote(name, quoted, sizeof(quoted)),
			 first_line);
}

/* libConfuse lets the last of two count. += adds to a list, which is no second setting. */
static int set_key(struct scan *scan)
{
	struct seen *seen = &scan->seen[scan->depth];
	const struct key *key = &scan->last;

	for (size_t i = 0; i < seen->count && !scan->appends; i++) {
		if (seen->keys[i].length == key->length &&
		    memcmp(seen->keys[i].text, key->text, key->length) == 0)
			return refuse_twice(scan, key, seen->keys[i].line);
	}
	if (key->text != NULL && seen->count < SEEN_MAX)
		seen->keys[seen->count++] = *key;
	scan->appends = false;
	return 0;
}

static int equals(struct scan *scan)
{
	if (scan->depth == DEPTH_MAX)
		return error_set(
			scan->err, ERROR_INPUT,
			"%s:%d: = inside the list that begins on line %d: its } is missing, "
			"or quotes around a value",
			scan->path, scan->line, scan->open[DEPTH_MAX - 1]);
	scan->at++;
	return set_key(scan);
}

static bool at_comment(const struct scan *scan, char second)
{
	return peek(scan, 0) == '/' && peek(scan, 1) == second;
}

/* An unquoted value, up to what ends it for libConfuse. */
static int word(struct scan *scan)
{
	size_t rest = (size_t)(scan->end - scan->at);
	const char *text = scan->at;
	size_t length = 0;

	while (length < rest && strchr(" \t\r\n#\"'={}()+,", scan->at[length]) == NULL)
		length++;
	scan->at += length > 0 ? length : 1;
	if (length > 0)
		remember(scan, text);
	else if (*text == '+')
		scan->appends = true;
	return 0;
}

static int step(struct scan *scan)
{
	switch (*scan->at) {
	case '\0':
		return fail(scan, scan->line, "a NUL byte: this is no configuration file");
	case '\n':
		scan->line++;
		scan->at++;
		return 0;
	case '#':
		blank_line(scan);
		return 0;
	case '"':
	case '\'':
		return string(scan);
	case '{':
		return open_brace(scan);
	case '}':
		return close_brace(scan);
	case '=':
		return equals(scan);
	default:
		break;
	}
	if (peek(scan, 0) == '$' && peek(scan, 1) == '{')
		return variable(scan);
	if (at_comment(scan, '*'))
		return blank_block(scan);
	if (at_comment(scan, '/'))
		blank_line(scan);
	else
		return word(scan);
	return 0;
}

int config_scan(const char *path, char *text, size_t length, struct error *err)
{
	struct scan scan = {
		.path = path, .at = text, .end = text + length, .line = 1, .err = err
	};

	while (scan.at < scan.end) {
		if (step(&scan) < 0)
			return -1;
	}
	if (scan.depth == 0)
		return 0;
	return fail(&scan, scan.open[scan.depth - 1],
		    scan.depth == 1 ? "the section that begins here is not closed: } is missing"
				    : "the list that begins here is not closed: } is missing");
}
