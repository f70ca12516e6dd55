/* Which database a connection leads to: what tells it from others, and from its own past. */
#ifndef LOCUM_DB_LINEAGE_H
#define LOCUM_DB_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/db.h"

struct lineage {
	int64_t system_id; /* made with the cluster; its standbys have the same */
	int64_t timeline;  /* rises with every promotion; 0 on a standby */
	bool standby;
	bool pooled;  /* a pooler stands between: it is not the server that we greeted */
	bool stalled; /* a session of ours that was given up still waits for a standby */
};

/* -1 with SQLSTATE 42501 when the role may not know. */
int lineage_read(struct db *db, struct lineage *lineage, struct error *err);

#endif
