#include "agent/terms.h"

#include <stdlib.h>
#include <string.h>

#include "agent/arrivals.h"
#include "agent/order.h"
#include "agent/pools.h"
#include "agent/services.h"
#include "base/log.h"

/* A program of the former terms that can stay as it is, or NULL. One that is broken is tried anew. */
static struct program *find_kept(const struct agent *agent, const struct handler *handler)
{
	for (size_t i = 0; i < agent->program_count; i++) {
		struct program *program = agent->programs[i];

		if (!program->broken && handler_same(program->handler, handler))
			return program;
	}
	return NULL;
}

static void drop_all(struct program **programs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		program_drop(programs[i]);
	free(programs);
}

/* The programs of new terms, each with a user: those that stay, and new ones, which take their handlers over. */
static struct program **make_programs(const struct agent *agent, struct wire_hello *terms,
				      struct error *err)
{
	size_t count = terms->handler_count;
	struct program **programs = calloc(count + 1, sizeof(struct program *));

	if (programs == NULL)
		error_set(err, ERROR_FATAL, "out of memory for the handlers");
	for (size_t i = 0; programs != NULL && i < count; i++) {
		struct program *kept = find_kept(agent, &terms->handlers[i]);

		programs[i] = kept != NULL ? program_hold(kept)
					   : program_make(&terms->handlers[i], true, err);
		if (programs[i] == NULL) {
			drop_all(programs, i);
			return NULL;
		}
	}
	return programs;
}

static void release_retired(struct agent *agent, const char *why)
{
	struct arrival_list *waiting = &agent->roster.waiting;
	struct arrival *arrival;
	struct arrival *next;

	for (arrival = TAILQ_FIRST(waiting); arrival != NULL; arrival = next) {
		next = TAILQ_NEXT(arrival, link);
		if (arrival->program->retired)
			arrivals_end(agent, waiting, arrival, VERDICT_RELEASED, why);
	}
}

/* Puts new programs in the place of the former ones. */
static void replace_programs(struct agent *agent, struct program **programs, size_t count)
{
	struct program **former = agent->programs;
	size_t former_count = agent->program_count;

	for (size_t i = 0; i < former_count; i++)
		former[i]->retired = true;
	for (size_t i = 0; i < count; i++)
		programs[i]->retired = false;
	agent->programs = programs;
	agent->program_count = count;
	release_retired(agent, "released: the handler was changed or removed");
	drop_all(former, former_count);
}

static void resolve_programs(struct agent *agent)
{
	struct error err;

	for (size_t i = 0; i < agent->program_count; i++) {
		struct program *program = agent->programs[i];

		if (!program->resolved && program_resolve(program, &err) != 0)
			order_break(agent, program, err.text);
	}
}

static int change_handlers(struct agent *agent, struct wire_hello *terms, struct error *err)
{
	struct program **programs = make_programs(agent, terms, err);

	if (programs == NULL)
		return -1;
	replace_programs(agent, programs, terms->handler_count);
	resolve_programs(agent);
	if (services_change(agent, err) != 0)
		return -1;
	return pools_change(agent, err);
}

static void open_cgroup(struct cgroup *cgroup)
{
	struct error err;

	if (cgroup_open(cgroup, WIRE_LOCK_FD, &err) == 0)
		log_info("control groups are used", log_text("in", cgroup->path));
	else
		log_info("control groups are not used", log_text("reason", err.text));
}

/* What the first terms alone decide. */
static int begin(struct agent *agent, struct wire_hello *terms, struct error *err)
{
	agent->hello = *terms;
	agent->hello.handlers = NULL;
	agent->hello.handler_count = 0;
	terms->agent = NULL;
	terms->database = NULL;
	agent->shared.kill_grace_ms = agent->hello.kill_grace_ms;
	guard_set_grace(&agent->shared.guard, agent->hello.kill_grace_ms);
	open_cgroup(&agent->shared.cgroup);
	agent->state = AGENT_SERVING;
	return pools_open(agent, err);
}

static void change(struct agent *agent, struct wire_hello *terms)
{
	agent->hello.slots = terms->slots;
	agent->hello.log_level = terms->log_level;
	agent->hello.log_format = terms->log_format;
	if (agent->hello.database == NULL) {
		agent->hello.database = terms->database;
		terms->database = NULL;
	}
}

int terms_take(struct agent *agent, const struct wire_frame *frame, struct error *err)
{
	struct wire_hello terms;
	int status = 0;

	if (agent->state > AGENT_SERVING)
		return 0; /* there is nothing left to change */
	if (wire_read_hello(frame, &terms, err) != 0)
		return -1;
	if (frame->type == WIRE_HELLO)
		status = begin(agent, &terms, err);
	else
		change(agent, &terms);
	log_set_level(agent->hello.log_level);
	log_set_format(agent->hello.log_format);
	if (status == 0)
		status = report_ready(&agent->report, err);
	if (status == 0)
		status = change_handlers(agent, &terms, err);
	wire_hello_fini(&terms);
	return status;
}

void terms_recall(struct agent *agent)
{
	static const char WHY[] = "released: the dispatcher is draining";

	arrivals_release(agent, &agent->roster.waiting, WHY);
	services_recall(agent, WHY);
	pools_recall(agent, WHY);
}
