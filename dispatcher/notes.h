/*
 * What runs that go on want to be kept (base/wire_note.h): from the agents' frames into the database, the last word
 * of each job only. Lost with this process, as the runs are; written before the completions that come after it.
 * Owned by the pump's thread.
 */
#ifndef LOCUM_DISPATCHER_NOTES_H
#define LOCUM_DISPATCHER_NOTES_H

#include <stddef.h>

#include "base/error.h"
#include "base/wire.h"
#include "db/db.h"
#include "dispatcher/ledger.h"

struct note;

/* All zero at first. */
struct notes {
	struct note *list;
	size_t count;
	size_t room;
};

/* Takes in a NOTE frame; notes about jobs that the ledger does not have are dropped. */
int notes_take(struct notes *notes, const struct ledger *ledger, const struct wire_frame *frame,
	       struct error *err);

/* Writes them all, guarded by their claims. What the server refuses is dropped, with a line in the log. -1: it
 * cannot be had, and they are kept. */
int notes_write(struct notes *notes, struct db *db, struct error *err);

void notes_clear(struct notes *notes);

#endif
