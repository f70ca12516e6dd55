#include "agent/host/function.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"

/* What a function may say; any other is tried again. */
#define FAIL_FOR_GOOD "LC002"
#define QUERY_CANCELED "57014"

/* Then the job's retry policy decides. */
enum { CONFLICT_TRIES = 5 };

static void end_cancelled(struct locum_job *job)
{
	char timeout[DURATION_TEXT_SIZE];

	switch ((enum locum_job_stop)atomic_load(&job->stop)) {
	case LOCUM_JOB_CANCELLED:
		locum_job_end(job, VERDICT_CANCELLED, "cancelled on request");
		return;
	case LOCUM_JOB_STOPPED:
		locum_job_end(job, VERDICT_INTERRUPTED,
			      "stopped: the plugin host is shutting down");
		return;
	case LOCUM_JOB_TIMED_OUT:
	case LOCUM_JOB_GOES_ON: /* the server's own clock was quicker */
		break;
	}
	if (job->wire.timeout_ms > 0)
		locum_job_end(job, VERDICT_RETRY, "timed out after %s",
			      duration_text(job->wire.timeout_ms, timeout));
	else
		locum_job_end(job, VERDICT_RETRY, "its statement was cancelled");
}

static void end_undone(struct catalog_entry *entry, struct locum_job *job, const char *detail,
		       const struct error *err)
{
	enum verdict verdict = VERDICT_RETRY;

	if (err->sqlstate[0] == '\0') {
		settler_snooze(entry, job, err->kind, err->text);
		return;
	}
	/* Whatever it makes of its cancellation. */
	if (strcmp(err->sqlstate, QUERY_CANCELED) == 0 ||
	    atomic_load(&job->stop) == LOCUM_JOB_CANCELLED) {
		end_cancelled(job);
		return;
	}
	if (strcmp(err->sqlstate, FAIL_FOR_GOOD) == 0)
		verdict = VERDICT_FAIL;
	if (detail[0] == '\0')
		locum_job_end(job, verdict, "%s (SQLSTATE %s)", err->text, err->sqlstate);
	else
		locum_job_end(job, verdict, "%s (SQLSTATE %s) DETAIL: %s", err->text, err->sqlstate,
			      detail);
}

static void end_missing(struct catalog_entry *entry, struct locum_job *job)
{
	char reason[CATALOG_REASON_SIZE];

	snprintf(reason, sizeof(reason), "there is no function %s(bigint, json)",
		 entry->handler->function);
	catalog_break(entry, reason);
	locum_job_end(job, VERDICT_RELEASED, "released: %s", reason);
}

/* A serialization failure or a deadlock: with other transactions beside it the same call may well succeed. */
static bool is_conflict(const struct error *err)
{
	return strcmp(err->sqlstate, "40001") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

/* Each try takes the gate anew: if the conflict was the job's reassignment, it is lost. */
static enum store_end call(struct catalog_entry *entry, struct locum_job *job,
			   struct settler *settler, struct error *err)
{
	struct gate_claim claim = locum_job_gate_claim(job);
	enum store_end end;
	int tries = 0;

	do
		end = store_call(settler->store, &claim, entry->handler->function,
				 job->wire.payload.bytes, err);
	while (end == STORE_UNDONE && is_conflict(err) && ++tries < CONFLICT_TRIES &&
	       atomic_load(&job->stop) == LOCUM_JOB_GOES_ON);
	return end;
}

void function_run(struct catalog_entry *entry, struct locum_job *job, struct settler *settler)
{
	struct error err = { .kind = ERROR_NONE };

	switch (call(entry, job, settler, &err)) {
	case STORE_SETTLED:
		locum_job_end(job, VERDICT_SETTLED, NULL);
		break;
	case STORE_LOST:
	case STORE_UNKNOWN:
		settler_look_up(settler, job, &err);
		break;
	case STORE_UNDONE:
	case STORE_SPOILT:
		end_undone(entry, job, store_detail(settler->store), &err);
		break;
	case STORE_MISSING:
		end_missing(entry, job);
		break;
	}
}
