#include "dispatcher/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fence.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/rows.h"

enum { RECORD_BYTES_MAX = 1 << 20 };

/* The longest record, of a full completion, is a line that every reader takes. */
_Static_assert(LIMIT_COMPLETION_JOBS * 96 < RECORD_BYTES_MAX, "a completion is one record");
_Static_assert(LIMIT_CLAIM_BATCH * 48 < RECORD_BYTES_MAX, "a claim is one record");

struct trace {
	int fd;
	int64_t pings;       /* the pinger's */
	struct uuid fallen;  /* the pinger's: whose fence fell and was written */
	atomic_bool failing; /* as the log says */
};

/* A line that is being put together. file is NULL when memory ended. */
struct record {
	FILE *file;
	char *text;
	size_t size;
};

static void add(struct record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct record *record, const char *format, ...)
{
	va_list list;

	if (record->file == NULL)
		return;
	va_start(list, format);
	vfprintf(record->file, format, list);
	va_end(list);
}

static void add_uuid(struct record *record, struct uuid uuid)
{
	char text[UUID_TEXT_SIZE];

	add(record, " %s", uuid_text(uuid, text));
}

static void begin(struct record *record, const char *kind)
{
	record->file = open_memstream(&record->text, &record->size);
	add(record, "%lld %s", (long long)clock_monotonic_us(), kind);
}

/* Once per trouble, not per record. */
static void say_failure(struct trace *trace, bool failed, int number)
{
	struct error err = { ERROR_NONE, "", "" };

	if (atomic_exchange(&trace->failing, failed) == failed || !failed)
		return;
	error_set_errno(&err, ERROR_RETRY, number, "a record cannot be written");
	log_warning("the trace has gaps", log_err(&err));
}

static void end(struct trace *trace, struct record *record)
{
	ssize_t written = -1;

	add(record, "\n");
	if (record->file == NULL) {
		say_failure(trace, true, ENOMEM);
		return;
	}
	if (fclose(record->file) != 0) {
		say_failure(trace, true, ENOMEM);
	} else {
		errno = ENOSPC; /* what is written in part did not fit */
		written = write(trace->fd, record->text, record->size);
		say_failure(trace, written != (ssize_t)record->size, errno);
	}
	free(record->text);
}

/* A record of one or two UUIDs. */
static void write_uuids(struct trace *trace, const char *kind, const struct uuid *uuids,
			size_t count)
{
	struct record record;

	begin(&record, kind);
	for (size_t i = 0; i < count; i++)
		add_uuid(&record, uuids[i]);
	end(trace, &record);
}

int trace_open(struct trace **trace, const char *path, struct error *err)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct trace *opened;
	struct stat about;

	*trace = NULL;
	if (path[0] == '\0')
		return 0;
	opened = calloc(1, sizeof(*opened));
	if (opened == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	opened->fd = open(path, flags, S_IRUSR | S_IWUSR);
	if (opened->fd < 0) {
		error_set_errno(err, ERROR_FATAL, errno, "cannot open trace_file %s", path);
		goto fail;
	}
	if (fstat(opened->fd, &about) != 0 || !S_ISREG(about.st_mode)) {
		error_set(err, ERROR_FATAL, "trace_file %s is not a regular file", path);
		goto fail;
	}
	*trace = opened;
	return 0;
fail:
	trace_close(opened);
	return -1;
}

void trace_close(struct trace *trace)
{
	if (trace == NULL)
		return;
	if (trace->fd >= 0)
		close(trace->fd);
	free(trace);
}

/* --- the pinger's thread ------------------------------------------------------------------------ */

void trace_register(struct trace *trace, struct uuid incarnation, struct uuid dispatcher)
{
	struct record record;

	if (trace == NULL)
		return;
	begin(&record, "register");
	add_uuid(&record, incarnation);
	add_uuid(&record, dispatcher);
	add(&record, " %d", (int)getpid());
	end(trace, &record);
}

static void write_ping(struct trace *trace, const char *kind)
{
	struct record record;

	begin(&record, kind);
	add(&record, " %lld", (long long)trace->pings);
	end(trace, &record);
}

void trace_ping(struct trace *trace)
{
	if (trace == NULL)
		return;
	trace->pings++;
	write_ping(trace, "ping");
}

void trace_acked(struct trace *trace, struct uuid incarnation, int64_t deadline_ms)
{
	if (trace == NULL)
		return;
	trace_fence(trace, incarnation, deadline_ms);
	trace->fallen = (struct uuid){ { 0 } };
	write_ping(trace, "acked");
}

static void write_fence(struct trace *trace, struct uuid incarnation)
{
	if (uuid_same(trace->fallen, incarnation))
		return;
	trace->fallen = incarnation;
	write_uuids(trace, "fence", &incarnation, 1);
}

void trace_fence(struct trace *trace, struct uuid incarnation, int64_t deadline_ms)
{
	if (trace == NULL || deadline_ms == FENCE_DOWN || clock_boottime_ms() < deadline_ms)
		return;
	write_fence(trace, incarnation);
}

void trace_dead(struct trace *trace, struct uuid incarnation)
{
	if (trace == NULL)
		return;
	write_fence(trace, incarnation);
	write_uuids(trace, "dead", &incarnation, 1);
}

void trace_stop(struct trace *trace, struct uuid incarnation)
{
	if (trace != NULL)
		write_uuids(trace, "stop", &incarnation, 1);
}

/* --- the pump's thread -------------------------------------------------------------------------- */

void trace_claim(struct trace *trace, struct uuid incarnation, struct uuid claim_id,
		 const struct job_claimed *jobs, size_t count)
{
	struct record record;

	if (trace == NULL || count == 0)
		return;
	begin(&record, "claim");
	add_uuid(&record, incarnation);
	add_uuid(&record, claim_id);
	for (size_t i = 0; i < count; i++)
		add(&record, " %lld:%lld", (long long)jobs[i].id, (long long)jobs[i].claim_seq);
	end(trace, &record);
}

void trace_begin(struct trace *trace, struct uuid claim_id, const struct job_claimed *jobs,
		 size_t count)
{
	struct record record;

	if (trace == NULL || count == 0)
		return;
	begin(&record, "begin");
	add_uuid(&record, claim_id);
	for (size_t i = 0; i < count; i++)
		add(&record, " %lld", (long long)jobs[i].id);
	end(trace, &record);
}

/* A record of a job and its claim. */
static void write_job(struct trace *trace, const char *kind, int64_t job, struct uuid claim_id)
{
	struct record record;

	begin(&record, kind);
	add(&record, " %lld", (long long)job);
	add_uuid(&record, claim_id);
	end(trace, &record);
}

void trace_settled(struct trace *trace, const struct holding *holding)
{
	if (trace != NULL)
		write_job(trace, "settled", holding->id, holding->claim_id);
}

void trace_complete(struct trace *trace, const struct outbox_batch *batch)
{
	struct record record;
	char claim[UUID_TEXT_SIZE];

	if (trace == NULL)
		return;
	begin(&record, "complete");
	add_uuid(&record, batch->completion_id);
	for (size_t i = 0; i < batch->count; i++)
		add(&record, " %lld:%s:%s", (long long)batch->ended[i]->id,
		    batch->ended[i]->outcome, uuid_text(batch->ended[i]->claim_id, claim));
	end(trace, &record);
}

void trace_accepted(struct trace *trace, struct uuid completion_id, const PGresult *rows)
{
	struct record record;

	if (trace == NULL || rows_count(rows) == 0)
		return;
	begin(&record, "answer");
	add_uuid(&record, completion_id);
	for (int row = 0; row < rows_count(rows); row++)
		add(&record, " %lld:accepted", (long long)rows_int(rows, row, 0));
	end(trace, &record);
}

static const char *fate_word(enum job_lookup lookup)
{
	switch (lookup) {
	case JOB_MINE:
		return "mine";
	case JOB_LOST:
		return "lost";
	case JOB_GONE:
		return "gone";
	case JOB_HELD:
		break;
	}
	return NULL;
}

void trace_fates(struct trace *trace, const struct outbox_batch *batch, const size_t *at,
		 const struct job_fate *fates, size_t count)
{
	struct record record;
	size_t held = 0;

	for (size_t i = 0; i < count; i++)
		held += fates[i].lookup == JOB_HELD;
	if (trace == NULL || held == count)
		return;
	begin(&record, "answer");
	add_uuid(&record, batch->completion_id);
	for (size_t i = 0; i < count; i++)
		if (fates[i].lookup != JOB_HELD)
			add(&record, " %lld:%s", (long long)batch->ended[at[i]]->id,
			    fate_word(fates[i].lookup));
	end(trace, &record);
}

void trace_refused(struct trace *trace, const struct outbox_batch *batch)
{
	struct record record;

	if (trace == NULL)
		return;
	begin(&record, "answer");
	add_uuid(&record, batch->completion_id);
	for (size_t i = 0; i < batch->count; i++)
		add(&record, " %lld:refused", (long long)batch->ended[i]->id);
	end(trace, &record);
}

void trace_unknown(struct trace *trace, const struct outbox_batch *batch)
{
	if (trace != NULL && batch != NULL)
		write_uuids(trace, "unknown", &batch->completion_id, 1);
}

void trace_reassigned(struct trace *trace, int64_t job, struct uuid claim_id)
{
	if (trace != NULL)
		write_job(trace, "reassigned", job, claim_id);
}
