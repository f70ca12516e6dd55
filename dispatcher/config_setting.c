#include "dispatcher/config_setting.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "base/text.h"

const struct config_setting config_setting_all[] = {
#define PLACE(field) offsetof(struct config, field), offsetof(struct config, field##_origin)
#define DURATION_ROW(field, key, value, least, help)                                               \
	{ key, CONFIG_DURATION, PLACE(field), value, least, NULL, "TIME", help },
#define TEXT_ROW(field, key, value, meta, help)                                                    \
	{ key, CONFIG_TEXT, PLACE(field), 0, 0, value, meta, help },
#define BOOLEAN_ROW(field, key, value, help)                                                       \
	{ key, CONFIG_BOOLEAN, PLACE(field), value, 0, NULL, NULL, help },
	CONFIG_TEXTS(TEXT_ROW) CONFIG_DURATIONS(DURATION_ROW) CONFIG_BOOLEANS(BOOLEAN_ROW)
#undef BOOLEAN_ROW
#undef TEXT_ROW
#undef DURATION_ROW
#undef PLACE
};

static const char *const YES[] = { "true", "yes", "on", "1", NULL };
static const char *const NO[] = { "false", "no", "off", "0", NULL };

static void *field_of(struct config *config, size_t offset)
{
	return (char *)config + offset;
}

static const void *constant_field_of(const struct config *config, size_t offset)
{
	return (const char *)config + offset;
}

const struct config_setting *config_setting_find(const char *key)
{
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		if (strcmp(config_setting_all[i].key, key) == 0)
			return &config_setting_all[i];
	}
	return NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcasecmp(text, *words) == 0)
			return true;
	}
	return false;
}

static int set_duration(int64_t *field, const struct config_setting *setting, const char *text,
			struct error *err)
{
	char given[DURATION_TEXT_SIZE];
	char limit[DURATION_TEXT_SIZE];
	int64_t ms;

	if (duration_read(text, &ms, err) < 0)
		return error_prefix(err, "%s", setting->key);
	if (ms < setting->least)
		return error_set(err, ERROR_INPUT, "%s %s is too short: it must be at least %s",
				 setting->key, duration_text(ms, given),
				 duration_text(setting->least, limit));
	if (ms > CONFIG_SETTING_MOST_MS)
		return error_set(err, ERROR_INPUT, "%s %s is too long: it must be at most %s",
				 setting->key, duration_text(ms, given),
				 duration_text(CONFIG_SETTING_MOST_MS, limit));
	*field = ms;
	return 0;
}

static int set_text(char **field, const char *text, struct error *err)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int set_boolean(int *field, const struct config_setting *setting, const char *text,
		       struct error *err)
{
	char quoted[64];

	if (is_one_of(text, YES))
		*field = 1;
	else if (is_one_of(text, NO))
		*field = 0;
	else
		return error_set(err, ERROR_INPUT, "%s: \"%s\" is neither true nor false",
				 setting->key, text_quote(text, quoted, sizeof(quoted)));
	return 0;
}

static int set_field(struct config *config, const struct config_setting *setting, const char *text,
		     struct error *err)
{
	void *field = field_of(config, setting->field);

	switch (setting->type) {
	case CONFIG_DURATION:
		return set_duration(field, setting, text, err);
	case CONFIG_TEXT:
		return set_text(field, text, err);
	case CONFIG_BOOLEAN:
		return set_boolean(field, setting, text, err);
	}
	return -1;
}

int config_setting_set(struct config *config, const struct config_setting *setting,
		       const char *text, const struct config_origin *origin, struct error *err)
{
	if (set_field(config, setting, text, err) < 0)
		return config_setting_blame(config, origin, err);
	memcpy(field_of(config, setting->origin), origin, sizeof(*origin));
	return 0;
}

static int reset_one(struct config *config, const struct config_setting *setting, struct error *err)
{
	void *field = field_of(config, setting->field);

	switch (setting->type) {
	case CONFIG_DURATION:
		memcpy(field, &setting->number, sizeof(setting->number));
		break;
	case CONFIG_TEXT:
		return set_text(field, setting->text, err);
	case CONFIG_BOOLEAN:
		*(int *)field = (int)setting->number;
		break;
	}
	return 0;
}

int config_setting_reset(struct config *config, struct error *err)
{
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		if (reset_one(config, &config_setting_all[i], err) < 0)
			return -1;
	}
	return 0;
}

int config_setting_copy(struct config *to, const struct config *from,
			const struct config_setting *setting, struct error *err)
{
	const void *value = constant_field_of(from, setting->field);
	void *field = field_of(to, setting->field);

	memcpy(field_of(to, setting->origin), constant_field_of(from, setting->origin),
	       sizeof(struct config_origin));
	switch (setting->type) {
	case CONFIG_DURATION:
		memcpy(field, value, sizeof(int64_t));
		break;
	case CONFIG_TEXT:
		return set_text(field, *(char *const *)value, err);
	case CONFIG_BOOLEAN:
		memcpy(field, value, sizeof(int));
		break;
	}
	return 0;
}

void config_setting_fini(struct config *config)
{
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		if (config_setting_all[i].type == CONFIG_TEXT)
			free(*(char **)field_of(config, config_setting_all[i].field));
	}
}

int64_t config_setting_number(const struct config *config, const struct config_setting *setting)
{
	const void *field = constant_field_of(config, setting->field);

	if (setting->type == CONFIG_BOOLEAN)
		return *(const int *)field;
	return *(const int64_t *)field;
}

const char *config_setting_text(const struct config *config, const struct config_setting *setting)
{
	return *(char *const *)constant_field_of(config, setting->field);
}

const struct config_origin *config_setting_origin(const struct config *config,
						  const struct config_setting *setting)
{
	return constant_field_of(config, setting->origin);
}

int config_setting_blame(const struct config *config, const struct config_origin *origin,
			 struct error *err)
{
	switch (origin->source) {
	case CONFIG_DEFAULT:
		break;
	case CONFIG_FILE:
		return error_prefix(err, "%s:%d", config->file, origin->line);
	case CONFIG_ENVIRONMENT:
	case CONFIG_FLAG:
		return error_prefix(err, "%s", origin->name);
	}
	return -1;
}
