#include "tools/chaos/history/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FACTS_MOST = 200 };

struct facts {
	size_t count;
	char *names[FACTS_MOST]; /* each with its value behind its NUL */
	char *values[FACTS_MOST];
};

void facts_free(struct facts *facts)
{
	if (facts == NULL)
		return;
	for (size_t i = 0; i < facts->count; i++)
		free(facts->names[i]);
	free(facts);
}

/* 0, or -1 with what is wrong with the line. */
static int take_line(struct facts *facts, char *line, const char **wrong)
{
	char *equals = strchr(line, '=');
	char *name;

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '\0')
		return 0;
	if (equals == NULL || facts->count == FACTS_MOST) {
		*wrong = equals == NULL ? "the line is not NAME=VALUE" : "there are too many lines";
		return -1;
	}
	name = strdup(line);
	if (name == NULL) {
		*wrong = "out of memory";
		return -1;
	}
	name[equals - line] = '\0';
	facts->values[facts->count] = name + (equals - line) + 1;
	facts->names[facts->count++] = name;
	return 0;
}

static int read_lines(struct facts *facts, FILE *file, const char *path, struct error *err)
{
	const char *wrong = NULL;
	char *line = NULL;
	size_t size = 0;
	int number = 0;
	int status = 0;

	while (status == 0 && getline(&line, &size, file) > 0) {
		number++;
		status = take_line(facts, line, &wrong);
	}
	free(line);
	return status == 0 ? 0 : error_set(err, ERROR_INPUT, "%s:%d: %s", path, number, wrong);
}

struct facts *facts_read(const char *folder, const char *name, struct error *err)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	char *path = NULL;
	FILE *file = NULL;
	int status = -1;

	if (facts == NULL || asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		error_set(err, ERROR_RETRY, "out of memory");
		goto out;
	}
	file = fopen(path, "re");
	if (file == NULL)
		error_set_errno(err, ERROR_INPUT, errno, "%s", path);
	else
		status = read_lines(facts, file, path, err);
out:
	if (file != NULL)
		fclose(file);
	free(path);
	if (status == 0)
		return facts;
	facts_free(facts);
	return NULL;
}

const char *facts_text(const struct facts *facts, const char *name)
{
	for (size_t i = 0; facts != NULL && i < facts->count; i++)
		if (strcmp(facts->names[i], name) == 0)
			return facts->values[i];
	return "";
}

int64_t facts_number(const struct facts *facts, const char *name, int64_t otherwise)
{
	const char *text = facts_text(facts, name);
	char *rest;
	long long number = strtoll(text, &rest, 10);

	return text[0] == '\0' || *rest != '\0' ? otherwise : number;
}

const char *facts_at(const struct facts *facts, size_t i, const char **value)
{
	if (facts == NULL || i >= facts->count)
		return NULL;
	*value = facts->values[i];
	return facts->names[i];
}
