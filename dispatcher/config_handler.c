#include "dispatcher/config_handler.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/limits.h"
#include "base/text.h"
#include "dispatcher/config_number.h"
#include "dispatcher/config_user.h"

static const char *const FENCE_NAMES[] = {
	[HANDLER_FENCE_KILL] = "kill",
	[HANDLER_FENCE_FINISH] = "finish",
};

enum { QUOTED_SIZE = 160 };

const char *config_handler_fence_name(enum handler_fence fence)
{
	return FENCE_NAMES[fence];
}

/* "PATH:LINE: handler "NAME": " before the error. */
static int blame(const struct config_section *section, int line, const char *key, struct error *err)
{
	error_prefix(err, "handler \"%s\": %s", section->name, key);
	return error_prefix(err, "%s:%d", section->path, line);
}

#define KIND_IN_LIST(constant, name) " \"" name "\""
static int read_kind(const struct config_section *section, struct handler *handler,
		     struct error *err)
{
	const struct config_value *value = config_file_value(section, "kind", 0);
	char quoted[QUOTED_SIZE];

	if (value == NULL)
		return config_file_fail(section, section->line, err,
					"handler \"%s\" has no kind: write kind = …, one of:%s",
					section->name, HANDLER_KINDS(KIND_IN_LIST));
	if (handler_kind_read(value->text, &handler->kind) < 0)
		return config_file_fail(section, value->line, err,
					"handler \"%s\": unknown kind \"%s\", expected one of:%s",
					section->name,
					text_quote(value->text, quoted, sizeof(quoted)),
					HANDLER_KINDS(KIND_IN_LIST));
	return 0;
}
#undef KIND_IN_LIST

/* Copies a list into a NULL-terminated array; an absent list is an empty one. */
static int copy_list(const struct config_section *section, const char *key, char ***list,
		     struct error *err)
{
	int count = config_file_count(section, key);
	size_t size = count > 0 ? (size_t)count : 0;
	char **copy = calloc(size + 1, sizeof(*copy));

	*list = copy;
	if (copy == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	for (size_t i = 0; i < size; i++) {
		copy[i] = strdup(config_file_value(section, key, (int)i)->text);
		if (copy[i] == NULL)
			return error_set(err, ERROR_FATAL, "out of memory");
	}
	return 0;
}

static int read_argv(const struct config_section *section, struct handler *handler,
		     struct error *err)
{
	const struct config_value *program = config_file_value(section, "argv", 0);
	char quoted[QUOTED_SIZE];

	if (program == NULL)
		return config_file_fail(
			section, section->line, err,
			"handler \"%s\" has no argv: write argv = {\"/PROGRAM\", …}",
			section->name);
	if (program->text[0] != '/')
		return config_file_fail(section, program->line, err,
					"handler \"%s\": argv begins with \"%s\", which is not an "
					"absolute path: no shell and no PATH are used",
					section->name,
					text_quote(program->text, quoted, sizeof(quoted)));
	return copy_list(section, "argv", &handler->argv, err);
}

/* The length of NAME in NAME=VALUE, or 0 when it is no such pair. */
static size_t variable_length(const char *pair)
{
	size_t length = 0;

	while (isalnum((unsigned char)pair[length]) || pair[length] == '_')
		length++;
	return pair[length] == '=' && !isdigit((unsigned char)pair[0]) ? length : 0;
}

static bool is_set_before(char *const *pairs, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(pairs[i], name, length + 1) == 0)
			return true;
	}
	return false;
}

static int check_variable(const struct config_section *section, char *const *pairs, size_t index,
			  struct error *err)
{
	static const char OURS[] = "LOCUM_";
	const char *pair = pairs[index];
	size_t length = variable_length(pair);
	int line = config_file_value(section, "environment", (int)index)->line;
	char quoted[QUOTED_SIZE];

	text_quote(pair, quoted, sizeof(quoted));
	if (length == 0)
		error_set(err, ERROR_INPUT, "\"%s\" is not NAME=VALUE", quoted);
	else if (strncmp(pair, OURS, strlen(OURS)) == 0)
		error_set(err, ERROR_INPUT, "\"%s\": names that begin with %s are set by locum",
			  quoted, OURS);
	else if (is_set_before(pairs, index, pair, length))
		error_set(err, ERROR_INPUT, "%.*s is set twice", (int)length, pair);
	else
		return 0;
	return blame(section, line, "environment", err);
}

static int read_environment(const struct config_section *section, struct handler *handler,
			    struct error *err)
{
	if (copy_list(section, "environment", &handler->environment, err) < 0)
		return -1;
	for (size_t i = 0; handler->environment[i] != NULL; i++) {
		if (check_variable(section, handler->environment, i, err) < 0)
			return -1;
	}
	return 0;
}

static int read_directory(const struct config_section *section, struct handler *handler,
			  struct error *err)
{
	const struct config_value *value = config_file_value(section, "directory", 0);
	char quoted[QUOTED_SIZE];

	if (value == NULL)
		return 0;
	if (value->text[0] != '/')
		return config_file_fail(section, value->line, err,
					"handler \"%s\": directory \"%s\" is not an absolute path",
					section->name,
					text_quote(value->text, quoted, sizeof(quoted)));
	handler->directory = strdup(value->text);
	return handler->directory == NULL ? error_set(err, ERROR_FATAL, "out of memory") : 0;
}

static int read_duration(const struct config_section *section, const char *key, int64_t least_ms,
			 int64_t *ms, struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);
	char least[DURATION_TEXT_SIZE];
	int64_t read_ms;

	if (value == NULL)
		return 0;
	if (duration_read(value->text, &read_ms, err) < 0)
		return blame(section, value->line, key, err);
	if (read_ms < least_ms) {
		error_set(err, ERROR_INPUT,
			  "\"%s\" is too short: at least %s; leave it out for no limit",
			  value->text, duration_text(least_ms, least));
		return blame(section, value->line, key, err);
	}
	*ms = read_ms;
	return 0;
}

static int read_fence(const struct config_section *section, struct handler *handler,
		      struct error *err)
{
	const struct config_value *value = config_file_value(section, "fence", 0);
	char quoted[QUOTED_SIZE];

	handler->fence = HANDLER_FENCE_KILL;
	if (value == NULL || strcmp(value->text, FENCE_NAMES[HANDLER_FENCE_KILL]) == 0)
		return 0;
	if (strcmp(value->text, FENCE_NAMES[HANDLER_FENCE_FINISH]) != 0)
		return config_file_fail(
			section, value->line, err,
			"handler \"%s\": fence \"%s\" is neither \"%s\" nor \"%s\"", section->name,
			text_quote(value->text, quoted, sizeof(quoted)),
			FENCE_NAMES[HANDLER_FENCE_KILL], FENCE_NAMES[HANDLER_FENCE_FINISH]);
	handler->fence = HANDLER_FENCE_FINISH;
	return 0;
}

static int read_size(const struct config_section *section, const char *key, int64_t least,
		     int64_t *bytes, struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);

	if (value != NULL && config_number_size(value->text, least, bytes, err) < 0)
		return blame(section, value->line, key, err);
	return 0;
}

static int read_number(const struct config_section *section, const char *key, int64_t *number,
		       struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);

	if (value != NULL &&
	    config_number_read(value->text, 1, CONFIG_HANDLER_COUNT_MOST, number, err) < 0)
		return blame(section, value->line, key, err);
	return 0;
}

static int read_cpu(const struct config_section *section, struct handler_limits *limits,
		    struct error *err)
{
	int64_t ms = -1;

	if (read_duration(section, "cpu", 1000, &ms, err) < 0)
		return -1;
	if (ms >= 0)
		limits->cpu_s = (ms + 999) / 1000; /* the kernel counts whole seconds */
	return 0;
}

static int read_limits(const struct config_section *section, struct handler_limits *limits,
		       struct error *err)
{
	*limits = (struct handler_limits){ -1, -1, -1, -1, -1 };
	if (read_size(section, "memory", CONFIG_HANDLER_MEMORY_LEAST, &limits->memory_bytes, err) <
	    0)
		return -1;
	if (read_number(section, "files", &limits->files, err) < 0)
		return -1;
	if (read_number(section, "processes", &limits->processes, err) < 0)
		return -1;
	if (read_cpu(section, limits, err) < 0)
		return -1;
	return read_size(section, "file_size", 0, &limits->file_bytes, err);
}

/* What kinds of handlers have in common, and what is a command's alone. */
static int read_fields(const struct config_section *section, struct handler *handler,
		       struct error *err)
{
	if (read_kind(section, handler, err) < 0 || read_argv(section, handler, err) < 0)
		return -1;
	if (read_environment(section, handler, err) < 0 ||
	    read_directory(section, handler, err) < 0)
		return -1;
	if (config_user_read(section, &handler->user, err) < 0 ||
	    read_fence(section, handler, err) < 0)
		return -1;
	if (read_duration(section, "timeout", CONFIG_HANDLER_TIMEOUT_LEAST_MS, &handler->timeout_ms,
			  err) < 0)
		return -1;
	return read_limits(section, &handler->limits, err);
}

static int read_name(const struct config *config, const struct config_section *section,
		     struct handler *handler, struct error *err)
{
	if (text_check_name("handler", section->name, err) < 0)
		return error_prefix(err, "%s:%d", section->path, section->line);
	for (int i = 0; i < config->handler_count; i++) {
		if (strcmp(config->handlers[i].name, section->name) == 0)
			return config_file_fail(section, section->line, err,
						"handler \"%s\" is already defined on line %d",
						section->name, config->handler_lines[i]);
	}
	handler->name = strdup(section->name);
	return handler->name == NULL ? error_set(err, ERROR_FATAL, "out of memory") : 0;
}

static int read_handler(struct config *config, const struct config_section *section,
			struct error *err)
{
	struct handler handler = { 0 };

	if (read_name(config, section, &handler, err) < 0 ||
	    read_fields(section, &handler, err) < 0) {
		handler_fini(&handler);
		return -1;
	}
	config->handler_lines[config->handler_count] = section->line;
	config->handlers[config->handler_count++] = handler;
	return 0;
}

int config_handler_read(struct config *config, const struct config_file *file, struct error *err)
{
	int count = config_file_sections(file, "handler");
	struct config_section section;

	if (count > LIMIT_HANDLERS) {
		section = config_file_section(file, "handler", LIMIT_HANDLERS);
		return config_file_fail(&section, section.line, err,
					"more than %d handlers are configured", LIMIT_HANDLERS);
	}
	config->handlers = calloc((size_t)count + 1, sizeof(*config->handlers));
	config->handler_lines = calloc((size_t)count + 1, sizeof(*config->handler_lines));
	if (config->handlers == NULL || config->handler_lines == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	for (int i = 0; i < count; i++) {
		section = config_file_section(file, "handler", i);
		if (read_handler(config, &section, err) < 0)
			return -1;
	}
	return 0;
}
