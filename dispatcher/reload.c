#include "dispatcher/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dispatcher/courier.h"
#include "dispatcher/turn.h"

static void close_all(struct claimer **claimers, int count)
{
	for (int i = 0; i < count; i++)
		claimer_close(claimers[i]);
}

/* Claimers for the new configuration, which know what the former ones measured. */
static int open_claimers(const struct pump *pump, const struct config *config,
			 struct claimer **claimers)
{
	for (int i = 0; i < config->agent_count; i++) {
		claimers[i] = claimer_open(config, &config->agents[i]);
		if (claimers[i] == NULL) {
			close_all(claimers, i);
			return -1;
		}
		if (i < pump->agent_count)
			claimer_inherit(claimers[i], pump->claimers[i]);
	}
	return 0;
}

static void free_config(struct config *config)
{
	if (config == NULL)
		return;
	config_fini(config);
	free(config);
}

/* The handler of each index of a configuration in another one; NULL when memory ends. */
static int *map_handlers(const struct config *from, const struct config *to)
{
	int *map = calloc((size_t)from->handler_count + 1, sizeof(*map));

	for (int i = 0; map != NULL && i < from->handler_count; i++) {
		map[i] = -1;
		for (int j = 0; j < to->handler_count; j++) {
			if (strcmp(from->handlers[i].name, to->handlers[j].name) == 0)
				map[i] = j;
		}
	}
	return map;
}

static void move_handler(struct holding *holding, void *context)
{
	const int *map = context;

	holding->handler = (short)(map == NULL || holding->handler < 0 ? -1
								       : map[holding->handler]);
}

static int count_agents(const struct config *config)
{
	int count = 0;

	for (int i = 0; i < config->agent_count; i++)
		count += !config->agents[i].leaving;
	return count;
}

void reload_take(struct pump *pump, struct config *config)
{
	struct claimer *claimers[LIMIT_AGENTS];
	struct config *former = pump->own;
	int *map = map_handlers(pump->options.config, config);

	/* What a claim on its way brings belongs to the queues and handlers that it was made with. */
	turn_take_all(pump, pump->options.config->ping_death_interval_ms);
	if (open_claimers(pump, config, claimers) != 0) {
		log_error("out of memory; the former configuration stays in force",
			  log_text("file", config->file));
		free_config(config);
		free(map);
		return;
	}
	ledger_each(pump->ledger, move_handler, map);
	free(map);
	close_all(pump->claimers, pump->agent_count);
	for (int i = pump->agent_count; i < config->agent_count; i++)
		link_init(&pump->links[i]);
	for (int i = 0; i < config->agent_count; i++)
		pump->claimers[i] = claimers[i];
	pump->agent_count = config->agent_count;
	pump->options.config = config;
	pump->own = config;
	for (int i = 0; i < config->agent_count; i++)
		courier_reload(pump, i);
	free_config(former);
	/* What the database knows of the agents, and the ids of their queues. */
	pump->agents_dirty = true;
	pump->queues_due_ms = 0;
	pump->idle = false;
	log_info("configuration reloaded", log_text("file", config->file),
		 log_number("agents", count_agents(config)),
		 log_number("handlers", config->handler_count));
	notify_send(pump->options.notify, "READY=1");
}

void reload_close(struct pump *pump)
{
	free_config(pump->own);
}
