#include "db/house.h"

#include <string.h>

#include "base/limits.h"
#include "db/rows.h"

/* Runs a statement whose answer is one number. */
static int run_number(struct db *db, const char *statement, int argument, struct error *err)
{
	struct args args;
	PGresult *rows;
	int number;

	args_init(&args);
	args_int4(&args, argument);
	rows = db_call(db, statement, &args, err);
	if (rows == NULL)
		return -1;
	number = (int)rows_int(rows, 0, 0);
	PQclear(rows);
	return number;
}

int partition_prepare(struct db *db, struct error *err)
{
	return run_number(db, "partition_prepare", LIMIT_PARTITIONS_AHEAD, err);
}

int partition_drop(struct db *db, struct error *err)
{
	struct args args;
	PGresult *rows;
	int run = 0;

	args_init(&args);
	rows = db_call(db, "partition_drop", &args, err);
	if (rows == NULL)
		return -1;
	while (run < rows_count(rows) && db_execute(db, rows_text(rows, run, 0), err) == 0)
		run++;
	if (run < rows_count(rows))
		run = -1;
	PQclear(rows);
	return run;
}

int house_keep(struct db *db, int most, struct error *err)
{
	return run_number(db, "house_keep", most, err);
}

int epoch_ensure(struct db *db, struct error *err)
{
	struct args args;

	args_init(&args);
	return db_do(db, "epoch_ensure", &args, err);
}
