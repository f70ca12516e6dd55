#include "dispatcher/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { WATCHED = LIMIT_SUCCESSORS_WATCHED + 1 /* and oneself */ };

/* Runs the first call, with the second if that has not been. */
static int run(struct db *db, struct watch_scan *scan, struct sibling **siblings, size_t *count,
	       struct error *err)
{
	PGresult *rows[2] = { NULL, NULL };
	int status = db_run(db, scan->calls, scan->shared ? 2 : 1, rows, err);

	if (scan->shared)
		scan->rows = rows[1];
	scan->shared = false;
	if (status == 0)
		status = sibling_scan_rows(rows[0], siblings, count, &scan->server, err);
	PQclear(rows[0]);
	return status;
}

static int scan_whole(struct watch *watch, struct db *db, struct watch_scan *scan,
		      struct error *err)
{
	sibling_scan_call(&scan->calls[0], scan->self);
	if (run(db, scan, &scan->siblings, &scan->count, err) != 0)
		return -1;
	watch->size = 0;
	watch->whole_due_ms = scan->now_ms + WATCH_WHOLE_MS;
	for (size_t i = 0; i < scan->count; i++) {
		if (!uuid_same(scan->siblings[i].incarnation, scan->self))
			continue;
		watch->id = scan->siblings[i].id;
		watch->size = scan->server.size;
	}
	return 0;
}

/* Appends those from an id on. Returns 0, or -1. */
static int add_from(struct db *db, struct watch_scan *scan, struct uuid from,
		    struct sibling seen[static WATCHED], size_t *count, struct error *err)
{
	struct sibling *found = NULL;
	size_t more = 0;

	successor_scan_call(&scan->calls[0], from, (int)(WATCHED - *count));
	if (run(db, scan, &found, &more, err) != 0)
		return -1;
	memcpy(seen + *count, found, more * sizeof(*seen));
	*count += more;
	free(found);
	return 0;
}

/* Whether they are all that a whole scan would tell: oneself, and as many others as are to be watched, who ping. */
static bool is_enough(const struct sibling *seen, size_t count, struct uuid self)
{
	if (count < WATCHED || !uuid_same(seen[0].incarnation, self))
		return false;
	for (size_t i = 1; i < count; i++)
		if (seen[i].age_ms * 3 > seen[i].death_interval_ms ||
		    uuid_same(seen[i].incarnation, self))
			return false;
	return true;
}

/* 1: done; 0: they do not tell enough; -1: failed. */
static int scan_successors(const struct watch *watch, struct db *db, struct watch_scan *scan,
			   struct error *err)
{
	struct sibling seen[WATCHED];
	size_t found = 0;

	if (add_from(db, scan, watch->id, seen, &found, err) != 0 ||
	    (found > 0 && found < WATCHED &&
	     add_from(db, scan, (struct uuid){ { 0 } }, seen, &found, err) != 0))
		return -1;
	if (!is_enough(seen, found, scan->self))
		return 0;
	scan->siblings = calloc(found, sizeof(*seen));
	if (scan->siblings == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	memcpy(scan->siblings, seen, found * sizeof(*seen));
	scan->count = found;
	return 1;
}

int watch_scan(struct watch *watch, struct db *db, struct watch_scan *scan, struct error *err)
{
	int status = 0;

	if (watch->size > LIMIT_SIBLINGS_WATCHED && scan->now_ms < watch->whole_due_ms)
		status = scan_successors(watch, db, scan, err);
	if (status != 0)
		return status < 0 ? -1 : 0;
	return scan_whole(watch, db, scan, err);
}
