#include "tools/locum/unserved.h"

#include <stdlib.h>
#include <string.h>

#include "db/rows.h"
#include "db/view.h"
#include "tools/locum/cli.h"

enum { PROBES = 8 };

/* Writes "HANDLER\nQUEUE" and returns its length; 0 when the names are not to be had or too long. */
static size_t write_pair(const struct submission_job *job, char pair[static UNSERVED_PAIR_SIZE])
{
	size_t length = job->handler.length + 1 + job->queue.length;

	if (job->handler.bytes == NULL || length > UNSERVED_PAIR_SIZE)
		return 0;
	memcpy(pair, job->handler.bytes, job->handler.length);
	pair[job->handler.length] = '\n';
	if (job->queue.length > 0)
		memcpy(pair + job->handler.length + 1, job->queue.bytes, job->queue.length);
	return length;
}

static size_t hash(const char *bytes, size_t length)
{
	uint32_t value = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)bytes[i]) * 16777619u;
	return value;
}

/* The pair's place in the table, or NULL when there is no room. */
static struct unserved_pair *find(struct unserved *unserved, const char *bytes, size_t length)
{
	size_t from = hash(bytes, length);

	for (size_t i = 0; i < PROBES; i++) {
		struct unserved_pair *pair = &unserved->pairs[(from + i) % UNSERVED_PAIRS];

		if (pair->length == 0) {
			memcpy(pair->bytes, bytes, length);
			pair->length = length;
			return pair;
		}
		if (pair->length == length && memcmp(pair->bytes, bytes, length) == 0)
			return pair;
	}
	return NULL;
}

static bool is_noted(const struct unserved_fresh *fresh, const struct unserved_pair *pair)
{
	for (size_t i = 0; i < fresh->count; i++)
		if (fresh->pairs[i] == pair)
			return true;
	return false;
}

void unserved_note(struct unserved *unserved, struct unserved_fresh *fresh,
		   const struct submission_job *job, size_t place)
{
	char bytes[UNSERVED_PAIR_SIZE];
	size_t length = write_pair(job, bytes);
	struct unserved_pair *pair = length == 0 ? NULL : find(unserved, bytes, length);

	if (pair != NULL && (pair->known || is_noted(fresh, pair)))
		return;
	fresh->places[fresh->count] = place;
	fresh->pairs[fresh->count++] = pair;
}

void unserved_drop(struct unserved_fresh *fresh, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < fresh->count; i++) {
		if (fresh->places[i] < count)
			continue;
		fresh->places[kept] = fresh->places[i] - count;
		fresh->pairs[kept++] = fresh->pairs[i];
	}
	fresh->count = kept;
}

static void warn(struct unserved *unserved, const PGresult *rows)
{
	for (int row = 0; row < rows_count(rows) && unserved->told < UNSERVED_TOLD_MAX; row++) {
		unserved->told++;
		cli_say("warning: no live dispatcher serves handler \"%s\" in queue \"%s\" yet",
			view_text(rows, row, "handler"), view_text(rows, row, "queue"));
	}
}

static int judge(struct unserved *unserved, const PGresult *rows, struct error *err)
{
	if (unserved->strict && rows_count(rows) > 0)
		return error_set(err, ERROR_INPUT,
				 "no live dispatcher serves handler \"%s\" in queue \"%s\"",
				 view_text(rows, 0, "handler"), view_text(rows, 0, "queue"));
	warn(unserved, rows);
	return 0;
}

static PGresult *ask(const struct unserved_fresh *fresh, struct db *db, const int64_t *ids,
		     struct error *err)
{
	int64_t *asked = calloc(fresh->count, sizeof(*asked));
	PGresult *rows;

	if (asked == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < fresh->count; i++)
		asked[i] = ids[fresh->places[i]];
	rows = submission_unserved(db, asked, fresh->count, err);
	free(asked);
	return rows;
}

int unserved_check(struct unserved *unserved, const struct unserved_fresh *fresh, struct db *db,
		   const int64_t *ids, struct error *err)
{
	PGresult *rows;
	int status;

	if (fresh->count == 0)
		return 0;
	rows = ask(fresh, db, ids, err);
	if (rows == NULL)
		return -1;
	status = judge(unserved, rows, err);
	PQclear(rows);
	for (size_t i = 0; i < fresh->count; i++)
		if (fresh->pairs[i] != NULL)
			fresh->pairs[i]->known = true;
	return status;
}
