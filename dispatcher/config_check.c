#include "dispatcher/config_check.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/text.h"
#include "db/conninfo.h"
#include "dispatcher/config_setting.h"

enum { QUOTED_SIZE = 160 };

/* The origin to name when several settings disagree: the first that somebody chose. */
static const struct config_origin *chosen(const struct config *config)
{
	const struct config_origin *const origins[] = {
		&config->ping_death_interval_ms_origin,
		&config->ping_interval_ms_origin,
		&config->kill_grace_ms_origin,
		&config->fence_margin_ms_origin,
	};
	enum { COUNT = sizeof(origins) / sizeof(origins[0]) };

	for (int i = 0; i < COUNT; i++) {
		if (origins[i]->source != CONFIG_DEFAULT)
			return origins[i];
	}
	return origins[0];
}

/* D >= 3P + G + M: three lost pings are no death, and a dead dispatcher's jobs are dead before a sibling
 * takes them. */
static int check_liveness(const struct config *config, struct error *err)
{
	int64_t least_ms = 3 * config->ping_interval_ms + config->kill_grace_ms +
			   config->fence_margin_ms;
	char death[DURATION_TEXT_SIZE];
	char ping[DURATION_TEXT_SIZE];
	char grace[DURATION_TEXT_SIZE];
	char margin[DURATION_TEXT_SIZE];
	char least[DURATION_TEXT_SIZE];

	if (config->ping_death_interval_ms >= least_ms)
		return 0;
	error_set(err, ERROR_INPUT,
		  "ping_death_interval %s is too short: it must be at least 3 × ping_interval %s + "
		  "kill_grace %s + fence_margin %s = %s",
		  duration_text(config->ping_death_interval_ms, death),
		  duration_text(config->ping_interval_ms, ping),
		  duration_text(config->kill_grace_ms, grace),
		  duration_text(config->fence_margin_ms, margin), duration_text(least_ms, least));
	return config_setting_blame(config, chosen(config), err);
}

static int check_log_level(const struct config *config, struct error *err)
{
	enum log_level level;
	char quoted[QUOTED_SIZE];

	if (log_level_read(config->log_level, &level) == 0)
		return 0;
	error_set(err, ERROR_INPUT, "log_level \"%s\" is none of debug, info, warning, error",
		  text_quote(config->log_level, quoted, sizeof(quoted)));
	return config_setting_blame(config, &config->log_level_origin, err);
}

static int check_log_format(const struct config *config, struct error *err)
{
	enum log_format format;
	char quoted[QUOTED_SIZE];

	if (log_format_read(config->log_format, &format) == 0)
		return 0;
	error_set(err, ERROR_INPUT, "log_format \"%s\" is neither logfmt nor json",
		  text_quote(config->log_format, quoted, sizeof(quoted)));
	return config_setting_blame(config, &config->log_format_origin, err);
}

static int check_absolute(const struct config *config, const char *key, const char *path,
			  const struct config_origin *origin, struct error *err)
{
	char quoted[QUOTED_SIZE];

	if (path[0] == '/')
		return 0;
	error_set(err, ERROR_INPUT, "%s \"%s\" is not an absolute path", key,
		  text_quote(path, quoted, sizeof(quoted)));
	return config_setting_blame(config, origin, err);
}

static int check_paths(const struct config *config, struct error *err)
{
	if (check_absolute(config, "state_dir", config->state_dir, &config->state_dir_origin, err) <
	    0)
		return -1;
	if (config->agent_program[0] != '\0' &&
	    check_absolute(config, "agent_program", config->agent_program,
			   &config->agent_program_origin, err) < 0)
		return -1;
	if (config->trace_file[0] == '\0')
		return 0;
	return check_absolute(config, "trace_file", config->trace_file, &config->trace_file_origin,
			      err);
}

static int check_conninfo(const struct config *config, const char *key, const char *conninfo,
			  const struct config_origin *origin, struct error *err)
{
	if (conninfo_check(conninfo, err) == 0)
		return 0;
	if (err->kind == ERROR_INPUT) {
		error_prefix(err, "%s", key);
		config_setting_blame(config, origin, err);
	}
	return -1;
}

static int check_databases(const struct config *config, struct error *err)
{
	if (check_conninfo(config, "database", config->database, &config->database_origin, err) < 0)
		return -1;
	return check_conninfo(config, "host_database", config->host_database,
			      &config->host_database_origin, err);
}

static int check_some_handler(const struct config *config, struct error *err)
{
	if (config->handler_count > 0)
		return 0;
	if (config->file == NULL)
		return error_set(
			err, ERROR_INPUT,
			"no handler is configured: there is no %s; name another file with -c",
			CONFIG_DEFAULT_FILE);
	return error_set(err, ERROR_INPUT,
			 "%s: no handler is configured: write at least one section "
			 "handler \"NAME\" { kind = \"command\" argv = {\"/PROGRAM\"} }",
			 config->file);
}

static int check_agent_users(const struct config *config, const struct config_agent *agent,
			     struct error *err)
{
	for (int i = 0; i < agent->handler_count && agent->user == NULL; i++) {
		int index = agent->handlers[i];

		if (config->handlers[index].user == NULL)
			return error_set(
				err, ERROR_INPUT,
				"%s:%d: handler \"%s\" would run as root: set user = … in the "
				"handler or its agent \"%s\", or root_handlers = true",
				config->file, config->handler_lines[index],
				config->handlers[index].name, agent->name);
	}
	return 0;
}

static int check_users(const struct config *config, uid_t user, struct error *err)
{
	if (user != 0 || config->root_handlers)
		return 0;
	for (int i = 0; i < config->agent_count; i++) {
		if (check_agent_users(config, &config->agents[i], err) < 0)
			return -1;
	}
	return 0;
}

int config_check(const struct config *config, uid_t user, struct error *err)
{
	if (check_log_level(config, err) < 0 || check_log_format(config, err) < 0 ||
	    check_paths(config, err) < 0 || check_databases(config, err) < 0)
		return -1;
	if (check_liveness(config, err) < 0 || check_some_handler(config, err) < 0)
		return -1;
	return check_users(config, user, err);
}

/* The file that a handler needs, and how it needs it; NULL: none. */
static const char *needed_file(const struct handler *handler, int *mode)
{
	switch (handler->kind) {
	case HANDLER_COMMAND:
	case HANDLER_SERVICE:
		*mode = X_OK;
		return handler->argv[0];
	case HANDLER_PLUGIN:
		*mode = R_OK;
		return handler->path;
	case HANDLER_SQL:
		break;
	}
	return NULL;
}

void config_check_handlers(const struct config *config, FILE *out)
{
	for (int i = 0; i < config->handler_count; i++) {
		const struct handler *handler = &config->handlers[i];
		char quoted[QUOTED_SIZE];
		int mode = F_OK;
		const char *path = needed_file(handler, &mode);

		if (path == NULL || access(path, mode) == 0)
			continue;
		fprintf(out, "locumd: warning: %s:%d: handler \"%s\": cannot %s \"%s\": %s\n",
			config->file, config->handler_lines[i], handler->name,
			mode == X_OK ? "run" : "read", text_quote(path, quoted, sizeof(quoted)),
			strerror(errno));
	}
}

static void check_variable(const char *key, FILE *out)
{
	const char *best = NULL;

	if (config_setting_find(key) != NULL || strcmp(key, "database_url") == 0)
		return;
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++)
		best = nearest_of(key, best, config_setting_all[i].key);
	if (best != NULL)
		fprintf(out,
			"locumd: warning: the environment has a LOCUM_… for \"%s\", which is no "
			"setting: did you mean \"%s\"?\n",
			key, best);
}

void config_check_environment(FILE *out)
{
	static const char OURS[] = "LOCUM_";

	for (char **variable = environ; *variable != NULL; variable++) {
		char key[CONFIG_ORIGIN_NAME_SIZE];
		size_t length = strcspn(*variable, "=");

		if (strncmp(*variable, OURS, sizeof(OURS) - 1) != 0 || length >= sizeof(key))
			continue;
		length -= sizeof(OURS) - 1;
		for (size_t i = 0; i < length; i++)
			key[i] = (char)tolower((unsigned char)(*variable)[sizeof(OURS) - 1 + i]);
		key[length] = '\0';
		check_variable(key, out);
	}
}
