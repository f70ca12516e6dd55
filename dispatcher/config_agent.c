#include "dispatcher/config_agent.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dispatcher/config_number.h"
#include "dispatcher/config_user.h"

static const char DEFAULT_NAME[] = "main";
static const char DEFAULT_QUEUE[] = "default";

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_FATAL, "out of memory");
}

/* "PATH:LINE: agent "NAME": " before the error. */
static int blame(const struct config_section *section, int line, struct error *err)
{
	error_prefix(err, "agent \"%s\"", section->name);
	return error_prefix(err, "%s:%d", section->path, line);
}

static int read_size(const struct config_section *section, struct config_agent *agent,
		     struct error *err)
{
	const struct config_value *value = config_file_value(section, "size", 0);
	int64_t size;

	if (value == NULL)
		return 0;
	if (config_number_read(value->text, 1, LIMIT_AGENT_SIZE, &size, err) < 0) {
		error_prefix(err, "size");
		return blame(section, value->line, err);
	}
	agent->size = (int)size;
	return 0;
}

static int find_queue(const struct config_agent *agent, const char *name)
{
	for (int i = 0; i < agent->queue_count; i++) {
		if (strcmp(agent->queues[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* Takes the name over. */
static int add_queue(struct config_agent *agent, char *name, int weight, struct error *err)
{
	if (text_check_name("queue", name, err) < 0) {
		free(name);
		return -1;
	}
	if (find_queue(agent, name) >= 0) {
		error_set(err, ERROR_INPUT, "queue \"%s\" is named twice", name);
		free(name);
		return -1;
	}
	agent->queues[agent->queue_count++] = (struct config_queue){ name, weight };
	return 0;
}

/* Reads "NAME" or "NAME=WEIGHT". */
static int read_queue(struct config_agent *agent, const char *text, struct error *err)
{
	const char *equals = strrchr(text, '=');
	size_t length = equals == NULL ? strlen(text) : (size_t)(equals - text);
	int64_t weight = 1;
	char quoted[LIMIT_NAME_BYTES * 2];
	char *name;

	if (equals != NULL &&
	    config_number_read(equals + 1, 1, LIMIT_QUEUE_WEIGHT, &weight, err) < 0)
		return error_prefix(err, "weight in \"%s\"",
				    text_quote(text, quoted, sizeof(quoted)));
	name = strndup(text, length);
	if (name == NULL)
		return no_memory(err);
	return add_queue(agent, name, (int)weight, err);
}

static int read_queues(const struct config_section *section, struct config_agent *agent,
		       struct error *err)
{
	int count = config_file_count(section, "queues");

	if (count < 0)
		return read_queue(agent, DEFAULT_QUEUE, err);
	if (count == 0 || count > CONFIG_AGENT_QUEUES_MOST) {
		error_set(err, ERROR_INPUT, "queues: %d are named, expected 1 to %d", count,
			  CONFIG_AGENT_QUEUES_MOST);
		return blame(section, section->line, err);
	}
	for (int i = 0; i < count; i++) {
		const struct config_value *value = config_file_value(section, "queues", i);

		if (read_queue(agent, value->text, err) < 0)
			return blame(section, value->line, err);
	}
	return 0;
}

static const char *nearest_handler(const struct config *config, const char *name)
{
	const char *best = NULL;

	for (int i = 0; i < config->handler_count; i++)
		best = nearest_of(name, best, config->handlers[i].name);
	return best;
}

static int find_handler(const struct config *config, const char *name, struct error *err)
{
	const char *meant = nearest_handler(config, name);
	char quoted[LIMIT_NAME_BYTES * 2];

	for (int i = 0; i < config->handler_count; i++) {
		if (strcmp(config->handlers[i].name, name) == 0)
			return i;
	}
	text_quote(name, quoted, sizeof(quoted));
	if (meant != NULL)
		return error_set(err, ERROR_INPUT,
				 "there is no handler \"%s\": did you mean \"%s\"?", quoted, meant);
	return error_set(err, ERROR_INPUT,
			 "there is no handler \"%s\": the list names handler sections of this file",
			 quoted);
}

static int add_handler(const struct config *config, struct config_agent *agent, const char *name,
		       struct error *err)
{
	int found = find_handler(config, name, err);

	if (found < 0)
		return -1;
	for (int i = 0; i < agent->handler_count; i++) {
		if (agent->handlers[i] == found)
			return error_set(err, ERROR_INPUT, "handler \"%s\" is named twice", name);
	}
	agent->handlers[agent->handler_count++] = found;
	return 0;
}

static void add_all_handlers(const struct config *config, struct config_agent *agent)
{
	for (int i = 0; i < config->handler_count; i++)
		agent->handlers[agent->handler_count++] = i;
}

static int read_filter(const struct config *config, const struct config_section *section,
		       struct config_agent *agent, struct error *err)
{
	int count = config_file_count(section, "handlers");

	if (count < 0) {
		add_all_handlers(config, agent);
		return 0;
	}
	if (count == 0) {
		error_set(err, ERROR_INPUT,
			  "handlers is empty: name some, or leave it out to run all");
		return blame(section, section->line, err);
	}
	for (int i = 0; i < count; i++) {
		const struct config_value *value = config_file_value(section, "handlers", i);

		if (add_handler(config, agent, value->text, err) < 0)
			return blame(section, value->line, err);
	}
	return 0;
}

/* An agent with room for its lists: a queue for each value, every handler once. */
static int make(const struct config *config, const char *name, int queue_room,
		struct config_agent *agent, struct error *err)
{
	size_t queues = queue_room > 0 ? (size_t)queue_room : 1;

	agent->size = CONFIG_AGENT_SIZE_DEFAULT;
	agent->name = strdup(name);
	agent->queues = calloc(queues, sizeof(*agent->queues));
	agent->handlers = calloc((size_t)config->handler_count + 1, sizeof(*agent->handlers));
	if (agent->name == NULL || agent->queues == NULL || agent->handlers == NULL)
		return no_memory(err);
	return 0;
}

static int check_name(const struct config *config, const struct config_section *section,
		      struct error *err)
{
	if (text_check_name("agent", section->name, err) < 0)
		return error_prefix(err, "%s:%d", section->path, section->line);
	for (int i = 0; i < config->agent_count; i++) {
		if (strcmp(config->agents[i].name, section->name) == 0)
			return config_file_fail(section, section->line, err,
						"agent \"%s\" is already defined on line %d",
						section->name, config->agents[i].line);
	}
	return 0;
}

static int read_agent(struct config *config, const struct config_section *section,
		      struct error *err)
{
	struct config_agent agent = { .line = section->line };

	if (check_name(config, section, err) < 0)
		return -1;
	if (make(config, section->name, config_file_count(section, "queues"), &agent, err) < 0 ||
	    read_size(section, &agent, err) < 0 ||
	    config_user_read(section, &agent.user, err) < 0 ||
	    read_queues(section, &agent, err) < 0 ||
	    read_filter(config, section, &agent, err) < 0) {
		config_agent_fini(&agent);
		return -1;
	}
	config_file_lines(section, config_key_agent, &agent.lines);
	config->agents[config->agent_count++] = agent;
	return 0;
}

static int add_default(struct config *config, struct error *err)
{
	struct config_agent agent = { 0 };

	if (make(config, DEFAULT_NAME, 1, &agent, err) < 0 ||
	    read_queue(&agent, DEFAULT_QUEUE, err) < 0) {
		config_agent_fini(&agent);
		return -1;
	}
	add_all_handlers(config, &agent);
	config->agents[config->agent_count++] = agent;
	return 0;
}

int config_agent_read(struct config *config, const struct config_file *file, struct error *err)
{
	int count = file == NULL ? 0 : config_file_sections(file, "agent");
	struct config_section section;

	if (count > LIMIT_AGENTS) {
		section = config_file_section(file, "agent", LIMIT_AGENTS);
		return config_file_fail(&section, section.line, err,
					"more than %d agents are configured", LIMIT_AGENTS);
	}
	config->agents = calloc((size_t)count + 1, sizeof(*config->agents));
	if (config->agents == NULL)
		return no_memory(err);
	for (int i = 0; i < count; i++) {
		section = config_file_section(file, "agent", i);
		if (read_agent(config, &section, err) < 0)
			return -1;
	}
	return count == 0 ? add_default(config, err) : 0;
}

int config_agent_handler(const struct config *config, int agent, const char *name)
{
	const struct config_agent *section = &config->agents[agent];

	for (int i = 0; i < section->handler_count; i++) {
		if (strcmp(config->handlers[section->handlers[i]].name, name) == 0)
			return section->handlers[i];
	}
	return -1;
}

void config_agent_fini(struct config_agent *agent)
{
	for (int i = 0; i < agent->queue_count; i++)
		free(agent->queues[i].name);
	free(agent->queues);
	free(agent->handlers);
	free(agent->name);
	free(agent->user);
	memset(agent, 0, sizeof(*agent));
}
