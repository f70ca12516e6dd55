#include "dispatcher/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/wire_note.h"
#include "db/job.h"

enum { ROOM_FIRST = 64, AT_ONCE = 256 };

struct note {
	int64_t id;
	struct uuid claim_id;
	size_t place; /* a later one goes before an earlier one */
	char *checkpoint;
	char *progress; /* behind the checkpoint, or NULL */
	size_t checkpoint_length;
	size_t progress_length;
};

/* --- the list ---------------------------------------------------------------------------------- */

static int by_job(const void *a, const void *b)
{
	const struct note *left = a;
	const struct note *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

static void replace(char **text, size_t *length, char **by, size_t by_length)
{
	if (*by == NULL)
		return;
	free(*text);
	*text = *by;
	*length = by_length;
	*by = NULL;
}

/* The earlier one becomes the later one, with what that leaves as it was. */
static void merge(struct note *into, struct note *later)
{
	if (!uuid_same(into->claim_id, later->claim_id)) {
		free(into->checkpoint);
		free(into->progress);
		*into = *later;
		return;
	}
	replace(&into->checkpoint, &into->checkpoint_length, &later->checkpoint,
		later->checkpoint_length);
	replace(&into->progress, &into->progress_length, &later->progress, later->progress_length);
}

/* One for each job, in the order of the locks. */
static void compact(struct notes *notes)
{
	size_t kept = 0;

	qsort(notes->list, notes->count, sizeof(*notes->list), by_job);
	for (size_t i = 0; i < notes->count; i++) {
		if (kept > 0 && notes->list[kept - 1].id == notes->list[i].id)
			merge(&notes->list[kept - 1], &notes->list[i]);
		else
			notes->list[kept++] = notes->list[i];
	}
	notes->count = kept;
	for (size_t i = 0; i < kept; i++)
		notes->list[i].place = i;
}

static int make_room(struct notes *notes, struct error *err)
{
	struct note *grown;
	size_t room = notes->room == 0 ? ROOM_FIRST : 2 * notes->room;

	if (notes->count < notes->room)
		return 0;
	if (notes->count > 0)
		compact(notes);
	if (notes->count < notes->room / 2)
		return 0;
	grown = reallocarray(notes->list, room, sizeof(*grown));
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for notes");
	notes->list = grown;
	notes->room = room;
	return 0;
}

static char *copy(struct wire_bytes bytes)
{
	return bytes.bytes == NULL ? NULL : strndup(bytes.bytes, bytes.length);
}

static int add(struct notes *notes, const struct wire_note *wire, struct error *err)
{
	if (make_room(notes, err) != 0)
		return -1;
	notes->list[notes->count] = (struct note){
		.id = wire->id,
		.claim_id = wire->claim_id,
		.place = notes->count,
		.checkpoint = copy(wire->checkpoint),
		.progress = copy(wire->progress),
		.checkpoint_length = wire->checkpoint.length,
		.progress_length = wire->progress.length,
	};
	notes->count++;
	return 0;
}

int notes_take(struct notes *notes, const struct ledger *ledger, const struct wire_frame *frame,
	       struct error *err)
{
	struct wire_note wire;
	size_t at = 0;
	int more;

	while ((more = wire_note_read(frame, &at, &wire, err)) == 1) {
		struct holding *holding = ledger_find(ledger, wire.id, wire.claim_id);

		if (holding == NULL || holding->stage == HOLDING_ENDED)
			continue;
		if (add(notes, &wire, err) != 0)
			return -1;
		holding->place = ROW_PLACE_UNKNOWN;
	}
	return more;
}

static void drop(struct notes *notes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(notes->list[i].checkpoint);
		free(notes->list[i].progress);
	}
	notes->count -= count;
	if (notes->count > 0)
		memmove(notes->list, notes->list + count, notes->count * sizeof(*notes->list));
}

void notes_clear(struct notes *notes)
{
	drop(notes, notes->count);
	free(notes->list);
	*notes = (struct notes){ .list = NULL };
}

/* --- into the database ------------------------------------------------------------------------- */

static int write_some(const struct note *list, size_t count, struct db *db, struct error *err)
{
	int64_t ids[AT_ONCE];
	struct uuid claim_ids[AT_ONCE];
	struct args_text checkpoints[AT_ONCE];
	struct args_text progresses[AT_ONCE];
	struct db_call call;
	PGresult *result;

	for (size_t i = 0; i < count; i++) {
		ids[i] = list[i].id;
		claim_ids[i] = list[i].claim_id;
		checkpoints[i] = (struct args_text){ list[i].checkpoint,
						     list[i].checkpoint_length };
		progresses[i] = (struct args_text){ list[i].progress, list[i].progress_length };
	}
	job_note_call(&call, ids, claim_ids, checkpoints, progresses, count);
	if (db_run(db, &call, 1, &result, err) != 0)
		return -1;
	PQclear(result);
	return 0;
}

/* One that the server refuses is not to take the others along. */
static int write_each(const struct note *list, size_t count, struct db *db, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (write_some(&list[i], 1, db, err) == 0)
			continue;
		if (err->kind != ERROR_INPUT || db_is_lost(db))
			return -1;
		log_warning("a checkpoint was refused", log_number("job", list[i].id),
			    log_err(err));
	}
	return 0;
}

int notes_write(struct notes *notes, struct db *db, struct error *err)
{
	if (notes->count > 1)
		compact(notes);
	while (notes->count > 0) {
		size_t count = notes->count < AT_ONCE ? notes->count : AT_ONCE;

		if (write_some(notes->list, count, db, err) != 0 &&
		    (err->kind != ERROR_INPUT || db_is_lost(db) ||
		     write_each(notes->list, count, db, err) != 0))
			return -1;
		drop(notes, count);
	}
	return 0;
}
