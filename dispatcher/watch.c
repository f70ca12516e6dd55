#include "dispatcher/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { WATCHED = LIMIT_SUCCESSORS_WATCHED + 1 /* and oneself */ };

static int run(struct db *db, struct db_call *call, struct sibling **siblings, size_t *count,
	       struct sibling_server *server, struct error *err)
{
	PGresult *rows = NULL;
	int status = db_run(db, call, 1, &rows, err);

	if (status == 0)
		status = sibling_scan_rows(rows, siblings, count, server, err);
	PQclear(rows);
	return status;
}

static int scan_whole(struct watch *watch, struct db *db, struct uuid self, int64_t now_ms,
		      struct sibling **siblings, size_t *count, struct sibling_server *server,
		      struct error *err)
{
	struct db_call call;

	sibling_scan_call(&call, self);
	if (run(db, &call, siblings, count, server, err) != 0)
		return -1;
	watch->size = 0;
	watch->whole_due_ms = now_ms + WATCH_WHOLE_MS;
	for (size_t i = 0; i < *count; i++) {
		if (!uuid_same((*siblings)[i].incarnation, self))
			continue;
		watch->id = (*siblings)[i].id;
		watch->size = server->size;
	}
	return 0;
}

/* Appends those from an id on. Returns 0, or -1. */
static int add_from(struct db *db, struct uuid from, struct sibling seen[static WATCHED],
		    size_t *count, struct sibling_server *server, struct error *err)
{
	struct sibling *found = NULL;
	struct db_call call;
	size_t more = 0;

	successor_scan_call(&call, from, (int)(WATCHED - *count));
	if (run(db, &call, &found, &more, server, err) != 0)
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
static int scan_successors(const struct watch *watch, struct db *db, struct uuid self,
			   struct sibling **siblings, size_t *count, struct sibling_server *server,
			   struct error *err)
{
	struct sibling seen[WATCHED];
	size_t found = 0;

	if (add_from(db, watch->id, seen, &found, server, err) != 0 ||
	    (found > 0 && found < WATCHED &&
	     add_from(db, (struct uuid){ { 0 } }, seen, &found, server, err) != 0))
		return -1;
	if (!is_enough(seen, found, self))
		return 0;
	*siblings = calloc(found, sizeof(*seen));
	if (*siblings == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	memcpy(*siblings, seen, found * sizeof(*seen));
	*count = found;
	return 1;
}

int watch_scan(struct watch *watch, struct db *db, struct uuid self, int64_t now_ms,
	       struct sibling **siblings, size_t *count, struct sibling_server *server,
	       struct error *err)
{
	int status = 0;

	if (watch->size > LIMIT_SIBLINGS_WATCHED && now_ms < watch->whole_due_ms)
		status = scan_successors(watch, db, self, siblings, count, server, err);
	if (status != 0)
		return status < 0 ? -1 : 0;
	return scan_whole(watch, db, self, now_ms, siblings, count, server, err);
}
