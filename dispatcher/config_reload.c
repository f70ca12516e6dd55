#include "dispatcher/config_reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dispatcher/config_agent.h"
#include "dispatcher/config_setting.h"

static const char *const LIVE[] = {
	"log_level", "log_format", "poll_interval", "drain_timeout", "root_handlers",
};
enum { LIVE_COUNT = sizeof(LIVE) / sizeof(LIVE[0]) };

bool config_reload_is_live(const char *key)
{
	for (int i = 0; i < LIVE_COUNT; i++) {
		if (strcmp(LIVE[i], key) == 0)
			return true;
	}
	return false;
}

static bool differs(const struct config *a, const struct config *b,
		    const struct config_setting *setting)
{
	if (setting->type == CONFIG_TEXT)
		return strcmp(config_setting_text(a, setting), config_setting_text(b, setting)) !=
		       0;
	return config_setting_number(a, setting) != config_setting_number(b, setting);
}

int config_reload_keep(struct config *config, const struct config *start, char *names, size_t size,
		       struct error *err)
{
	size_t used = 0;

	names[0] = '\0';
	for (int i = 0; i < CONFIG_SETTING_COUNT; i++) {
		const struct config_setting *setting = &config_setting_all[i];

		if (config_reload_is_live(setting->key) || !differs(config, start, setting))
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s",
						 used == 0 ? "" : ", ", setting->key);
		if (config_setting_copy(config, start, setting, err) != 0)
			return -1;
	}
	return 0;
}

/* The agents while they are being seated. */
struct seating {
	struct config_agent agents[LIMIT_AGENTS];
	bool taken[LIMIT_AGENTS];
	int count;
};

static int find_seat(const struct config_seat *seats, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(seats[i].name, name) == 0)
			return i;
	}
	return -1;
}

static int find_vacant(const struct seating *seating, const struct config_seat *seats, int count)
{
	for (int i = 0; i < count; i++) {
		if (seats[i].vacant && !seating->taken[i])
			return i;
	}
	return seating->count < LIMIT_AGENTS ? seating->count : -1;
}

static void sit_down(struct seating *seating, int seat, struct config_agent *agent)
{
	seating->agents[seat] = *agent;
	seating->taken[seat] = true;
	memset(agent, 0, sizeof(*agent));
	if (seat >= seating->count)
		seating->count = seat + 1;
}

static int seat_all(struct config *config, struct seating *seating, const struct config_seat *seats,
		    int count, struct error *err)
{
	for (int i = 0; i < config->agent_count; i++) {
		int seat = find_seat(seats, count, config->agents[i].name);

		if (seat >= 0)
			sit_down(seating, seat, &config->agents[i]);
	}
	for (int i = 0; i < config->agent_count; i++) {
		int seat;

		if (config->agents[i].name == NULL)
			continue;
		seat = find_vacant(seating, seats, count);
		if (seat < 0)
			return error_set(
				err, ERROR_INPUT,
				"agent \"%s\" is one too many: with those that are leaving "
				"there are more than %d; try again later",
				config->agents[i].name, LIMIT_AGENTS);
		sit_down(seating, seat, &config->agents[i]);
	}
	return 0;
}

/* Somebody for each seat that is not taken. */
static int add_leaving(struct seating *seating, const struct config_seat *seats, struct error *err)
{
	for (int i = 0; i < seating->count; i++) {
		struct config_agent leaving = { .leaving = true, .size = 1 };

		if (seating->taken[i])
			continue;
		leaving.name = strdup(seats[i].name);
		leaving.queues = calloc(1, sizeof(*leaving.queues));
		leaving.handlers = calloc(1, sizeof(*leaving.handlers));
		sit_down(seating, i, &leaving);
		if (seating->agents[i].name == NULL || seating->agents[i].queues == NULL ||
		    seating->agents[i].handlers == NULL)
			return error_set(err, ERROR_FATAL, "out of memory");
	}
	return 0;
}

int config_reload_seat(struct config *config, const struct config_seat *seats, int count,
		       struct error *err)
{
	struct seating *seating = calloc(1, sizeof(*seating));
	struct config_agent *agents = NULL;
	int status = -1;

	if (seating == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	seating->count = count;
	if (seat_all(config, seating, seats, count, err) == 0)
		status = add_leaving(seating, seats, err);
	if (status == 0)
		agents = calloc(LIMIT_AGENTS, sizeof(*agents));
	if (agents == NULL) {
		for (int i = 0; i < seating->count; i++)
			config_agent_fini(&seating->agents[i]);
		free(seating);
		return status == 0 ? error_set(err, ERROR_FATAL, "out of memory") : -1;
	}
	memcpy(agents, seating->agents, (size_t)seating->count * sizeof(*agents));
	free(config->agents); /* all of them have moved */
	config->agents = agents;
	config->agent_count = seating->count;
	free(seating);
	return 0;
}
