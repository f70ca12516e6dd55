#include "dispatcher/config_handler.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "dispatcher/config_field.h"
#include "dispatcher/config_kind.h"
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
	return config_field_blame(section, line, "environment", err);
}

static int read_environment(const struct config_section *section, struct handler *handler,
			    struct error *err)
{
	if (config_field_list(section, "environment", &handler->environment, err) < 0)
		return -1;
	for (size_t i = 0; handler->environment[i] != NULL; i++) {
		if (check_variable(section, handler->environment, i, err) < 0)
			return -1;
	}
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

static const char NO_FAILURES[] = "none";

const char *config_handler_failure_name(enum log_level level)
{
	return level == LOG_LEVEL_NONE ? NO_FAILURES : log_level_name(level);
}

static int read_log_failures(const struct config_section *section, struct handler *handler,
			     struct error *err)
{
	const struct config_value *value = config_file_value(section, "log_failures", 0);
	char quoted[QUOTED_SIZE];

	handler->log_failures = LOG_LEVEL_INFO;
	if (value == NULL || log_level_read(value->text, &handler->log_failures) == 0)
		return 0;
	if (strcmp(value->text, NO_FAILURES) != 0)
		return config_file_fail(section, value->line, err,
					"handler \"%s\": log_failures \"%s\" is none of error, "
					"warning, info, debug, none",
					section->name,
					text_quote(value->text, quoted, sizeof(quoted)));
	handler->log_failures = LOG_LEVEL_NONE;
	return 0;
}

static int read_cpu(const struct config_section *section, struct handler_limits *limits,
		    struct error *err)
{
	int64_t ms = -1;

	if (config_field_duration(section, "cpu", 1000, &ms, err) < 0)
		return -1;
	if (ms >= 0)
		limits->cpu_s = (ms + 999) / 1000; /* the kernel counts whole seconds */
	return 0;
}

static int read_limits(const struct config_section *section, struct handler_limits *limits,
		       struct error *err)
{
	*limits = (struct handler_limits){ -1, -1, -1, -1, -1 };
	if (config_field_size(section, "memory", CONFIG_HANDLER_MEMORY_LEAST, &limits->memory_bytes,
			      err) < 0)
		return -1;
	if (config_field_number(section, "files", CONFIG_HANDLER_COUNT_MOST, &limits->files, err) <
	    0)
		return -1;
	if (config_field_number(section, "processes", CONFIG_HANDLER_COUNT_MOST, &limits->processes,
				err) < 0)
		return -1;
	if (read_cpu(section, limits, err) < 0)
		return -1;
	return config_field_size(section, "file_size", 0, &limits->file_bytes, err);
}

static int read_fields(const struct config_section *section, struct handler *handler,
		       struct error *err)
{
	if (config_kind_read(section, handler, err) < 0)
		return -1;
	if (read_environment(section, handler, err) < 0 ||
	    config_field_path(section, "directory", &handler->directory, err) < 0)
		return -1;
	if (config_user_read(section, &handler->user, err) < 0 ||
	    read_fence(section, handler, err) < 0 || read_log_failures(section, handler, err) < 0)
		return -1;
	if (config_field_duration(section, "timeout", CONFIG_HANDLER_TIMEOUT_LEAST_MS,
				  &handler->timeout_ms, err) < 0)
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
	config_file_lines(section, config_key_handler,
			  &config->handler_key_lines[config->handler_count]);
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
	config->handler_key_lines = calloc((size_t)count + 1, sizeof(*config->handler_key_lines));
	if (config->handlers == NULL || config->handler_lines == NULL ||
	    config->handler_key_lines == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	for (int i = 0; i < count; i++) {
		section = config_file_section(file, "handler", i);
		if (read_handler(config, &section, err) < 0)
			return -1;
	}
	return 0;
}
