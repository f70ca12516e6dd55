#include "dispatcher/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatcher/config_agent.h"
#include "dispatcher/config_check.h"
#include "dispatcher/config_file.h"
#include "dispatcher/config_handler.h"
#include "dispatcher/config_setting.h"

/* More names for the database, the weaker first; each goes after LOCUM_DATABASE. */
static const char *const DATABASE_VARIABLES[] = { "DATABASE_URL", "LOCUM_DATABASE_URL" };
enum { DATABASE_VARIABLE_COUNT = sizeof(DATABASE_VARIABLES) / sizeof(DATABASE_VARIABLES[0]) };

/* Opens the file that was asked for, or the default one when it is there. *file stays NULL without. */
static int open_file(struct config *config, const char *path, struct config_file **file,
		     struct error *err)
{
	if (path == NULL && access(CONFIG_DEFAULT_FILE, F_OK) < 0)
		return 0;
	config->file = strdup(path == NULL ? CONFIG_DEFAULT_FILE : path);
	if (config->file == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	return config_file_read(file, config->file, err);
}

static int apply_file_settings(struct config *config, const struct config_file *file,
			       struct error *err)
{
	const struct config_section top = config_file_top(file);

	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *setting = &config_setting_all[i];
		const struct config_value *value = config_file_value(&top, setting->key, 0);
		struct config_origin origin = { .source = CONFIG_FILE };

		if (value == NULL)
			continue;
		origin.line = value->line;
		if (config_setting_set(config, setting, value->text, &origin, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_file(struct config *config, const struct config_file *file, struct error *err)
{
	if (file == NULL)
		return 0;
	if (apply_file_settings(config, file, err) < 0)
		return -1;
	return config_handler_read(config, file, err);
}

/* A variable that is empty counts as not set. */
static int apply_variable(struct config *config, const struct config_setting *setting,
			  const char *name, struct error *err)
{
	const char *value = getenv(name);
	struct config_origin origin = { .source = CONFIG_ENVIRONMENT };

	if (value == NULL || value[0] == '\0')
		return 0;
	snprintf(origin.name, sizeof(origin.name), "%s", name);
	return config_setting_set(config, setting, value, &origin, err);
}

static int apply_twin(struct config *config, const struct config_setting *setting,
		      struct error *err)
{
	char name[CONFIG_ORIGIN_NAME_SIZE];

	snprintf(name, sizeof(name), "LOCUM_%s", setting->key);
	for (char *letter = name; *letter != '\0'; letter++)
		*letter = (char)toupper((unsigned char)*letter);
	return apply_variable(config, setting, name, err);
}

static int apply_environment(struct config *config, struct error *err)
{
	const struct config_setting *database = config_setting_find("database");

	for (int i = 0; i < DATABASE_VARIABLE_COUNT; i++) {
		if (apply_variable(config, database, DATABASE_VARIABLES[i], err) < 0)
			return -1;
	}
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		if (apply_twin(config, &config_setting_all[i], err) < 0)
			return -1;
	}
	return 0;
}

static int apply_override(struct config *config, const struct config_override *override,
			  struct error *err)
{
	const struct config_setting *setting = config_setting_find(override->key);
	struct config_origin origin = { .source = CONFIG_FLAG };

	if (setting == NULL)
		return error_set(err, ERROR_INPUT, "unknown setting \"%s\"", override->key);
	snprintf(origin.name, sizeof(origin.name), "--%s", override->key);
	for (char *letter = origin.name; *letter != '\0'; letter++) {
		if (*letter == '_')
			*letter = '-';
	}
	return config_setting_set(config, setting, override->value, &origin, err);
}

static int apply_overrides(struct config *config, const struct config_override *overrides,
			   size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (apply_override(config, &overrides[i], err) < 0)
			return -1;
	}
	return 0;
}

int config_load(struct config *config, const char *file, const struct config_override *overrides,
		size_t override_count, struct error *err)
{
	struct config made = { 0 };
	struct config_file *parsed = NULL;
	int rc = -1;

	memset(config, 0, sizeof(*config));
	if (config_setting_reset(&made, err) == 0 && open_file(&made, file, &parsed, err) == 0 &&
	    apply_file(&made, parsed, err) == 0 && apply_environment(&made, err) == 0 &&
	    apply_overrides(&made, overrides, override_count, err) == 0 &&
	    config_agent_read(&made, parsed, err) == 0)
		rc = config_check(&made, geteuid(), err);
	config_file_free(parsed);
	if (rc < 0)
		config_fini(&made);
	else
		*config = made;
	return rc;
}

void config_fini(struct config *config)
{
	for (int i = 0; i < config->agent_count; i++)
		config_agent_fini(&config->agents[i]);
	for (int i = 0; i < config->handler_count; i++)
		handler_fini(&config->handlers[i]);
	free(config->agents);
	free(config->handlers);
	free(config->handler_lines);
	free(config->handler_key_lines);
	config_setting_fini(config);
	free(config->file);
	memset(config, 0, sizeof(*config));
}
