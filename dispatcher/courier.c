#include "dispatcher/courier.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "db/conninfo.h"
#include "dispatcher/config_agent.h"
#include "dispatcher/recall.h"

/* As much as fits, with a NUL behind it. */
static void copy_text(struct wire_bytes bytes, char *text, size_t size)
{
	size_t length = bytes.length < size ? bytes.length : size - 1;

	memcpy(text, bytes.bytes, length);
	text[length] = '\0';
}

/* What an agent says of a handler before it has answered is about one that may be gone. */
static bool is_stale(const struct pump *pump, int agent)
{
	return pump->links[agent].awaited > 0;
}

/* Its jobs are claimed again, from the head. */
static void take_mended(struct pump *pump, int agent, const struct wire_frame *frame)
{
	struct error err = { ERROR_NONE, "", "" };
	struct wire_mended mended;
	char handler[LIMIT_NAME_BYTES + 1] = "";

	if (is_stale(pump, agent))
		return;
	if (wire_read_mended(frame, &mended, &err) != 0) {
		log_error("a frame of the agent cannot be read", log_err(&err));
		return;
	}
	if (!claimer_mend(pump->claimers[agent], mended.handler.bytes, mended.handler.length))
		return;
	copy_text(mended.handler, handler, sizeof(handler));
	log_info("handler works again", log_text("handler", handler),
		 log_text("agent", pump->options.config->agents[agent].name));
	pump->agents_dirty = true;
}

static void say_broken(struct pump *pump, int agent, const struct wire_frame *frame)
{
	const struct config_agent *section = &pump->options.config->agents[agent];
	struct error err = { ERROR_NONE, "", "" };
	struct wire_broken broken;
	char handler[LIMIT_NAME_BYTES + 1] = "";
	char reason[512] = "";

	if (is_stale(pump, agent))
		return;
	if (wire_read_broken(frame, &broken, &err) != 0) {
		log_error("a frame of the agent cannot be read", log_err(&err));
		return;
	}
	if (!claimer_break(pump->claimers[agent], broken.handler.bytes, broken.handler.length))
		return;
	copy_text(broken.handler, handler, sizeof(handler));
	copy_text(broken.reason, reason, sizeof(reason));
	log_error("handler cannot be executed here; its jobs are left to others",
		  log_text("handler", handler), log_text("agent", section->name),
		  log_text("reason", reason));
	pump->agents_dirty = true;
}

static void take_ready(struct pump *pump, int agent, const struct wire_frame *frame)
{
	const char *name = pump->options.config->agents[agent].name;
	struct link *link = &pump->links[agent];
	struct error err = { ERROR_NONE, "", "" };
	struct wire_ready ready;

	if (wire_read_ready(frame, &ready, &err) != 0 || ready.protocol != WIRE_PROTOCOL) {
		log_error("the agent speaks another protocol", log_text("agent", name));
		return;
	}
	if (!link->greeted)
		log_info("agent ready", log_text("agent", name), log_number("pid", ready.pid));
	link->greeted = true;
	pinger_met(pump->options.pinger);
	if (link->awaited > 0)
		link->awaited--;
	claimer_wake(pump->claimers[agent]);
}

static int take_started(struct pump *pump, const struct wire_frame *frame, struct error *err)
{
	struct wire_started started;
	size_t at = 0;
	int more;

	while ((more = wire_read_started(frame, &at, &started, err)) == 1) {
		struct holding *holding = ledger_find(pump->ledger, started.id, started.claim_id);

		if (holding == NULL)
			continue;
		holding->started_ms = started.started_ms;
		ledger_advance(pump->ledger, holding, HOLDING_STARTED);
	}
	return more;
}

void courier_forget(struct pump *pump, struct holding *holding, const struct error *err)
{
	log_error("an outcome is lost, and its job runs again", log_number("job", holding->id),
		  log_err(err));
	ledger_drop(pump->ledger, holding);
	pump->reconcile = true;
}

/* The run's own transaction has decided: there is nothing for the database to accept. */
static void take_settled(struct pump *pump, struct holding *holding)
{
	pump->counts.completed++;
	trace_settled(pump->options.trace, holding);
	log_debug("job completed", log_number("job", holding->id));
	recent_add(pump->recent, holding);
	ledger_drop(pump->ledger, holding);
}

static void take_outcome(struct pump *pump, struct holding *holding,
			 const struct wire_outcome *outcome)
{
	struct error err = { ERROR_NONE, "", "" };

	PROBE(outcome_taken);
	if (outcome->verdict == VERDICT_SETTLED) {
		take_settled(pump, holding);
		return;
	}
	if (outcome->verdict == VERDICT_LOST) {
		ledger_advance(pump->ledger, holding, HOLDING_ENDED);
		courier_lose(pump, holding, "its claim was gone when its own transaction began");
		return;
	}
	if (outbox_add(pump->outbox, holding, outcome, &err) != 0) {
		courier_forget(pump, holding, &err);
		return;
	}
	ledger_advance(pump->ledger, holding, HOLDING_ENDED);
}

static int take_outcomes(struct pump *pump, int agent, const struct wire_frame *frame,
			 struct error *err)
{
	struct wire_outcome outcome;
	size_t at = 0;
	int more;

	while ((more = wire_read_outcome(frame, &at, &outcome, err)) == 1) {
		struct holding *holding = ledger_find(pump->ledger, outcome.id, outcome.claim_id);

		if (holding == NULL || holding->stage == HOLDING_ENDED)
			continue;
		if (outcome.started_ms > 0 && outcome.verdict != VERDICT_INTERRUPTED)
			claimer_measure(pump->claimers[agent],
					outcome.ended_ms - outcome.started_ms);
		if (outcome.verdict == VERDICT_RELEASED && holding->recalled)
			pump->due_due_ms = 0; /* the sweep ends it at once */
		else if (outcome.verdict == VERDICT_RELEASED)
			claimer_hold(pump->claimers[agent], clock_monotonic_ms());
		take_outcome(pump, holding, &outcome);
	}
	return more;
}

static int take_frame(struct pump *pump, int agent, const struct wire_frame *frame,
		      struct error *err)
{
	switch (frame->type) {
	case WIRE_READY:
		take_ready(pump, agent, frame);
		return 0;
	case WIRE_STARTED:
		return take_started(pump, frame, err);
	case WIRE_NOTE:
		return notes_take(&pump->notes, pump->ledger, frame, err);
	case WIRE_OUTCOME:
		return take_outcomes(pump, agent, frame, err);
	case WIRE_BROKEN:
		say_broken(pump, agent, frame);
		return 0;
	case WIRE_MENDED:
		take_mended(pump, agent, frame);
		return 0;
	case WIRE_HELLO:
	case WIRE_RUN:
	case WIRE_CANCEL:
	case WIRE_STOP:
	case WIRE_RELOAD:
	case WIRE_RECALL:
		break;
	}
	return error_set(err, ERROR_FATAL, "frame of type %d", (int)frame->type);
}

static void take_frames(struct pump *pump, int agent)
{
	struct link *link = &pump->links[agent];
	struct error err = { ERROR_NONE, "", "" };
	struct wire_frame frame;
	int found;

	while ((found = wire_next(&link->in, &frame, &err)) == 1) {
		if (take_frame(pump, agent, &frame, &err) < 0)
			log_error("a frame of the agent cannot be taken", log_err(&err));
		wire_done(&link->in, &frame);
	}
	if (found < 0) {
		log_error("the agent's socket is out of step", log_err(&err));
		link_close(link); /* the agent sees the end and goes; main starts another */
	}
}

void courier_receive(struct pump *pump, int agent)
{
	struct link *link = &pump->links[agent];
	struct error err = { ERROR_NONE, "", "" };
	int more;

	do {
		more = link_fill(link, &err);
		take_frames(pump, agent);
	} while (more == 1);
	/* Its process ends soon, or has: main will tell. Nothing is to be read any more. */
	if (more < 0)
		link_close(link);
}

/* Only an agent with handlers that need it gets to know how the database is reached. */
static int tell_database(const struct config *config, const struct config_agent *section,
			 struct wire_hello *hello, struct error *err)
{
	bool own = config->host_database != NULL && config->host_database[0] != '\0';

	for (int i = 0; i < section->handler_count && hello->database == NULL; i++) {
		enum handler_kind kind = config->handlers[section->handlers[i]].kind;

		if (kind != HANDLER_PLUGIN && kind != HANDLER_SQL)
			continue;
		hello->database = conninfo_resolve(own ? config->host_database : config->database,
						   err);
		if (hello->database == NULL)
			return -1;
	}
	return 0;
}

/* Its section's handlers, each with the user that it runs as; they borrow from the configuration. */
static struct handler *list_handlers(const struct config *config,
				     const struct config_agent *section)
{
	struct handler *handlers = calloc((size_t)section->handler_count + 1, sizeof(*handlers));

	for (int i = 0; handlers != NULL && i < section->handler_count; i++) {
		handlers[i] = config->handlers[section->handlers[i]];
		if (handlers[i].user == NULL)
			handlers[i].user = section->user;
	}
	return handlers;
}

typedef int write_terms(struct buffer *out, const struct wire_hello *terms, struct error *err);

static int tell(struct pump *pump, int agent, write_terms *write, struct error *err)
{
	const struct config *config = pump->options.config;
	const struct config_agent *section = &config->agents[agent];
	struct handler *handlers = list_handlers(config, section);
	struct wire_hello terms = {
		.agent = section->name,
		.slots = (uint32_t)section->size,
		.kill_grace_ms = config->kill_grace_ms,
		.handler_count = (uint32_t)section->handler_count,
		.handlers = handlers,
	};
	int status;

	if (handlers == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	log_level_read(config->log_level, &terms.log_level);
	log_format_read(config->log_format, &terms.log_format);
	status = tell_database(config, section, &terms, err);
	if (status == 0)
		status = write(&pump->links[agent].out, &terms, err);
	free(terms.database);
	free(handlers);
	if (status == 0)
		pump->links[agent].awaited++;
	return status;
}

void courier_meet(struct pump *pump, int agent, int fd)
{
	struct error err = { ERROR_NONE, "", "" };

	link_open(&pump->links[agent], fd);
	if (tell(pump, agent, wire_write_hello, &err) != 0) {
		log_error("the agent cannot be greeted", log_err(&err));
		link_close(&pump->links[agent]); /* it goes, and another one comes */
	}
	courier_flush(pump);
}

void courier_reload(struct pump *pump, int agent)
{
	struct error err = { ERROR_NONE, "", "" };

	if (pump->links[agent].fd < 0 || tell(pump, agent, wire_write_reload, &err) == 0)
		return;
	log_error("the agent cannot be told of its configuration", log_err(&err));
	link_close(&pump->links[agent]); /* it goes, and another one comes */
}

void courier_flush(struct pump *pump)
{
	struct error err = { ERROR_NONE, "", "" };

	for (int i = 0; i < pump->agent_count; i++)
		if (link_flush(&pump->links[i], &err) != 0)
			link_close(&pump->links[i]);
}

static const char *queue_name(const struct pump *pump, int agent, int queue_id)
{
	return claimer_queue_name(pump->claimers[agent], queue_id);
}

static struct wire_bytes bytes_of(const char *text)
{
	return (struct wire_bytes){ text, text == NULL ? 0 : (uint32_t)strlen(text) };
}

static int enter(struct pump *pump, int agent, struct uuid claim_id, const struct job_claimed *job,
		 struct wire_job *wire, struct error *err)
{
	struct holding holding = {
		.id = job->id,
		.claim_id = claim_id,
		.claim_seq = job->claim_seq,
		.agent = (short)agent,
		.handler = (short)config_agent_handler(pump->options.config, agent, job->handler),
		.place = job->place,
		.queue_id = job->queue_id,
		.stage = HOLDING_SENT,
		.attempt = (short)(job->attempt + 1),
		.max_attempts = (short)job->max_attempts,
		.recoveries = (short)job->recoveries,
		.retries = job->retries_when_interrupted,
		.written = job->recoveries > 0 || !job->retries_when_interrupted,
	};

	/* What was written as started counts as started, whatever the agent gets to say. */
	if (holding.written)
		holding.started_ms = clock_boottime_ms();
	recall_plan(pump, &holding, job->expires_in_ms);
	*wire = (struct wire_job){
		.id = job->id,
		.claim_id = claim_id,
		.claim_seq = job->claim_seq,
		.life = pump->life,
		.attempt = holding.attempt,
		.timeout_ms = job->timeout_ms,
		.queue = bytes_of(queue_name(pump, agent, job->queue_id)),
		.handler = bytes_of(job->handler),
		.payload = { job->payload, (uint32_t)job->payload_length },
		.traceparent = bytes_of(job->traceparent),
		.checkpoint = bytes_of(job->checkpoint),
	};
	if (ledger_add(pump->ledger, &holding) == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a claimed job");
	return 0;
}

int courier_send(struct pump *pump, int agent, struct uuid claim_id, const struct job_claimed *jobs,
		 size_t count, struct error *err)
{
	struct wire_job *wires = calloc(count + 1, sizeof(*wires));
	size_t entered = 0;
	int status = -1;

	if (wires == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for claimed jobs");
	while (entered < count) {
		if (enter(pump, agent, claim_id, &jobs[entered], &wires[entered], err) != 0)
			goto out;
		entered++;
	}
	if (count > 0 && wire_write_run(&pump->links[agent].out, wires, count, err) != 0)
		goto out;
	trace_begin(pump->options.trace, claim_id, jobs, count);
	status = 0;
out:
	for (size_t i = 0; status != 0 && i < entered; i++)
		ledger_drop(pump->ledger, ledger_find(pump->ledger, jobs[i].id, claim_id));
	free(wires);
	return status;
}

void courier_cancel(struct pump *pump, const struct holding *holding,
		    enum wire_cancel_reason reason)
{
	struct wire_cancel cancel = { holding->id, holding->claim_id, reason };
	struct error err = { ERROR_NONE, "", "" };

	if (pump->links[holding->agent].fd >= 0 &&
	    wire_write_cancel(&pump->links[holding->agent].out, &cancel, 1, &err) != 0)
		log_error("a job cannot be cancelled", log_number("job", holding->id),
			  log_err(&err));
}

void courier_recall(struct pump *pump)
{
	struct error err = { ERROR_NONE, "", "" };

	for (int i = 0; i < pump->agent_count; i++)
		if (pump->links[i].fd >= 0 && wire_write_recall(&pump->links[i].out, &err) != 0)
			log_error("jobs cannot be called back", log_err(&err));
}

void courier_dismiss(struct pump *pump)
{
	struct wire_stop stop = { 0 };
	struct error err = { ERROR_NONE, "", "" };

	for (int i = 0; i < pump->agent_count; i++) {
		struct link *link = &pump->links[i];

		if (!pump->options.config->agents[i].leaving || link->stopping || link->fd < 0 ||
		    link->awaited > 0 || ledger_load(pump->ledger, i) > 0)
			continue;
		link->stopping = true;
		if (wire_write_stop(&link->out, &stop, &err) != 0)
			link_close(link); /* it goes all the same */
	}
}

void courier_stop(struct pump *pump, int64_t grace_ms)
{
	struct wire_stop stop = { grace_ms };
	struct error err = { ERROR_NONE, "", "" };

	for (int i = 0; i < pump->agent_count; i++)
		if (pump->links[i].fd >= 0 &&
		    wire_write_stop(&pump->links[i].out, &stop, &err) != 0)
			log_error("an agent cannot be stopped", log_err(&err));
}

void courier_lose(struct pump *pump, struct holding *holding, const char *cause)
{
	log_error("job was reassigned", log_number("job", holding->id),
		  log_number("claim_seq", holding->claim_seq), log_text("likely_cause", cause));
	trace_reassigned(pump->options.trace, holding->id, holding->claim_id);
	pump->counts.reassigned++;
	if (holding->stage != HOLDING_ENDED)
		courier_cancel(pump, holding, WIRE_CANCEL_LOST);
	ledger_drop(pump->ledger, holding);
}
