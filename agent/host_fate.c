#include "agent/host_fate.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/verdict.h"
#include "base/duration.h"

static bool is_ours(const struct host *host)
{
	return host->run->reason == RUN_STOPPED || host->run->reason == RUN_FENCED ||
	       host->run->reason == RUN_HUNG || host->run->reason == RUN_LOST ||
	       host->run->reason == RUN_RETIRED;
}

bool host_fate_is_crash(const struct host *host, const struct errand *running)
{
	if (is_ours(host))
		return false;
	return running != NULL || host->run->exit_code != 0;
}

const char *host_fate_text(const struct host *host, char text[static HOST_FATE_TEXT_SIZE])
{
	const struct run *run = host->run;
	const char *name = run->signal == 0 ? NULL : sigdescr_np(run->signal);

	if (run->signal != 0)
		snprintf(text, HOST_FATE_TEXT_SIZE, "its plugin host was killed by signal %d (%s)",
			 run->signal, name == NULL ? "unknown" : name);
	else
		snprintf(text, HOST_FATE_TEXT_SIZE, "its plugin host exited with code %d",
			 run->exit_code);
	return text;
}

/* The texts of an outcome live in the host's run, whose own error nobody reads. */
static void decide(struct host *host, struct wire_outcome *outcome, enum verdict verdict,
		   const char *error)
{
	snprintf(host->run->error, sizeof(host->run->error), "%s", error);
	outcome->verdict = verdict;
	outcome->error = (struct wire_bytes){ host->run->error,
					      (uint32_t)strlen(host->run->error) };
}

static void judge_hung(struct host *host, const struct errand *errand, struct wire_outcome *outcome)
{
	char timeout[DURATION_TEXT_SIZE];
	char text[HOST_FATE_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s", host->fault == NULL ? "hung" : host->fault);
	if (host->timed_out)
		snprintf(text, sizeof(text), "timed out after %s",
			 duration_text(errand->job.timeout_ms, timeout));
	decide(host, outcome, VERDICT_RETRY, text);
}

/* The one that ran when the host died, or had just ended. */
static void judge_running(struct host *host, const struct errand *errand,
			  struct wire_outcome *outcome)
{
	char text[HOST_FATE_TEXT_SIZE];

	outcome->exit_code = host->run->exit_code;
	outcome->signal = host->run->signal;
	if (host->run->log_length > 0)
		outcome->log = (struct wire_bytes){ host->run->log,
						    (uint32_t)host->run->log_length };
	if (errand->cancelled)
		decide(host, outcome, VERDICT_CANCELLED, VERDICT_TEXT_CANCELLED);
	else if (host->run->reason == RUN_STOPPED)
		decide(host, outcome, VERDICT_INTERRUPTED, VERDICT_TEXT_STOPPED);
	else if (host->run->reason == RUN_FENCED)
		decide(host, outcome, VERDICT_INTERRUPTED, VERDICT_TEXT_FENCED);
	else if (host->run->reason == RUN_HUNG)
		judge_hung(host, errand, outcome);
	else
		decide(host, outcome, VERDICT_RETRY, host_fate_text(host, text));
}

bool host_fate_judge(struct host *host, const struct errand *errand, const struct slate_view *view,
		     struct wire_outcome *outcome)
{
	*outcome = (struct wire_outcome){
		.id = errand->job.id,
		.claim_id = errand->job.claim_id,
		.exit_code = -1,
		.ended_ms = host->run->ended_ms,
		.delay_ms = -1,
	};
	if (errand->number > view->begun) {
		if (errand->cancelled)
			decide(host, outcome, VERDICT_CANCELLED, VERDICT_TEXT_CANCELLED);
		return errand->cancelled;
	}
	outcome->started_ms = view->begun_ms;
	/* The last one is judged the same when it had ended: nothing else was there to kill the host. */
	if (errand->number == view->begun && (view->running || !is_ours(host)))
		judge_running(host, errand, outcome);
	else
		decide(host, outcome, VERDICT_INTERRUPTED,
		       "its outcome was lost with its plugin host");
	return true;
}
