#include "db/queue.h"

#include <string.h>

#include "db/rows.h"

static void read_row(const PGresult *answer, int row, const int *at, const char *const *names,
		     size_t count, struct queue_row *found)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], rows_text(answer, row, at[0])) == 0)
			found->index = i;
	found->id = (int)rows_int(answer, row, at[1]);
	found->paused = rows_bool(answer, row, at[2]);
}

int queue_find(struct db *db, const char *const *names, size_t count, struct queue_row *rows,
	       struct error *err)
{
	static const char *const NAMES[] = { "name", "id", "paused" };
	struct args args;
	PGresult *answer;
	int at[3];
	int found = -1;

	args_init(&args);
	args_string_array(&args, names, count);
	answer = db_call(db, "queue_find", &args, err);
	if (answer == NULL || rows_columns(answer, NAMES, 3, at, err) != 0)
		goto out;
	found = rows_count(answer);
	for (int row = 0; row < found; row++)
		read_row(answer, row, at, names, count, &rows[row]);
out:
	PQclear(answer);
	return found;
}
