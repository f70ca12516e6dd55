#include "dispatcher/config_field.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "dispatcher/config_number.h"

enum { QUOTED_SIZE = 160 };

int config_field_blame(const struct config_section *section, int line, const char *key,
		       struct error *err)
{
	error_prefix(err, "handler \"%s\": %s", section->name, key);
	return error_prefix(err, "%s:%d", section->path, line);
}

int config_field_list(const struct config_section *section, const char *key, char ***list,
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

int config_field_text(const struct config_section *section, const char *key, char **text,
		      struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);

	if (value == NULL)
		return 0;
	*text = strdup(value->text);
	return *text == NULL ? error_set(err, ERROR_FATAL, "out of memory") : 0;
}

int config_field_path(const struct config_section *section, const char *key, char **path,
		      struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);
	char quoted[QUOTED_SIZE];

	if (value != NULL && value->text[0] != '/')
		return config_file_fail(section, value->line, err,
					"handler \"%s\": %s \"%s\" is not an absolute path",
					section->name, key,
					text_quote(value->text, quoted, sizeof(quoted)));
	return config_field_text(section, key, path, err);
}

int config_field_duration(const struct config_section *section, const char *key, int64_t least_ms,
			  int64_t *ms, struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);
	char least[DURATION_TEXT_SIZE];
	int64_t read_ms;

	if (value == NULL)
		return 0;
	if (duration_read(value->text, &read_ms, err) < 0)
		return config_field_blame(section, value->line, key, err);
	if (read_ms < least_ms) {
		error_set(err, ERROR_INPUT,
			  "\"%s\" is too short: at least %s; leave it out for no limit",
			  value->text, duration_text(least_ms, least));
		return config_field_blame(section, value->line, key, err);
	}
	*ms = read_ms;
	return 0;
}

int config_field_size(const struct config_section *section, const char *key, int64_t least,
		      int64_t *bytes, struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);

	if (value != NULL && config_number_size(value->text, least, bytes, err) < 0)
		return config_field_blame(section, value->line, key, err);
	return 0;
}

int config_field_number(const struct config_section *section, const char *key, int64_t most,
			int64_t *number, struct error *err)
{
	const struct config_value *value = config_file_value(section, key, 0);

	if (value != NULL && config_number_read(value->text, 1, most, number, err) < 0)
		return config_field_blame(section, value->line, key, err);
	return 0;
}
