/*
 * The ledger on disk, and what it lists. A line is SIGN KIND WHAT: "+" notes, "-" forgets. The first is the mark that
 * the harness puts into the environment of what it starts. One thread at a time uses a list.
 */
#ifndef LOCUM_TOOLS_CHAOS_UNDO_UNDO_LEDGER_H
#define LOCUM_TOOLS_CHAOS_UNDO_UNDO_LEDGER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "tools/chaos/undo/undo.h"

enum { UNDO_LEDGER_MARK_SIZE = 96, UNDO_LEDGER_PROCESS_SIZE = 48 };

struct undo_ledger_thing {
	enum undo_kind kind;
	char *what;
};

struct undo_ledger_list {
	struct undo_ledger_thing *things;
	size_t count;
	size_t room;
};

/* Makes and locks this process's own; its descriptor. */
int undo_ledger_make(char path[static PATH_MAX], char mark[static UNDO_LEDGER_MARK_SIZE],
		     struct error *err);

/* Cleans up after harnesses that are no more; how many things there were. *left is set to what could not be undone, which
 * stays noted for later calls. */
int undo_ledger_clean(struct error *left, struct error *err);

int undo_ledger_write(int ledger, char sign, enum undo_kind kind, const char *what,
		      struct error *err);

/* Undoes all of the list in reverse, forgetting it in the ledger; how many things were there still. Goes on when one
 * cannot be undone, and returns -1 in the end. */
int undo_ledger_end(struct undo_ledger_list *list, int ledger, struct error *err);

int undo_ledger_add(struct undo_ledger_list *list, enum undo_kind kind, const char *what,
		    struct error *err);
void undo_ledger_drop(struct undo_ledger_list *list, enum undo_kind kind, const char *what);
bool undo_ledger_find_process(const struct undo_ledger_list *list, pid_t pid,
			      char what[static UNDO_LEDGER_PROCESS_SIZE]);
void undo_ledger_free(struct undo_ledger_list *list);

#endif
