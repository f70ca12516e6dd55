#include "dispatcher/config_kind.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "dispatcher/config_field.h"
#include "dispatcher/config_handler.h"

enum { QUOTED_SIZE = 160, KINDS_SIZE = 80 };

#define KIND_BIT(constant) (1u << HANDLER_##constant)

/* The keys that belong to some kinds only. */
static const struct kind_key {
	const char *key;
	unsigned kinds;    /* that may have it */
	unsigned required; /* that must have it */
	const char *example;
} KEYS[] = {
	{ "argv", KIND_BIT(COMMAND) | KIND_BIT(SERVICE), KIND_BIT(COMMAND) | KIND_BIT(SERVICE),
	  "{\"/PROGRAM\", …}" },
	{ "path", KIND_BIT(PLUGIN), KIND_BIT(PLUGIN), "\"/FILE.so\"" },
	{ "symbol", KIND_BIT(PLUGIN), 0, NULL },
	{ "function", KIND_BIT(SQL), KIND_BIT(SQL), "\"SCHEMA.NAME\"" },
	{ "concurrency", KIND_BIT(SERVICE), 0, NULL },
	{ "instances", KIND_BIT(SERVICE), 0, NULL },
	{ "max_jobs", KIND_BIT(SERVICE) | KIND_BIT(PLUGIN), 0, NULL },
	{ "progress_timeout", KIND_BIT(SERVICE) | KIND_BIT(PLUGIN), 0, NULL },
};
enum { KEY_COUNT = sizeof(KEYS) / sizeof(KEYS[0]) };

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

/* The names of the kinds in a set, as `"a" or "b"`. */
static const char *kind_names(unsigned kinds, char text[static KINDS_SIZE])
{
	FILE *out = fmemopen(text, KINDS_SIZE, "w");
	const char *before = "";

	text[0] = '\0';
	for (int kind = 0; out != NULL && kind <= HANDLER_SQL; kind++) {
		if ((kinds & 1u << kind) == 0)
			continue;
		fprintf(out, "%s\"%s\"", before, handler_kind_name((enum handler_kind)kind));
		before = " or ";
	}
	if (out != NULL)
		fclose(out);
	return text;
}

static int check_key(const struct config_section *section, enum handler_kind kind,
		     const struct kind_key *key, struct error *err)
{
	const struct config_value *value = config_file_value(section, key->key, 0);
	char names[KINDS_SIZE];

	if (value != NULL && (key->kinds & 1u << kind) == 0)
		return config_file_fail(section, value->line, err,
					"handler \"%s\": %s is for handlers of kind %s, not \"%s\"",
					section->name, key->key, kind_names(key->kinds, names),
					handler_kind_name(kind));
	if (value == NULL && (key->required & 1u << kind) != 0)
		return config_file_fail(section, section->line, err,
					"handler \"%s\" has no %s: write %s = %s", section->name,
					key->key, key->key, key->example);
	return 0;
}

static int read_argv(const struct config_section *section, struct handler *handler,
		     struct error *err)
{
	const struct config_value *program = config_file_value(section, "argv", 0);
	char quoted[QUOTED_SIZE];

	if (program != NULL && program->text[0] != '/')
		return config_file_fail(section, program->line, err,
					"handler \"%s\": argv begins with \"%s\", which is not an "
					"absolute path: no shell and no PATH are used",
					section->name,
					text_quote(program->text, quoted, sizeof(quoted)));
	return config_field_list(section, "argv", &handler->argv, err);
}

static bool is_word(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	}
	return length > 0 && !isdigit((unsigned char)text[0]);
}

static int refuse_name(const struct config_section *section, const char *key, const char *what,
		       struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);
	char quoted[QUOTED_SIZE];

	return config_file_fail(
		section, value == NULL ? section->line : value->line, err,
		"handler \"%s\": %s \"%s\" is not %s", section->name, key,
		text_quote(value == NULL ? section->name : value->text, quoted, sizeof(quoted)),
		what);
}

/* The symbol is the handler's name unless it is given. */
static int read_plugin(const struct config_section *section, struct handler *handler,
		       struct error *err)
{
	if (config_field_path(section, "path", &handler->path, err) < 0 ||
	    config_field_text(section, "symbol", &handler->symbol, err) < 0)
		return -1;
	if (handler->symbol == NULL)
		handler->symbol = strdup(section->name);
	if (handler->symbol == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	if (!is_word(handler->symbol, strlen(handler->symbol)))
		return refuse_name(section, "symbol", "the name of a C function", err);
	return 0;
}

/* Unquoted names only, so that the text can stand in a statement as it is. */
static int read_sql(const struct config_section *section, struct handler *handler,
		    struct error *err)
{
	const char *dot;

	if (config_field_text(section, "function", &handler->function, err) < 0)
		return -1;
	dot = strchr(handler->function, '.');
	if (dot == NULL || !is_word(handler->function, (size_t)(dot - handler->function)) ||
	    !is_word(dot + 1, strlen(dot + 1)))
		return refuse_name(section, "function",
				   "SCHEMA.NAME of letters, digits and underscores", err);
	return 0;
}

static int read_counts(const struct config_section *section, struct handler *handler,
		       struct error *err)
{
	int64_t concurrency = 1;
	int64_t instances = 1;

	if (config_field_number(section, "concurrency", LIMIT_CONCURRENCY, &concurrency, err) < 0 ||
	    config_field_number(section, "instances", LIMIT_INSTANCES, &instances, err) < 0 ||
	    config_field_number(section, "max_jobs", INT32_MAX, &handler->max_jobs, err) < 0)
		return -1;
	handler->concurrency = (int)concurrency;
	handler->instances = (int)instances;
	return config_field_duration(section, "progress_timeout", CONFIG_HANDLER_TIMEOUT_LEAST_MS,
				     &handler->progress_timeout_ms, err);
}

int config_kind_read(const struct config_section *section, struct handler *handler,
		     struct error *err)
{
	if (read_kind(section, handler, err) < 0)
		return -1;
	for (int i = 0; i < KEY_COUNT; i++) {
		if (check_key(section, handler->kind, &KEYS[i], err) < 0)
			return -1;
	}
	if (read_argv(section, handler, err) < 0 || read_counts(section, handler, err) < 0)
		return -1;
	switch (handler->kind) {
	case HANDLER_COMMAND:
	case HANDLER_SERVICE:
		break;
	case HANDLER_PLUGIN:
		return read_plugin(section, handler, err);
	case HANDLER_SQL:
		return read_sql(section, handler, err);
	}
	return 0;
}
