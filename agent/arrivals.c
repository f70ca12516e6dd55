#include "agent/arrivals.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"

int arrivals_take(struct agent *agent, struct arrival_list *line, struct program *program,
		  const struct wire_job *job, struct wire_bytes entry, struct error *err)
{
	struct arrival *arrival = arrival_make(program, job, entry, err);

	if (arrival == NULL)
		return -1;
	roster_line_up(&agent->roster, line, arrival);
	return 0;
}

struct run *arrivals_begin(struct agent *agent, struct arrival_list *line)
{
	struct arrival *arrival = TAILQ_FIRST(line);
	struct error err;
	struct run *run = run_make(&agent->shared, arrival, &err);

	if (run == NULL)
		arrivals_end(agent, line, arrival, VERDICT_RELEASED, err.text);
	else
		roster_take_out(&agent->roster, line, arrival);
	return run;
}

void arrivals_report(struct agent *agent, const struct wire_job *job, enum verdict verdict,
		     const char *why)
{
	struct wire_outcome outcome = {
		.id = job->id,
		.claim_id = job->claim_id,
		.verdict = verdict,
		.exit_code = -1,
		.ended_ms = clock_boottime_ms(),
		.delay_ms = -1,
		.error = { why, (uint32_t)strlen(why) },
	};
	struct error err;

	if (wire_write_outcome(&agent->channel.out, &outcome, 1, &err) == 0)
		return;
	log_error("cannot report to the dispatcher", log_err(&err));
	agent_end(agent, EX_SOFTWARE);
}

void arrivals_end(struct agent *agent, struct arrival_list *line, struct arrival *arrival,
		  enum verdict verdict, const char *why)
{
	struct wire_job job = arrival_job(arrival);

	arrivals_report(agent, &job, verdict, why);
	arrivals_drop(agent, line, arrival);
}

void arrivals_drop(struct agent *agent, struct arrival_list *line, struct arrival *arrival)
{
	roster_take_out(&agent->roster, line, arrival);
	arrival_free(arrival);
}

void arrivals_release(struct agent *agent, struct arrival_list *line, const char *why)
{
	struct arrival *arrival;

	while ((arrival = TAILQ_FIRST(line)) != NULL)
		arrivals_end(agent, line, arrival, VERDICT_RELEASED, why);
}
