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

static int change(struct db *db, const char *statement, struct args *args, bool *done,
		  struct error *err)
{
	PGresult *answer = db_call(db, statement, args, err);

	if (answer == NULL)
		return -1;
	*done = rows_bool(answer, 0, 0);
	PQclear(answer);
	return 0;
}

int queue_create(struct db *db, const char *name, bool paused, int64_t keep_finished_ms, bool *done,
		 struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, name);
	args_bool(&args, paused);
	args_int8(&args, keep_finished_ms);
	return change(db, "queue_create", &args, done, err);
}

int queue_set(struct db *db, const char *name, int64_t keep_finished_ms, bool *done,
	      struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, name);
	args_int8(&args, keep_finished_ms);
	return change(db, "queue_set", &args, done, err);
}

int queue_pause(struct db *db, const char *name, bool *done, struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, name);
	return change(db, "queue_pause", &args, done, err);
}

int queue_resume(struct db *db, const char *name, bool *done, struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, name);
	return change(db, "queue_resume", &args, done, err);
}

int queue_delete(struct db *db, const char *name, bool *done, struct error *err)
{
	struct args args;

	args_init(&args);
	args_text(&args, name);
	return change(db, "queue_delete", &args, done, err);
}
