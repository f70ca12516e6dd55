#include "tools/locum/transaction.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/submission.h"
#include "tools/locum/payload.h"

enum {
	CONFLICTS_MAX = 5,
	BACK_OFF_MS = 50,
	BACK_OFF_MOST_MS = 2000,
	RECONNECT_MS = 30000,
};

int transaction_open(struct transaction *transaction, const struct stream_options *options,
		     struct error *err)
{
	struct transaction opened = {
		.cli = options->cli,
		.batch = options->batch,
		.unserved = { .strict = options->strict },
		.request_id = uuid_is_none(options->request_id) ? uuid_make() : options->request_id,
	};

	if (cli_open(options->cli, &opened.db, err) != 0)
		return -1;
	opened.chunk = chunk_new();
	opened.answer = calloc(CHUNK_LINES, sizeof(*opened.answer));
	*transaction = opened;
	if (opened.chunk == NULL || opened.answer == NULL) {
		transaction_close(transaction);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	return 0;
}

void transaction_close(struct transaction *transaction)
{
	db_close(transaction->db);
	chunk_free(transaction->chunk);
	free(transaction->answer);
	ids_fini(&transaction->ids);
}

static bool has_all_lines(const struct transaction *transaction, const struct lines *lines)
{
	return lines->ended || (transaction->batch > 0 && transaction->lines == transaction->batch);
}

static int fill(struct transaction *transaction, struct lines *lines, struct error *err)
{
	struct chunk *chunk = transaction->chunk;
	const char *line;
	size_t length;
	int found;

	chunk_clear(chunk);
	while (!has_all_lines(transaction, lines) && !chunk_is_full(chunk)) {
		found = lines_next(lines, &line, &length, err);
		if (found < 0)
			return -1;
		if (found == 0)
			break;
		if (chunk_add(chunk, line, length, lines->number, err) != 0)
			return -1;
		transaction->lines++;
	}
	chunk_close(chunk);
	return 0;
}

/* Says which line the server refused, and where it is no JSON. */
static int explain(const struct chunk *chunk, size_t bad, struct error *err)
{
	char place[256];
	const char *at;

	if (bad == chunk->count)
		return -1;
	if (strcmp(err->sqlstate, "22P02") == 0 && strstr(err->text, "json") != NULL &&
	    payload_find_fault(chunk->lines[bad].bytes, chunk->lines[bad].length, place,
			       sizeof(place)) == 0) {
		/* It is one line, and has its number already. */
		at = strstr(place, "column");
		error_set(err, ERROR_INPUT, "it is not JSON: %s", at == NULL ? place : at);
	}
	return error_prefix(err, "line %lld", (long long)chunk->numbers[bad]);
}

static struct uuid chunk_request(const struct transaction *transaction)
{
	return uuid_derive(transaction->request_id, transaction->before + transaction->chunks);
}

static int send_chunk(struct transaction *transaction, struct error *err)
{
	const struct chunk *chunk = transaction->chunk;
	size_t stored;
	size_t bad;

	if (submission_store_lines(transaction->db, chunk->lines, chunk->count,
				   chunk_request(transaction), transaction->answer, &stored, &bad,
				   err) != 0)
		return explain(chunk, bad, err);
	if (stored != chunk->count)
		return error_set(
			err, ERROR_INPUT,
			"lines %lld to %lld: their request_id was used before, for %zu jobs "
			"instead of %zu",
			(long long)chunk->numbers[0], (long long)chunk->numbers[chunk->count - 1],
			stored, chunk->count);
	if (ids_add(&transaction->ids, transaction->answer, stored, err) != 0)
		return -1;
	transaction->chunks++;
	transaction->jobs += (int64_t)stored;
	return 0;
}

/* Sends the chunk in memory. A transaction of one chunk needs no "begin": the call is one. */
static int pass_on(struct transaction *transaction, bool last, struct error *err)
{
	const struct chunk *chunk = transaction->chunk;
	int status;

	if (chunk->count == 0)
		return 0;
	if (!transaction->open && (!last || transaction->unserved.strict)) {
		if (db_execute(transaction->db, "begin", err) != 0)
			return -1;
		transaction->open = true;
	}
	transaction->line = chunk->numbers[chunk->count - 1];
	transaction->committing = !transaction->open;
	if (send_chunk(transaction, err) != 0)
		return -1;
	transaction->committing = false;
	status = unserved_check(&transaction->unserved, transaction->db, transaction->answer,
				chunk->count, transaction->open ? err : NULL);
	return transaction->open ? status : 0; /* what is committed cannot fail for a warning */
}

/* Everything of a transaction, once. `replay`: its only chunk is in memory already. */
static int attempt(struct transaction *transaction, struct lines *lines, bool replay,
		   struct error *err)
{
	bool last;

	ids_clear(&transaction->ids);
	transaction->open = false;
	transaction->committing = false;
	transaction->jobs = 0;
	transaction->chunks = 0;
	transaction->lines = replay ? (int64_t)transaction->chunk->count : 0;
	do {
		if (!replay && fill(transaction, lines, err) != 0)
			return -1;
		replay = false;
		last = has_all_lines(transaction, lines);
		if (pass_on(transaction, last, err) != 0)
			return -1;
	} while (!last);
	if (!transaction->open)
		return 0;
	transaction->committing = true;
	return db_execute(transaction->db, "commit", err);
}

static void back_off(int times)
{
	int64_t most_ms = BACK_OFF_MS << (times < 6 ? times : 6);

	poll(NULL, 0, (int)(most_ms / 2 + clock_jitter_ms(most_ms)));
}

static int reconnect(struct transaction *transaction, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + RECONNECT_MS;
	struct error why;

	db_close(transaction->db);
	transaction->db = NULL;
	for (int times = 0;; times++) {
		if (cli_open(transaction->cli, &transaction->db, &why) == 0)
			return 0;
		if (why.kind != ERROR_RETRY || clock_monotonic_ms() >= deadline_ms)
			break;
		back_off(times);
	}
	if (err != NULL)
		*err = why;
	return -1;
}

/* After a lost answer to a commit of lines that are gone from memory. Sending the first chunk's request
 * again waits for a server process that may still be at it; it is taken back at once. */
static int find_out(struct transaction *transaction, bool *committed, struct error *err)
{
	static const struct args_text LINE = { "{\"handler\": \"locum\"}", 20 };
	struct uuid request = uuid_derive(transaction->request_id, transaction->before);
	struct error ignored;
	size_t stored;
	size_t bad;
	int64_t id;

	if (db_execute(transaction->db, "begin", err) != 0)
		return -1;
	submission_store_lines(transaction->db, &LINE, 1, request, &id, &stored, &bad, &ignored);
	if (db_execute(transaction->db, "rollback", err) != 0)
		return -1;
	return submission_request_is_known(transaction->db, request, committed, err);
}

static bool is_conflict(const struct error *err)
{
	return strcmp(err->sqlstate, "40001") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

/* Mends the connection after a failed attempt, if the failure is one that passes. */
static int mend(struct transaction *transaction, int conflicts, struct error *err)
{
	if (db_is_lost(transaction->db))
		return reconnect(transaction, err);
	if (transaction->open && db_execute(transaction->db, "rollback", NULL) != 0)
		return reconnect(transaction, err);
	if (!is_conflict(err) || conflicts >= CONFLICTS_MAX)
		return -1;
	back_off(conflicts);
	return 0;
}

/* Where a transaction begins in the input. */
struct mark {
	int64_t number;
	int64_t offset;
};

/* Makes the lines of the failed attempt available once more. Returns 1 when they are in memory, 0 when
 * they are to be read again, -1 when that cannot be. */
static int rewind_lines(const struct transaction *transaction, struct lines *lines,
			const struct mark *mark, struct error *err)
{
	if (transaction->lines == (int64_t)transaction->chunk->count)
		return 1;
	return lines_seek(lines, mark->number, mark->offset, err);
}

/* After a failed attempt: returns 0 when the transaction is committed after all, 1 or 2 when it is to be
 * tried again with or without its lines in memory, -1 when that is the end. */
enum next { NEXT_DONE, NEXT_REPLAY, NEXT_READ, NEXT_FAIL };

static enum next recover(struct transaction *transaction, struct lines *lines,
			 const struct mark *mark, int conflicts, struct error *err)
{
	bool committing = transaction->committing && db_is_lost(transaction->db);
	struct error cause = *err;
	bool committed = false;

	transaction->unknown = committing;
	if (mend(transaction, conflicts, err) != 0)
		return NEXT_FAIL;
	switch (rewind_lines(transaction, lines, mark, err)) {
	case 1:
		return NEXT_REPLAY;
	case 0:
		return NEXT_READ;
	default:
		break;
	}
	if (committing && find_out(transaction, &committed, err) != 0)
		return NEXT_FAIL;
	transaction->unknown = false;
	*err = cause;
	return committed ? NEXT_DONE : NEXT_FAIL;
}

int transaction_run(struct transaction *transaction, struct lines *lines, struct error *err)
{
	const struct mark mark = { lines->number, lines->offset };
	enum next next = NEXT_READ;
	int conflicts = 0;

	while (attempt(transaction, lines, next == NEXT_REPLAY, err) != 0) {
		next = recover(transaction, lines, &mark, conflicts, err);
		if (next == NEXT_FAIL)
			return -1;
		if (next == NEXT_DONE)
			break;
		conflicts += is_conflict(err);
	}
	transaction->unknown = false;
	transaction->before += transaction->chunks;
	return 0;
}
