#include "db/lineage.h"

#include "db/rows.h"

enum { SYSTEM_ID, TIMELINE, STANDBY, BACKEND_PID, STALLED, COLUMNS };

static const char *const NAMES[COLUMNS] = {
	[SYSTEM_ID] = "system_id",     [TIMELINE] = "timeline", [STANDBY] = "standby",
	[BACKEND_PID] = "backend_pid", [STALLED] = "stalled",
};

int lineage_read(struct db *db, struct lineage *lineage, struct error *err)
{
	struct args args;
	PGresult *rows;
	int at[COLUMNS];
	int status;

	args_init(&args);
	rows = db_call(db, "lineage_read", &args, err);
	if (rows == NULL)
		return -1;
	status = rows_columns(rows, NAMES, COLUMNS, at, err);
	if (status == 0)
		*lineage = (struct lineage){
			.system_id = rows_int(rows, 0, at[SYSTEM_ID]),
			.timeline = rows_int(rows, 0, at[TIMELINE]),
			.standby = rows_bool(rows, 0, at[STANDBY]),
			.pooled = rows_int(rows, 0, at[BACKEND_PID]) !=
				  PQbackendPID(db_connection(db)),
			.stalled = rows_bool(rows, 0, at[STALLED]),
		};
	PQclear(rows);
	return status;
}
