#include "agent/host/plugin.h"

#include "base/duration.h"

static enum locum_job_stop stop_of(struct locum_job *job)
{
	return (enum locum_job_stop)atomic_load(&job->stop);
}

/* Whether the job was told to end; then its verdict is set. */
static bool was_stopped(struct locum_job *job)
{
	switch (stop_of(job)) {
	case LOCUM_JOB_CANCELLED:
		locum_job_end(job, VERDICT_CANCELLED, "cancelled on request");
		return true;
	case LOCUM_JOB_STOPPED:
		locum_job_end(job, VERDICT_INTERRUPTED,
			      "stopped: the plugin host is shutting down");
		return true;
	case LOCUM_JOB_GOES_ON:
	case LOCUM_JOB_TIMED_OUT:
		break;
	}
	return false;
}

static void judge_retry(struct locum_job *job, int returned)
{
	if (was_stopped(job))
		return;
	if (job->error != NULL)
		locum_job_end(job, VERDICT_RETRY, NULL);
	else
		locum_job_end(job, VERDICT_RETRY, "the handler returned %d", returned);
}

static void judge_fail(struct locum_job *job)
{
	if (stop_of(job) == LOCUM_JOB_CANCELLED)
		locum_job_end(job, VERDICT_CANCELLED, "cancelled on request");
	else if (job->error != NULL)
		locum_job_end(job, VERDICT_FAIL, NULL);
	else
		locum_job_end(job, VERDICT_FAIL, "failed for good");
}

static void judge(struct locum_job *job, int returned)
{
	if (returned == LOCUM_DONE)
		locum_job_end(job, VERDICT_DONE, NULL);
	else if (returned == LOCUM_FAIL)
		judge_fail(job);
	else
		judge_retry(job, returned);
}

/* What the handler did through its connection is decided here. Returns whether its own word still counts. */
static bool close_gate(struct catalog_entry *entry, struct locum_job *job, struct settler *settler,
		       bool done)
{
	switch (job->gate) {
	case LOCUM_JOB_GATE_UNUSED:
		return true;
	case LOCUM_JOB_GATE_HELD:
		if (done)
			settler_settle(settler, job);
		else
			settler_undo(settler, job);
		return !done;
	case LOCUM_JOB_GATE_LOST:
		locum_job_end(job, VERDICT_LOST, NULL);
		return false;
	case LOCUM_JOB_GATE_FAILED:
		break;
	}
	/* Whatever the handler says: it did not get what it wanted to do its work with. */
	if (was_stopped(job))
		return false;
	if (job->refusal.sqlstate[0] == '\0')
		settler_snooze(entry, job, job->refusal.kind, job->refusal.text);
	else
		locum_job_end(job, VERDICT_RETRY, "%s (SQLSTATE %s)", job->refusal.text,
			      job->refusal.sqlstate);
	return false;
}

void plugin_run(struct catalog_entry *entry, struct locum_job *job, struct settler *settler)
{
	char timeout[DURATION_TEXT_SIZE];
	int returned = entry->function(job);
	bool timed_out = stop_of(job) == LOCUM_JOB_TIMED_OUT;
	bool counts;

	locum_job_close_log(job);
	counts = close_gate(entry, job, settler, returned == LOCUM_DONE && !timed_out);
	if (job->verdict == VERDICT_LOST)
		return;
	if (timed_out)
		locum_job_end(job, VERDICT_RETRY, "timed out after %s",
			      duration_text(job->wire.timeout_ms, timeout));
	else if (counts)
		judge(job, returned);
}
