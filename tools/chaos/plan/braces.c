#include "tools/chaos/plan/braces.h"

#include <stddef.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

struct scan {
	const char *path;
	char *at;
	int line;
	int depth;
	int open[DEPTH_MAX]; /* the line of each open brace */
	struct error *err;
};

static int fail(const struct scan *scan, int line, const char *what)
{
	return error_set(scan->err, ERROR_INPUT, "%s:%d: %s", scan->path, line, what);
}

static void skip_line(struct scan *scan)
{
	size_t length = strcspn(scan->at, "\n");

	memset(scan->at, ' ', length);
	scan->at += length;
}

static int skip_comment(struct scan *scan)
{
	const char *end = strstr(scan->at + 2, "*/");

	if (end == NULL)
		return fail(scan, scan->line, "the comment that begins here is not closed");
	for (; scan->at < end + 2; scan->at++)
		if (*scan->at == '\n')
			scan->line++;
		else
			*scan->at = ' ';
	return 0;
}

static int skip_string(struct scan *scan)
{
	const char quote = *scan->at++;

	while (*scan->at != '\0' && *scan->at != '\n' && *scan->at != quote)
		scan->at += *scan->at == '\\' && scan->at[1] != '\0' ? 2 : 1;
	if (*scan->at != quote)
		return fail(scan, scan->line, "the string that begins here is not closed");
	scan->at++;
	return 0;
}

static int count_brace(struct scan *scan)
{
	if (*scan->at++ == '}')
		return scan->depth-- > 0 ? 0 : fail(scan, scan->line, "} closes nothing");
	if (scan->depth == DEPTH_MAX)
		return fail(scan, scan->line, "{ is too deep");
	scan->open[scan->depth++] = scan->line;
	return 0;
}

static int step(struct scan *scan)
{
	switch (*scan->at) {
	case '\n':
		scan->line++;
		break;
	case '#':
		skip_line(scan);
		return 0;
	case '"':
	case '\'':
		return skip_string(scan);
	case '{':
	case '}':
		return count_brace(scan);
	case '/':
		if (scan->at[1] == '*')
			return skip_comment(scan);
		if (scan->at[1] == '/') {
			skip_line(scan);
			return 0;
		}
		break;
	default:
		break;
	}
	scan->at++;
	return 0;
}

int braces_check(const char *path, char *text, struct error *err)
{
	struct scan scan = { .path = path, .at = text, .line = 1, .err = err };

	while (*scan.at != '\0')
		if (step(&scan) != 0)
			return -1;
	if (scan.depth > 0)
		return fail(&scan, scan.open[scan.depth - 1], "the { here is not closed");
	return 0;
}
