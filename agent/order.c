#include "agent/order.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/arrivals.h"
#include "agent/former.h"
#include "agent/guest.h"
#include "agent/pools.h"
#include "agent/service.h"
#include "agent/services.h"
#include "agent/terms.h"
#include "agent/verdict.h"
#include "base/log.h"

/* What may wait; more is handed back. The dispatcher sends no more than it expects to run soon. */
enum { WAITING_JOBS_MAX = 16384, WAITING_BYTES_MAX = 64 * 1024 * 1024 };

static void fail(struct agent *agent, const struct error *err, int exit_status)
{
	log_error("cannot go on with this dispatcher", log_text("agent", agent->hello.agent),
		  log_err(err));
	agent_end(agent, exit_status);
}

/* --- handlers ---------------------------------------------------------------------------------- */

void order_break(struct agent *agent, struct program *program, const char *reason)
{
	struct arrival_list *waiting = &agent->roster.waiting;
	struct arrival *arrival;
	struct arrival *next;
	struct error err;

	program->broken = true;
	if (program->retired)
		return; /* its name may be that of another, which works */
	log_warning("handler cannot be executed here", log_text("handler", program->handler->name),
		    log_text("reason", reason));
	if (report_broken(&agent->report, program, reason, &err) != 0)
		fail(agent, &err, EX_SOFTWARE);
	for (arrival = TAILQ_FIRST(waiting); arrival != NULL; arrival = next) {
		next = TAILQ_NEXT(arrival, link);
		if (arrival->program == program)
			arrivals_end(agent, waiting, arrival, VERDICT_RELEASED, reason);
	}
}

void order_mend(struct agent *agent, struct program *program)
{
	struct error err;

	program->broken = false;
	log_info("handler works again", log_text("handler", program->handler->name));
	if (report_mended(&agent->report, program, &err) != 0)
		fail(agent, &err, EX_SOFTWARE);
}

/* --- RUN --------------------------------------------------------------------------------------- */

static bool names(struct wire_bytes bytes, const char *name)
{
	return bytes.length == strlen(name) && memcmp(bytes.bytes, name, bytes.length) == 0;
}

static struct program *find_program(struct agent *agent, struct wire_bytes name)
{
	for (size_t i = 0; i < agent->program_count; i++) {
		if (names(name, agent->programs[i]->handler->name))
			return agent->programs[i];
	}
	return NULL;
}

/* Returns why a job cannot wait here, or NULL. */
static const char *refusal(const struct agent *agent, const struct program *program)
{
	if (agent->state != AGENT_SERVING)
		return "released: the agent is stopping";
	if (program == NULL)
		return "released: the agent does not know this handler";
	if (program->broken)
		return "released: the handler cannot be executed here";
	if (agent->roster.waiting_count + pools_waiting(agent) >= WAITING_JOBS_MAX ||
	    agent->roster.waiting_bytes + pools_waiting_bytes(agent) >= WAITING_BYTES_MAX)
		return "released: too many jobs wait here";
	return NULL;
}

static int accept_job(struct agent *agent, const struct wire_job *job, struct wire_bytes entry,
		      struct error *err)
{
	struct program *program = find_program(agent, job->handler);
	const char *why = refusal(agent, program);
	struct arrival_list *line = &agent->roster.waiting;

	if (why != NULL) {
		arrivals_report(agent, job, VERDICT_RELEASED, why);
		return 0;
	}
	if (pools_serve(program))
		return pools_take(agent, program, job, err);
	if (program->handler->kind == HANDLER_SERVICE)
		line = &services_of(agent, program)->waiting;
	return arrivals_take(agent, line, program, job, entry, err);
}

static void run_jobs(struct agent *agent, const struct wire_frame *frame)
{
	struct wire_job job;
	struct error err;
	size_t at = 0;
	int got;

	/* The life of what came is seen by now: it was written before the frame. */
	guard_check(&agent->shared.guard);
	for (size_t from = 0; (got = wire_read_run(frame, &at, &job, &err)) == 1; from = at) {
		struct wire_bytes entry = { frame->body.bytes + from, (uint32_t)(at - from) };

		if (former_has(agent, &job))
			continue;
		if (accept_job(agent, &job, entry, &err) != 0) {
			got = -1;
			break;
		}
	}
	if (got < 0)
		fail(agent, &err, EX_SOFTWARE);
}

/* --- CANCEL ------------------------------------------------------------------------------------ */

static void cancel_arrival(struct agent *agent, struct arrival_list *line, struct arrival *arrival,
			   enum wire_cancel_reason reason)
{
	switch (reason) {
	case WIRE_CANCEL_REQUESTED:
		arrivals_end(agent, line, arrival, VERDICT_CANCELLED, VERDICT_TEXT_CANCELLED);
		break;
	case WIRE_CANCEL_LOST:
		arrivals_drop(agent, line, arrival);
		break;
	case WIRE_CANCEL_RECALL:
		arrivals_end(agent, line, arrival, VERDICT_RELEASED, VERDICT_TEXT_RECALLED);
		break;
	}
}

/* Returns whether the job waited in this line. */
static bool cancel_in(struct agent *agent, struct arrival_list *line,
		      const struct wire_cancel *cancel)
{
	struct arrival *arrival = arrival_find(line, cancel->id, cancel->claim_id);

	if (arrival == NULL)
		return false;
	cancel_arrival(agent, line, arrival, cancel->reason);
	return true;
}

static bool cancel_waiting(struct agent *agent, const struct wire_cancel *cancel)
{
	bool found = cancel_in(agent, &agent->roster.waiting, cancel);

	for (struct service *service = agent->services; service != NULL && !found;
	     service = service->next)
		found = cancel_in(agent, &service->waiting, cancel);
	return found;
}

/* A job that was lost dies alone if it listens: its neighbours are not. */
static void cancel_guest(struct agent *agent, struct run *run, enum wire_cancel_reason reason)
{
	switch (reason) {
	case WIRE_CANCEL_REQUESTED:
		guest_terminate(run, RUN_CANCELLED, agent->shared.kill_grace_ms);
		break;
	case WIRE_CANCEL_LOST:
		guest_terminate(run, RUN_LOST, agent->shared.kill_grace_ms);
		break;
	case WIRE_CANCEL_RECALL:
		break;
	}
}

static void cancel_one(struct agent *agent, const struct wire_cancel *cancel)
{
	struct run *run = roster_by_claim(&agent->roster, cancel->id, cancel->claim_id);

	if (run == NULL) {
		if (!cancel_waiting(agent, cancel))
			pools_cancel(agent, cancel);
		return;
	}
	if (run->role == RUN_GUEST) {
		cancel_guest(agent, run, cancel->reason);
		return;
	}
	switch (cancel->reason) {
	case WIRE_CANCEL_REQUESTED:
		run_terminate(run, RUN_CANCELLED, agent->shared.kill_grace_ms);
		break;
	case WIRE_CANCEL_LOST:
		run_kill(run, RUN_LOST);
		break;
	case WIRE_CANCEL_RECALL:
		break;
	}
}

static void cancel_jobs(struct agent *agent, const struct wire_frame *frame)
{
	struct wire_cancel cancel;
	struct error err;
	size_t at = 0;
	int got;

	while ((got = wire_read_cancel(frame, &at, &cancel, &err)) == 1)
		cancel_one(agent, &cancel);
	if (got < 0)
		fail(agent, &err, EX_SOFTWARE);
}

/* --- STOP -------------------------------------------------------------------------------------- */

static void stop(struct agent *agent, const struct wire_frame *frame)
{
	bool again = agent->state == AGENT_STOPPING;
	struct wire_stop order;
	struct error err;
	struct run *run;

	if (wire_read_stop(frame, &order, &err) != 0) {
		fail(agent, &err, EX_SOFTWARE);
		return;
	}
	log_info("stopping", log_text("agent", agent->hello.agent),
		 log_number("running", (int64_t)roster_busy(&agent->roster)),
		 log_number("grace_ms", order.grace_ms));
	agent->state = AGENT_STOPPING;
	arrivals_release(agent, &agent->roster.waiting, "released: the agent is stopping");
	for (run = TAILQ_FIRST(&agent->roster.running); run != NULL; run = TAILQ_NEXT(run, link)) {
		if (run->role != RUN_SERVER && again) /* somebody is in a hurry */
			run_kill(run, RUN_STOPPED);
		else if (run->role != RUN_SERVER)
			run_terminate(run, RUN_STOPPED, order.grace_ms);
	}
	services_stop(agent, order.grace_ms);
	pools_stop(agent);
}

/* --- HELLO, RELOAD, RECALL --------------------------------------------------------------------- */

static void take_terms(struct agent *agent, const struct wire_frame *frame)
{
	struct error err;

	if (terms_take(agent, frame, &err) != 0)
		fail(agent, &err, frame->type == WIRE_HELLO ? EX_CONFIG : EX_SOFTWARE);
}

static void refuse(struct agent *agent)
{
	struct error err;

	error_set(&err, ERROR_FATAL, "the dispatcher sent a frame that is not its to send");
	fail(agent, &err, EX_PROTOCOL);
}

void order_obey(struct agent *agent, const struct wire_frame *frame)
{
	if ((frame->type == WIRE_HELLO) != (agent->state == AGENT_EXPECTING)) {
		refuse(agent);
		return;
	}
	switch (frame->type) {
	case WIRE_HELLO:
	case WIRE_RELOAD:
		take_terms(agent, frame);
		break;
	case WIRE_RECALL:
		terms_recall(agent);
		break;
	case WIRE_RUN:
		run_jobs(agent, frame);
		break;
	case WIRE_CANCEL:
		cancel_jobs(agent, frame);
		break;
	case WIRE_STOP:
		stop(agent, frame);
		break;
	case WIRE_READY:
	case WIRE_STARTED:
	case WIRE_OUTCOME:
	case WIRE_BROKEN:
	case WIRE_MENDED:
	case WIRE_NOTE:
		refuse(agent);
		break;
	}
}
