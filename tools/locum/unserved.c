#include "tools/locum/unserved.h"

#include <stdio.h>
#include <string.h>

#include "db/rows.h"
#include "db/submission.h"
#include "db/view.h"
#include "tools/locum/cli.h"

/* Returns whether the pair is new, and remembers it. When there are very many, the rest goes unsaid. */
static bool is_new(struct unserved *seen, const char *handler, const char *queue)
{
	char pair[UNSERVED_PAIR_SIZE];

	snprintf(pair, sizeof(pair), "%s\n%s", handler, queue);
	for (int i = 0; i < seen->told; i++)
		if (strcmp(seen->pairs[i], pair) == 0)
			return false;
	if (seen->told == UNSERVED_MAX)
		return false;
	memcpy(seen->pairs[seen->told++], pair, sizeof(pair));
	return true;
}

static void warn(struct unserved *seen, const PGresult *rows)
{
	for (int row = 0; row < rows_count(rows); row++) {
		const char *handler = view_text(rows, row, "handler");
		const char *queue = view_text(rows, row, "queue");

		if (is_new(seen, handler, queue))
			cli_say("warning: no live dispatcher serves handler \"%s\" in queue \"%s\" yet",
				handler, queue);
	}
}

int unserved_check(struct unserved *seen, struct db *db, const int64_t *ids, size_t count,
		   struct error *err)
{
	PGresult *rows = submission_unserved(db, ids, count, err);
	int status = 0;

	if (rows == NULL)
		return -1;
	if (!seen->strict)
		warn(seen, rows);
	else if (rows_count(rows) > 0)
		status = error_set(err, ERROR_INPUT,
				   "no live dispatcher serves handler \"%s\" in queue \"%s\"",
				   view_text(rows, 0, "handler"), view_text(rows, 0, "queue"));
	PQclear(rows);
	return status;
}
