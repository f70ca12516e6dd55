#include "dispatcher/primary.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/hosts.h"
#include "db/lineage.h"

struct primary {
	int64_t connect_ms;
	const struct halt *halt;
	struct hosts_memory memory;
	pthread_mutex_t lock; /* guards what follows */
	int64_t system_id;
	int64_t timeline;
	bool blind; /* the role may not know, and that was said */
	bool pooled;
};

struct primary *primary_open(const struct primary_options *options)
{
	struct primary *primary = calloc(1, sizeof(*primary));

	if (primary == NULL)
		return NULL;
	primary->memory = (struct hosts_memory)HOSTS_MEMORY_INIT;
	pthread_mutex_init(&primary->lock, NULL);
	primary->connect_ms = options->connect_ms;
	primary->halt = options->halt;
	primary->system_id = options->system_id;
	primary->timeline = options->timeline;
	return primary;
}

void primary_close(struct primary *primary)
{
	if (primary == NULL)
		return;
	pthread_mutex_destroy(&primary->lock);
	free(primary);
}

/* Under the lock. Returns the timeline that this one follows, 0 when it follows none, or -1. */
static int64_t judge(struct primary *primary, const struct lineage *seen, struct error *err)
{
	int64_t former = primary->timeline;

	if (seen->standby)
		return error_set(err, ERROR_RETRY, "the database is a standby");
	if (seen->stalled)
		return error_set(err, ERROR_RETRY,
				 "the commit of a former session still waits for a standby");
	if (primary->system_id != 0 && seen->system_id != primary->system_id)
		return error_set(err, ERROR_FATAL,
				 "this is another database than the one that this dispatcher "
				 "belongs to (system identifier %" PRId64 ", not %" PRId64
				 "); another database needs another state folder",
				 seen->system_id, primary->system_id);
	if (seen->timeline < former)
		return error_set(err, ERROR_FATAL,
				 "this primary was left behind by a failover (timeline %" PRId64
				 ", and %" PRId64 " has been seen); if it is the right one, remove "
				 "the state folder's file \"dispatcher\"",
				 seen->timeline, former);
	primary->system_id = seen->system_id;
	primary->timeline = seen->timeline;
	primary->pooled = seen->pooled;
	return former < seen->timeline ? former : 0;
}

/* The role may not know: as if nothing had changed. */
static int go_blind(struct primary *primary, int64_t *timeline, const struct error *err)
{
	bool said;

	pthread_mutex_lock(&primary->lock);
	said = primary->blind;
	primary->blind = true;
	*timeline = primary->timeline;
	pthread_mutex_unlock(&primary->lock);
	if (!said)
		log_warning("a failover or another database will not be noticed: this role may not "
			    "call pg_control_system",
			    log_err(err));
	return 0;
}

int primary_check(struct primary *primary, struct db *db, int64_t *timeline, struct error *err)
{
	struct lineage seen;
	int64_t former;

	if (lineage_read(db, &seen, err) != 0)
		return strcmp(err->sqlstate, "42501") == 0 ? go_blind(primary, timeline, err) : -1;
	pthread_mutex_lock(&primary->lock);
	former = judge(primary, &seen, err);
	pthread_mutex_unlock(&primary->lock);
	if (former < 0) {
		db_give_up(db);
		return -1;
	}
	*timeline = seen.timeline;
	if (former > 0)
		log_warning("the database failed over", log_number("timeline", seen.timeline),
			    log_number("former_timeline", former));
	return 0;
}

/* Of a connection that is being made. */
struct visit {
	struct primary *primary;
	int64_t timeline;
	struct error refusal; /* the first; none: nobody was refused */
};

static int check_visit(struct db *db, void *context, struct error *err)
{
	struct visit *visit = context;
	int status = primary_check(visit->primary, db, &visit->timeline, err);

	if (status != 0 && err->kind == ERROR_FATAL && visit->refusal.kind == ERROR_NONE)
		visit->refusal = *err;
	return status;
}

int primary_connect(struct primary *primary, struct db **db, const struct db_options *options,
		    int64_t *timeline, struct error *err)
{
	struct visit visit = { .primary = primary };
	struct db_options checked = *options;

	checked.connect_ms = primary->connect_ms;
	checked.halt = primary->halt;
	checked.memory = &primary->memory;
	checked.check = check_visit;
	checked.context = &visit;
	if (db_open(db, &checked, err) != 0)
		return -1;
	*timeline = visit.timeline;
	if (visit.refusal.kind != ERROR_NONE)
		log_warning("the first host that answers is passed over", log_err(&visit.refusal));
	return 0;
}

int64_t primary_system_id(struct primary *primary)
{
	int64_t system_id;

	pthread_mutex_lock(&primary->lock);
	system_id = primary->system_id;
	pthread_mutex_unlock(&primary->lock);
	return system_id;
}

int64_t primary_timeline(struct primary *primary)
{
	int64_t timeline;

	pthread_mutex_lock(&primary->lock);
	timeline = primary->timeline;
	pthread_mutex_unlock(&primary->lock);
	return timeline;
}

bool primary_is_pooled(struct primary *primary)
{
	bool pooled;

	pthread_mutex_lock(&primary->lock);
	pooled = primary->pooled;
	pthread_mutex_unlock(&primary->lock);
	return pooled;
}
