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

static void begin_section(const struct config *config, const char *kind, const char *name, int line,
			  FILE *out)
{
	const struct config_origin origin = {
		.source = line == 0 ? CONFIG_DEFAULT : CONFIG_FILE,
		.line = line,
	};

	fprintf(out, "\n%s ", kind);
	print_quoted(out, name);
	fputs(" {", out);
	print_origin(config, &origin, out);
}

static void print_optional(const char *key, const char *text, FILE *out)
{
	if (text == NULL)
		return;
	fprintf(out, "\t%s = ", key);
	print_quoted(out, text);
	fputc('\n', out);
}

static void print_list(const char *key, char *const *list, FILE *out)
{
	fprintf(out, "\t%s = {", key);
	for (size_t i = 0; list[i] != NULL; i++) {
		fputs(i == 0 ? "" : ", ", out);
		print_quoted(out, list[i]);
	}
	fputs("}\n", out);
}

/* A name that contains = needs its weight to be read back. */
static void print_queue(const struct config_queue *queue, FILE *out)
{
	char text[512];

	if (queue->weight == 1 && strchr(queue->name, '=') == NULL)
		print_quoted(out, queue->name);
	else {
		snprintf(text, sizeof(text), "%s=%d", queue->name, queue->weight);
		print_quoted(out, text);
	}
}

static void print_agent(const struct config *config, const struct config_agent *agent, FILE *out)
{
	begin_section(config, "agent", agent->name, agent->line, out);
	fprintf(out, "\tsize = %d\n\tqueues = {", agent->size);
	for (int i = 0; i < agent->queue_count; i++) {
		fputs(i == 0 ? "" : ", ", out);
		print_queue(&agent->queues[i], out);
	}
	fputs("}\n", out);
	print_optional("user", agent->user, out);
	fputs("\thandlers = {", out);
	for (int i = 0; i < agent->handler_count; i++) {
		fputs(i == 0 ? "" : ", ", out);
		print_quoted(out, config->handlers[agent->handlers[i]].name);
	}
	fputs("}\n}\n", out);
}

static void print_size(const char *key, int64_t bytes, FILE *out)
{
	char text[CONFIG_NUMBER_TEXT_SIZE];

	if (bytes >= 0)
		print_optional(key, config_number_text(bytes, text), out);
}

static void print_number(const char *key, int64_t number, FILE *out)
{
	if (number >= 0)
		fprintf(out, "\t%s = %" PRId64 "\n", key, number);
}

static void print_duration(const char *key, int64_t ms, FILE *out)
{
	char text[DURATION_TEXT_SIZE];

	if (ms > 0)
		print_optional(key, duration_text(ms, text), out);
}

static void print_limits(const struct handler_limits *limits, FILE *out)
{
	print_size("memory", limits->memory_bytes, out);
	print_number("files", limits->files, out);
	print_number("processes", limits->processes, out);
	print_duration("cpu", limits->cpu_s * 1000, out);
	print_size("file_size", limits->file_bytes, out);
}

/* What the kind has and others have not. */
static void print_kind(const struct handler *handler, FILE *out)
{
	if (handler->argv[0] != NULL)
		print_list("argv", handler->argv, out);
	print_optional("path", handler->path, out);
	print_optional("symbol", handler->symbol, out);
	print_optional("function", handler->function, out);
	if (handler->kind == HANDLER_SERVICE) {
		print_number("concurrency", handler->concurrency, out);
		print_number("instances", handler->instances, out);
	}
	if (handler->max_jobs > 0)
		print_number("max_jobs", handler->max_jobs, out);
	print_duration("progress_timeout", handler->progress_timeout_ms, out);
}

static void print_handler(const struct config *config, int index, FILE *out)
{
	const struct handler *handler = &config->handlers[index];

	begin_section(config, "handler", handler->name, config->handler_lines[index], out);
	print_optional("kind", handler_kind_name(handler->kind), out);
	print_kind(handler, out);
	print_duration("timeout", handler->timeout_ms, out);
	print_optional("user", handler->user, out);
	print_optional("fence", config_handler_fence_name(handler->fence), out);
	print_optional("directory", handler->directory, out);
	if (handler->environment[0] != NULL)
		print_list("environment", handler->environment, out);
	print_limits(&handler->limits, out);
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
