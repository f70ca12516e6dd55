#include "tools/locum/transaction.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/submission.h"

int transaction_open(struct transaction *transaction, const struct stream_options *options,
		     int stop_fd, struct progress *progress, struct error *err)
{
	*transaction = (struct transaction){
		.batch = options->batch,
		.linger_ms = options->linger_ms,
		.progress = progress,
		.unserved = { .strict = options->strict },
		.request_id = options->request_id,
		.patience = { .cli = options->cli,
			      .limit_ms = options->retry_for_ms,
			      .stop_fd = stop_fd },
	};
	if (cli_open(options->cli, &transaction->db, err) != 0)
		return -1;
	transaction->chunk = chunk_new(options->defaults, &transaction->unserved);
	transaction->answer = calloc(LIMIT_SUBMIT_BATCH, sizeof(*transaction->answer));
	if (transaction->chunk != NULL && transaction->answer != NULL)
		return 0;
	transaction_close(transaction);
	return error_set(err, ERROR_RETRY, "out of memory");
}

void transaction_close(struct transaction *transaction)
{
	db_close(transaction->db);
	chunk_free(transaction->chunk);
	free(transaction->answer);
	ids_fini(&transaction->ids);
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool has_all_lines(const struct transaction *transaction, const struct intake *intake)
{
	return intake->ended || transaction->late ||
	       (transaction->batch > 0 && transaction->lines >= transaction->batch);
}

/* Returns 1 for a line that was added, 0 when there is none (yet). */
static int add_line(struct transaction *transaction, struct intake *intake, int64_t deadline_ms,
		    struct error *err)
{
	const char *line;
	size_t length;
	int found = intake_next(intake, deadline_ms, &line, &length, err);

	if (found <= 0)
		return found;
	if (chunk_add(transaction->chunk, line, length, intake->number, err) != 0)
		return -1;
	transaction->lines++;
	return 1;
}

static int fill(struct transaction *transaction, struct intake *intake, struct error *err)
{
	struct chunk *chunk = transaction->chunk;

	chunk_clear(chunk);
	while (!has_all_lines(transaction, intake) && !chunk_is_full(chunk)) {
		int found = add_line(transaction, intake, transaction->deadline_ms, err);

		if (found < 0)
			return -1;
		transaction->late = found == 0 && intake->late;
		if (found == 1 && transaction->deadline_ms == 0 && transaction->batch > 0)
			transaction->deadline_ms = clock_monotonic_ms() + transaction->linger_ms;
	}
	return 0;
}

/* Reads on until the chunk has `count` lines, as it had in an earlier run; returns whether it has. */
static int grow(struct transaction *transaction, struct intake *intake, size_t count,
		struct error *err)
{
	struct chunk *chunk = transaction->chunk;
	int found = 1;

	while (found == 1 && chunk->count < count && !intake->ended && !chunk_is_full(chunk))
		found = add_line(transaction, intake, 0, err);
	return found < 0 ? -1 : chunk->count == count;
}

/* --- sending ----------------------------------------------------------------------------------- */

/* Says which of the first `count` lines the server refused, or that it is about them all. */
static int explain(const struct chunk *chunk, size_t count, size_t bad, struct error *err)
{
	if (err->kind != ERROR_INPUT)
		return -1;
	if (bad < count)
		return error_prefix(err, "line %" PRId64, chunk->numbers[bad]);
	return error_prefix(err, "lines %" PRId64 " to %" PRId64, chunk->numbers[0],
			    chunk->numbers[count - 1]);
}

static int refuse_request(const struct chunk *chunk, size_t stored, struct error *err)
{
	return error_set(err, ERROR_INPUT,
			 "lines %" PRId64 " to %" PRId64
			 ": their request_id was used before, for %zu jobs instead of %zu; "
			 "submit the same lines",
			 chunk->numbers[0], chunk_last(chunk), stored, chunk->count);
}

/* Sends the first `count` lines; *stored gets how many jobs their request has. */
static int send_lines(struct transaction *transaction, size_t count, size_t *stored,
		      struct error *err)
{
	struct chunk *chunk = transaction->chunk;
	struct submission_answer answer = { .ids = transaction->answer };
	struct uuid request = uuid_derive(transaction->request_id, chunk->numbers[0]);

	if (submission_send(chunk->jobs, transaction->db, count, request, &answer, err) != 0)
		return explain(chunk, count, answer.bad, err);
	*stored = answer.stored;
	return 0;
}

static int keep_ids(struct transaction *transaction, size_t count, struct error *err)
{
	transaction->jobs += (int64_t)count;
	return ids_add(&transaction->ids, transaction->answer, count, err);
}

/* Fewer jobs than lines were stored before, by a run that was cut off: they must be of the same lines, which
 * sending just these proves. */
static int skip_stored(struct transaction *transaction, size_t stored, struct error *err)
{
	size_t again;

	if (send_lines(transaction, stored, &again, err) != 0 ||
	    keep_ids(transaction, stored, err) != 0)
		return -1;
	chunk_drop(transaction->chunk, stored);
	return 0;
}

static int send_chunk(struct transaction *transaction, struct intake *intake, struct error *err)
{
	struct chunk *chunk = transaction->chunk;
	size_t stored;
	int grown;

	for (;;) {
		if (send_lines(transaction, chunk->count, &stored, err) != 0)
			return -1;
		if (stored == chunk->count)
			return keep_ids(transaction, stored, err);
		grown = stored > chunk->count ? grow(transaction, intake, stored, err) : 0;
		if (grown < 0)
			return -1;
		transaction->line = chunk_last(chunk);
		if (grown == 1)
			continue;
		if (stored > chunk->count || stored == 0)
			return refuse_request(chunk, stored, err);
		if (skip_stored(transaction, stored, err) != 0)
			return -1;
	}
}

static int begin(struct transaction *transaction, struct error *err)
{
	if (transaction->open)
		return 0;
	transaction->open = db_execute(transaction->db, "begin", err) == 0;
	return transaction->open ? 0 : -1;
}

/* Sends the chunk in memory. A transaction of one chunk needs no "begin": the call is one. */
static int pass_on(struct transaction *transaction, struct intake *intake, bool last,
		   struct error *err)
{
	const struct chunk *chunk = transaction->chunk;
	int status;

	if (chunk->count == 0)
		return 0;
	if ((!last || transaction->unserved.strict) && begin(transaction, err) != 0)
		return -1;
	if (transaction->first_line == 0)
		transaction->first_line = chunk->numbers[0];
	transaction->line = chunk_last(chunk);
	transaction->committing = !transaction->open;
	if (send_chunk(transaction, intake, err) != 0)
		return -1;
	transaction->committing = false;
	status = unserved_check(&transaction->unserved, &chunk->fresh, transaction->db,
				transaction->answer, transaction->open ? err : NULL);
	return transaction->open ? status : 0; /* what is committed cannot fail for a warning */
}

/* Everything of a transaction, once. `replay`: its only chunk is in memory already. */
static int attempt(struct transaction *transaction, struct intake *intake, bool replay,
		   struct error *err)
{
	bool last;

	ids_clear(&transaction->ids);
	transaction->open = false;
	transaction->committing = false;
	transaction->jobs = 0;
	transaction->lines = replay ? (int64_t)transaction->chunk->count : 0;
	transaction->late = transaction->late && replay;
	transaction->deadline_ms = 0;
	do {
		if (!replay && fill(transaction, intake, err) != 0)
			return -1;
		replay = false;
		last = has_all_lines(transaction, intake);
		if (pass_on(transaction, intake, last, err) != 0)
			return -1;
		progress_show(transaction->progress, transaction->before + transaction->jobs,
			      intake->offset);
	} while (!last);
	if (!transaction->open)
		return 0;
	transaction->committing = true;
	return db_execute(transaction->db, "commit", err);
}

/* --- trying again ------------------------------------------------------------------------------ */

/* After a lost answer to a commit of lines that are gone from memory. A job of the first chunk's request waits
 * for a server process that may still be at it; it is taken back at once. */
static int find_out(struct transaction *transaction, bool *committed, struct error *err)
{
	struct submission_job job = { .handler = { "locum", 5 },
				      .priority = SUBMISSION_PRIORITY_NONE };
	struct uuid request = uuid_derive(transaction->request_id, transaction->first_line);
	struct submission *jobs = transaction->chunk->jobs;
	struct submission_answer answer = { .ids = transaction->answer };
	struct error ignored;

	submission_clear(jobs);
	if (submission_add(jobs, &job, err) != 0 || db_execute(transaction->db, "begin", err) != 0)
		return -1;
	submission_send(jobs, transaction->db, 1, request, &answer, &ignored);
	if (db_execute(transaction->db, "rollback", err) != 0)
		return -1;
	return submission_request_is_known(transaction->db, request, committed, err);
}

static int find_out_patiently(struct transaction *transaction, bool *committed, struct error *err)
{
	while (find_out(transaction, committed, err) != 0)
		if (patience_mend(&transaction->patience, &transaction->db, err) != 0)
			return -1;
	return 0;
}

static int mend(struct transaction *transaction, struct error *err)
{
	if (!db_is_lost(transaction->db) && transaction->open)
		db_execute(transaction->db, "rollback", NULL);
	return patience_mend(&transaction->patience, &transaction->db, err);
}

/* Where a transaction begins in the input. */
struct mark {
	int64_t number;
	int64_t offset;
};

/* What is to be done after a failed attempt: nothing, for it is committed after all; the same again, with its
 * lines in memory or read once more; or give up. */
enum next { NEXT_DONE, NEXT_REPLAY, NEXT_READ, NEXT_FAIL };

/* The lines cannot be had again: all that is left to know is whether they were committed. */
static enum next settle(struct transaction *transaction, bool committing, const struct error *cause,
			struct error *err)
{
	bool committed = false;

	if (committing && find_out_patiently(transaction, &committed, err) != 0)
		return NEXT_FAIL;
	transaction->unknown = false;
	transaction->patience.cli->failure = committed ? 0 : CLI_AGAIN;
	error_set(err, ERROR_RETRY, "%.600s; the input cannot be read a second time", cause->text);
	return committed ? NEXT_DONE : NEXT_FAIL;
}

static enum next recover(struct transaction *transaction, struct intake *intake,
			 const struct mark *mark, struct error *err)
{
	bool committing = transaction->committing && db_is_lost(transaction->db);
	const struct error cause = *err;

	transaction->unknown = committing;
	if (mend(transaction, err) != 0)
		return NEXT_FAIL;
	if (transaction->lines == (int64_t)transaction->chunk->count)
		return NEXT_REPLAY;
	if (intake_seek(intake, mark->number, mark->offset, err) == 0)
		return NEXT_READ;
	return settle(transaction, committing, &cause, err);
}

int transaction_run(struct transaction *transaction, struct intake *intake, struct error *err)
{
	const struct mark mark = { intake->number, intake->offset };
	enum next next = NEXT_READ;

	transaction->first_line = 0;
	while (attempt(transaction, intake, next == NEXT_REPLAY, err) != 0) {
		next = recover(transaction, intake, &mark, err);
		if (next == NEXT_FAIL)
			return -1;
		if (next == NEXT_DONE)
			break;
	}
	patience_rest(&transaction->patience);
	transaction->unknown = false;
	transaction->before += transaction->jobs;
	return 0;
}
