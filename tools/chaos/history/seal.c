#include "tools/chaos/history/seal.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 16 };

/* How many lines there are; -1: the last one is cut, or it cannot be read. */
static int64_t count_lines(FILE *file)
{
	char piece[PIECE];
	char last = '\n';
	int64_t lines = 0;
	size_t length;

	while ((length = fread(piece, 1, sizeof(piece), file)) > 0) {
		for (size_t i = 0; i < length; i++)
			lines += piece[i] == '\n';
		last = piece[length - 1];
	}
	return ferror(file) != 0 || last != '\n' ? -1 : lines;
}

static int seal(const char *path, struct error *err)
{
	FILE *file = fopen(path, "a+e");
	int64_t lines = file == NULL ? -1 : count_lines(file);
	bool failed = file == NULL;

	if (lines >= 0)
		fprintf(file, "0 closed %" PRId64 "\n", lines);
	if (file != NULL)
		failed = (ferror(file) | fclose(file)) != 0;
	return failed ? error_set_errno(err, ERROR_FATAL, errno, "cannot end %s", path) : 0;
}

int seal_files(const char *folder, struct error *err)
{
	static const char *const NAMES[] = { "effect", "worker-*" };
	glob_t found = { 0 };
	char *pattern;
	int status = 0;

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		if (asprintf(&pattern, "%s/%s.log", folder, NAMES[i]) < 0) {
			status = error_set(err, ERROR_RETRY, "out of memory");
			break;
		}
		glob(pattern, i == 0 ? 0 : GLOB_APPEND, NULL, &found);
		free(pattern);
	}
	for (size_t i = 0; i < found.gl_pathc && status == 0; i++)
		status = seal(found.gl_pathv[i], err);
	globfree(&found);
	return status;
}
