#include "agent/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guest_note.h"
#include "base/limits.h"
#include "base/probe.h"

enum { STARTED_BYTES_MAX = LIMIT_AGENT_SIZE * (int)sizeof(struct wire_started) };

void report_init(struct report *report, struct guest_note_list *notes, struct buffer *out)
{
	report->notes = notes;
	report->out = out;
	buffer_init(&report->started, STARTED_BYTES_MAX);
}

void report_fini(struct report *report)
{
	buffer_free(&report->started);
}

int report_ready(struct report *report, struct error *err)
{
	struct wire_ready ready = { .protocol = WIRE_PROTOCOL, .pid = getpid() };

	return wire_write_ready(report->out, &ready, err);
}

static struct wire_bytes text(const char *string)
{
	return (struct wire_bytes){ .bytes = string, .length = (uint32_t)strlen(string) };
}

int report_broken(struct report *report, const struct program *program, const char *reason,
		  struct error *err)
{
	struct wire_broken broken = {
		.handler = text(program->handler->name),
		.reason = text(reason),
	};

	return wire_write_broken(report->out, &broken, err);
}

int report_mended(struct report *report, const struct program *program, struct error *err)
{
	struct wire_mended mended = { .handler = text(program->handler->name) };

	return wire_write_mended(report->out, &mended, err);
}

int report_start(struct report *report, const struct run *run, struct error *err)
{
	struct wire_started started = {
		.id = run->job.id,
		.claim_id = run->job.claim_id,
		.started_ms = run->started_ms,
	};

	return buffer_append(&report->started, &started, sizeof(started), err);
}

int report_starts(struct report *report, struct error *err)
{
	size_t count = buffer_length(&report->started) / sizeof(struct wire_started);
	int status;

	if (count == 0)
		return 0;
	status = wire_write_started(report->out, (const void *)buffer_bytes(&report->started),
				    count, err);
	buffer_consume(&report->started, buffer_length(&report->started));
	return status;
}

/* Fills outcomes with those that somebody wants. */
static size_t collect(const struct roster *roster, struct wire_outcome *outcomes)
{
	const struct run *run;
	size_t count = 0;

	for (run = TAILQ_FIRST(&roster->done); run != NULL; run = TAILQ_NEXT(run, link)) {
		if (run->reason != RUN_LOST && !run_is_process(run))
			run_outcome(run, &outcomes[count++]);
	}
	return count;
}

static int write_outcomes(struct report *report, const struct roster *roster, struct error *err)
{
	struct wire_outcome *outcomes;
	size_t count;
	int status = 0;

	if (roster->done_count == 0)
		return 0;
	outcomes = calloc(roster->done_count, sizeof(*outcomes));
	if (outcomes == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for outcomes");
	count = collect(roster, outcomes);
	if (count > 0)
		PROBE(outcome_known);
	if (count > 0)
		status = wire_write_outcome(report->out, outcomes, count, err);
	free(outcomes);
	return status;
}

int report_turn(struct report *report, struct roster *roster, struct error *err)
{
	struct run *run;

	if (report_starts(report, err) != 0 ||
	    guest_note_report(report->notes, report->out, err) != 0 ||
	    write_outcomes(report, roster, err) != 0)
		return -1;
	while ((run = TAILQ_FIRST(&roster->done)) != NULL) {
		roster_remove(roster, run);
		run_free(run);
	}
	return 0;
}
