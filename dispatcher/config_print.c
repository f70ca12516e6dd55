#include "dispatcher/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "dispatcher/config_handler.h"
#include "dispatcher/config_number.h"
#include "dispatcher/config_password.h"
#include "dispatcher/config_setting.h"

/* In double quotes, as libConfuse reads it back. */
static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\x%02x", byte);
		else if (byte == '"' || byte == '\\' || byte == '$')
			fprintf(out, "\\%c", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

static void print_origin(const struct config *config, const struct config_origin *origin, FILE *out)
{
	switch (origin->source) {
	case CONFIG_DEFAULT:
		fputs("  # default\n", out);
		break;
	case CONFIG_FILE:
		fprintf(out, "  # file %s:%d\n", config->file, origin->line);
		break;
	case CONFIG_ENVIRONMENT:
		fprintf(out, "  # environment %s\n", origin->name);
		break;
	case CONFIG_FLAG:
		fprintf(out, "  # flag %s\n", origin->name);
		break;
	}
}

static int print_text(const struct config_setting *setting, const char *text, FILE *out,
		      struct error *err)
{
	char *masked;

	if (setting->meta == NULL || strcmp(setting->meta, "CONNINFO") != 0) {
		print_quoted(out, text);
		return 0;
	}
	masked = config_password_mask(text);
	if (masked == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	print_quoted(out, masked);
	free(masked);
	return 0;
}

static int print_setting(const struct config *config, const struct config_setting *setting,
			 FILE *out, struct error *err)
{
	char duration[DURATION_TEXT_SIZE];

	fprintf(out, "%s = ", setting->key);
	switch (setting->type) {
	case CONFIG_DURATION:
		print_quoted(out, duration_text(config_setting_number(config, setting), duration));
		break;
	case CONFIG_TEXT:
		if (print_text(setting, config_setting_text(config, setting), out, err) < 0)
			return -1;
		break;
	case CONFIG_BOOLEAN:
		fputs(config_setting_number(config, setting) ? "true" : "false", out);
		break;
	}
	print_origin(config, config_setting_origin(config, setting), out);
	return 0;
}

/* A section that is being printed. */
struct printer {
	const struct config *config;
	FILE *out;
	const struct config_key *keys;
	const struct config_key_lines *lines;
};

static void print_line_of(const struct config *config, int line, FILE *out)
{
	const struct config_origin origin = {
		.source = line == 0 ? CONFIG_DEFAULT : CONFIG_FILE,
		.line = line,
	};

	print_origin(config, &origin, out);
}

static void begin_section(const struct printer *to, const char *kind, const char *name, int line)
{
	fprintf(to->out, "\n%s ", kind);
	print_quoted(to->out, name);
	fputs(" {", to->out);
	print_line_of(to->config, line, to->out);
}

static void begin_key(const struct printer *to, const char *key)
{
	fprintf(to->out, "\t%s = ", key);
}

static void end_key(const struct printer *to, const char *key)
{
	print_line_of(to->config, config_key_line(to->keys, to->lines, key), to->out);
}

static void print_optional(const struct printer *to, const char *key, const char *text)
{
	if (text == NULL)
		return;
	begin_key(to, key);
	print_quoted(to->out, text);
	end_key(to, key);
}

static void print_item(const struct printer *to, int index, const char *text)
{
	fputs(index == 0 ? "{" : ", ", to->out);
	print_quoted(to->out, text);
}

static void end_list(const struct printer *to, const char *key)
{
	fputs("}", to->out);
	end_key(to, key);
}

static void print_list(const struct printer *to, const char *key, char *const *list)
{
	if (list[0] == NULL)
		return;
	begin_key(to, key);
	for (int i = 0; list[i] != NULL; i++)
		print_item(to, i, list[i]);
	end_list(to, key);
}

/* A name that contains = needs its weight to be read back. */
static void print_queue(const struct printer *to, int index, const struct config_queue *queue)
{
	char text[512];

	if (queue->weight == 1 && strchr(queue->name, '=') == NULL)
		snprintf(text, sizeof(text), "%s", queue->name);
	else
		snprintf(text, sizeof(text), "%s=%d", queue->name, queue->weight);
	print_item(to, index, text);
}

static void print_number(const struct printer *to, const char *key, int64_t number)
{
	if (number < 0)
		return;
	begin_key(to, key);
	fprintf(to->out, "%" PRId64, number);
	end_key(to, key);
}

static void print_agent(const struct config *config, const struct config_agent *agent, FILE *out)
{
	const struct printer to = { config, out, config_key_agent, &agent->lines };

	begin_section(&to, "agent", agent->name, agent->line);
	print_number(&to, "size", agent->size);
	begin_key(&to, "queues");
	for (int i = 0; i < agent->queue_count; i++)
		print_queue(&to, i, &agent->queues[i]);
	end_list(&to, "queues");
	print_optional(&to, "user", agent->user);
	begin_key(&to, "handlers");
	for (int i = 0; i < agent->handler_count; i++)
		print_item(&to, i, config->handlers[agent->handlers[i]].name);
	end_list(&to, "handlers");
	fputs("}\n", out);
}

static void print_size(const struct printer *to, const char *key, int64_t bytes)
{
	char text[CONFIG_NUMBER_TEXT_SIZE];

	if (bytes >= 0)
		print_optional(to, key, config_number_text(bytes, text));
}

static void print_duration(const struct printer *to, const char *key, int64_t ms)
{
	char text[DURATION_TEXT_SIZE];

	if (ms > 0)
		print_optional(to, key, duration_text(ms, text));
}

static void print_limits(const struct printer *to, const struct handler_limits *limits)
{
	print_size(to, "memory", limits->memory_bytes);
	print_number(to, "files", limits->files);
	print_number(to, "processes", limits->processes);
	print_duration(to, "cpu", limits->cpu_s * 1000);
	print_size(to, "file_size", limits->file_bytes);
}

/* What the kind has and others have not. */
static void print_kind(const struct printer *to, const struct handler *handler)
{
	print_list(to, "argv", handler->argv);
	print_optional(to, "path", handler->path);
	print_optional(to, "symbol", handler->symbol);
	print_optional(to, "function", handler->function);
	if (handler->kind == HANDLER_SERVICE) {
		print_number(to, "concurrency", handler->concurrency);
		print_number(to, "instances", handler->instances);
	}
	if (handler->max_jobs > 0)
		print_number(to, "max_jobs", handler->max_jobs);
	print_duration(to, "progress_timeout", handler->progress_timeout_ms);
}

static void print_handler(const struct config *config, int index, FILE *out)
{
	const struct handler *handler = &config->handlers[index];
	const struct printer to = { config, out, config_key_handler,
				    &config->handler_key_lines[index] };

	begin_section(&to, "handler", handler->name, config->handler_lines[index]);
	print_optional(&to, "kind", handler_kind_name(handler->kind));
	print_kind(&to, handler);
	print_duration(&to, "timeout", handler->timeout_ms);
	print_optional(&to, "user", handler->user);
	print_optional(&to, "fence", config_handler_fence_name(handler->fence));
	print_optional(&to, "log_failures", config_handler_failure_name(handler->log_failures));
	print_optional(&to, "directory", handler->directory);
	print_list(&to, "environment", handler->environment);
	print_limits(&to, &handler->limits);
	fputs("}\n", out);
}

int config_print(const struct config *config, FILE *out, struct error *err)
{
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		if (print_setting(config, &config_setting_all[i], out, err) < 0)
			return -1;
	}
	for (int i = 0; i < config->agent_count; i++)
		print_agent(config, &config->agents[i], out);
	for (int i = 0; i < config->handler_count; i++)
		print_handler(config, i, out);
	return 0;
}
