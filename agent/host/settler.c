#include "agent/host/settler.h"

#include "base/clock.h"

enum {
	SNOOZE_MS = 5000,
	LOOK_UP_MS = 5000, /* then the dispatcher's own compare-and-swap finds out */
	LOOK_UP_PAUSE_MS = 50,
};

static struct wire_bytes bytes_or_absent(const char *bytes, size_t length)
{
	if (bytes == NULL || length == 0)
		return (struct wire_bytes){ .bytes = NULL };
	return (struct wire_bytes){ .bytes = bytes, .length = (uint32_t)length };
}

static bool was_cancelled(const struct locum_job *job)
{
	return atomic_load(&job->stop) == LOCUM_JOB_CANCELLED;
}

static void end_undone(struct locum_job *job, const struct error *err)
{
	if (was_cancelled(job))
		locum_job_end(job, VERDICT_CANCELLED, "cancelled on request");
	else if (err->sqlstate[0] == '2' && err->sqlstate[1] == '2')
		locum_job_end(job, VERDICT_FAIL, "the database refused the result: %s", err->text);
	else if (err->kind == ERROR_RETRY && err->sqlstate[0] == '\0')
		locum_job_end(job, VERDICT_INTERRUPTED, "%s", err->text);
	else
		locum_job_end(job, VERDICT_RETRY, "%s%s%s", err->text,
			      err->sqlstate[0] == '\0' ? "" : ", SQLSTATE ", err->sqlstate);
}

void settler_settle(struct settler *settler, struct locum_job *job)
{
	struct gate_claim claim = locum_job_gate_claim(job);
	struct error err = { .kind = ERROR_NONE };

	switch (store_settle(
		settler->store, &claim, bytes_or_absent(job->result, job->result_length),
		bytes_or_absent(job->log, job->log_length), locum_job_ran_ms(job), &err)) {
	case STORE_SETTLED:
		locum_job_end(job, VERDICT_SETTLED, NULL);
		break;
	case STORE_UNDONE:
	case STORE_MISSING:
		end_undone(job, &err);
		break;
	case STORE_LOST:
	case STORE_UNKNOWN:
		settler_look_up(settler, job, &err);
		break;
	case STORE_SPOILT:
		job->delay_ms = 0;
		locum_job_end(job, VERDICT_SNOOZED,
			      "the handler took the host's prepared statements away: %s", err.text);
		break;
	}
}

void settler_undo(struct settler *settler, struct locum_job *job)
{
	store_undo(settler->store);
	job->gate = LOCUM_JOB_GATE_UNUSED;
	job->connection = NULL;
}

static void end_looked_up(struct locum_job *job, enum job_lookup lookup, const struct error *why)
{
	switch (lookup) {
	case JOB_MINE:
		locum_job_end(job, VERDICT_SETTLED, NULL);
		break;
	case JOB_HELD:
		if (why->kind == ERROR_LOST) /* only the handler itself said so */
			locum_job_end(job, VERDICT_RETRY, "%s (SQLSTATE %s)", why->text,
				      why->sqlstate);
		else
			locum_job_end(job, VERDICT_INTERRUPTED, "not completed: %s", why->text);
		break;
	case JOB_LOST:
	case JOB_GONE:
		locum_job_end(job, VERDICT_LOST, NULL);
		break;
	}
}

void settler_look_up(struct settler *settler, struct locum_job *job, const struct error *err)
{
	struct gate_claim claim = locum_job_gate_claim(job);
	int64_t deadline_ms = clock_monotonic_ms() + LOOK_UP_MS;
	struct error failure = { .kind = ERROR_NONE };
	struct job_fate fate;

	do {
		if (store_look_up(settler->store, &claim, &fate, &failure) != 0)
			continue;
		end_looked_up(job, fate.lookup, err);
		return;
	} while (desk_pause(settler->desk, LOOK_UP_PAUSE_MS) && clock_monotonic_ms() < deadline_ms);
	/* Should the commit have happened after all, the dispatcher's completion finds it. */
	locum_job_end(job, VERDICT_INTERRUPTED, "it is unknown whether it was completed: %s",
		      err->text);
}

void settler_snooze(struct catalog_entry *entry, struct locum_job *job, enum error_kind kind,
		    const char *why)
{
	if (kind == ERROR_FATAL) {
		catalog_break(entry, why);
		locum_job_end(job, VERDICT_RELEASED, "released: %s", why);
		return;
	}
	job->delay_ms = SNOOZE_MS;
	locum_job_end(job, VERDICT_SNOOZED, "the database cannot be had: %s", why);
}
