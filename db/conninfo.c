#include "db/conninfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_pair(FILE *out, const char *key, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	fprintf(out, "%s='", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			fputc('\\', out);
		fputc(*value, out);
	}
	fputs("' ", out);
}

static const char *value_of(const PQconninfoOption *options, const char *key)
{
	for (; options != NULL && options->keyword != NULL; options++) {
		if (strcmp(options->keyword, key) == 0)
			return options->val;
	}
	return NULL;
}

/* As libpq itself: what is no list of pairs and no URL names a database. */
static PQconninfoOption *parse(const char *conninfo, struct error *err)
{
	bool is_name = strchr(conninfo, '=') == NULL && strstr(conninfo, "://") == NULL;
	char *message = NULL;
	PQconninfoOption *parsed = PQconninfoParse(is_name ? "" : conninfo, &message);

	if (parsed == NULL)
		error_set(err, ERROR_INPUT, "the connection string is wrong: %.*s",
			  message == NULL ? 13 : (int)strcspn(message, "\n"),
			  message == NULL ? "out of memory" : message);
	PQfreemem(message);
	for (PQconninfoOption *at = parsed; is_name && at != NULL && at->keyword != NULL; at++) {
		if (strcmp(at->keyword, "dbname") == 0 && conninfo[0] != '\0')
			at->val = strdup(conninfo);
	}
	return parsed;
}

int conninfo_check(const char *conninfo, struct error *err)
{
	PQconninfoOption *parsed = parse(conninfo, err);

	PQconninfoFree(parsed);
	return parsed == NULL ? -1 : 0;
}

char *conninfo_resolve(const char *conninfo, struct error *err)
{
	PQconninfoOption *parsed = parse(conninfo, err);
	PQconninfoOption *defaults = parsed == NULL ? NULL : PQconndefaults();
	char *text = NULL;
	size_t size;
	FILE *out = defaults == NULL ? NULL : open_memstream(&text, &size);

	for (const PQconninfoOption *at = defaults; out != NULL && at->keyword != NULL; at++) {
		const char *own = value_of(parsed, at->keyword);
		bool ours = strcmp(at->keyword, "target_session_attrs") == 0;

		write_pair(out, at->keyword, own == NULL && !ours ? at->val : own);
	}
	if (out != NULL)
		fclose(out);
	else if (parsed != NULL)
		error_set(err, ERROR_RETRY, "out of memory for a connection string");
	PQconninfoFree(parsed);
	PQconninfoFree(defaults);
	return text;
}
