#include "db/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "db/embedded.h"
#include "db/rows.h"

/* A migration's file begins with its number. */
static int migration_version(const struct embedded_sql *migration)
{
	return (int)strtol(migration->name, NULL, 10);
}

int schema_newest(void)
{
	int newest = 0;

	for (size_t i = 0; EMBEDDED_MIGRATIONS[i].name != NULL; i++)
		newest = migration_version(&EMBEDDED_MIGRATIONS[i]);
	return newest;
}

/* Sets *version to the newest migration of the database, 0 when it has no schema. */
static int read_version(struct db *db, int *version, struct error *err)
{
	static const char *const STATE[] = { "present", "encoding" };
	static const char *const VERSION[] = { "version" };
	struct args args;
	PGresult *rows;
	int at[2];
	int status = -1;

	args_init(&args);
	rows = db_call(db, "schema_state", &args, err);
	if (rows == NULL || rows_columns(rows, STATE, 2, at, err) != 0)
		goto out;
	if (strcmp(rows_text(rows, 0, at[1]), "UTF8") != 0) {
		error_set(err, ERROR_FATAL,
			  "the database has the encoding %s; locum needs one with UTF8",
			  rows_text(rows, 0, at[1]));
		goto out;
	}
	if (!rows_bool(rows, 0, at[0])) {
		*version = 0;
		status = 0;
		goto out;
	}
	PQclear(rows);
	args_init(&args);
	rows = db_call(db, "schema_version", &args, err);
	if (rows == NULL || rows_columns(rows, VERSION, 1, at, err) != 0)
		goto out;
	*version = (int)rows_int(rows, 0, at[0]);
	status = 0;
out:
	PQclear(rows);
	return status;
}

static int refuse_newer(int version, struct error *err)
{
	if (version <= schema_newest())
		return 0;
	return error_set(
		err, ERROR_FATAL,
		"the database has schema version %d, and this program knows only up to %d: "
		"install a newer locum",
		version, schema_newest());
}

static int run_migration(struct db *db, const struct embedded_sql *migration, struct error *err)
{
	struct args args;

	if (db_execute(db, migration->text, err) != 0)
		return error_prefix(err, "migration %s", migration->name);
	args_init(&args);
	args_int4(&args, migration_version(migration));
	args_text(&args, migration->name);
	return db_do(db, "schema_record", &args, err);
}

static int run_all(struct db *db, int version, struct error *err)
{
	struct args args;

	for (size_t i = 0; EMBEDDED_MIGRATIONS[i].name != NULL; i++)
		if (migration_version(&EMBEDDED_MIGRATIONS[i]) > version &&
		    run_migration(db, &EMBEDDED_MIGRATIONS[i], err) != 0)
			return -1;
	for (size_t i = 0; EMBEDDED_FUNCTIONS[i].name != NULL; i++)
		if (db_execute(db, EMBEDDED_FUNCTIONS[i].text, err) != 0)
			return error_prefix(err, "functions/%s", EMBEDDED_FUNCTIONS[i].name);
	args_init(&args);
	if (db_do(db, "epoch_ensure", &args, err) != 0)
		return -1;
	args_init(&args);
	args_int4(&args, LIMIT_PARTITIONS_AHEAD);
	return db_do(db, "partition_prepare", &args, err);
}

/* Inside the transaction of schema_init. */
static int init_locked(struct db *db, struct schema_change *change, struct error *err)
{
	struct args args;
	int version;

	args_init(&args);
	if (db_do(db, "schema_lock", &args, err) != 0)
		return -1;
	if (read_version(db, &version, err) != 0 || refuse_newer(version, err) != 0)
		return -1;
	if (run_all(db, version, err) != 0)
		return -1;
	change->before = version;
	change->after = schema_newest();
	return 0;
}

int schema_init(struct db *db, struct schema_change *change, struct error *err)
{
	struct schema_change done = { 0, 0 };

	if (db_execute(db, "begin", err) != 0)
		return -1;
	if (init_locked(db, &done, err) != 0) {
		db_execute(db, "rollback", NULL);
		return -1;
	}
	if (db_execute(db, "commit", err) != 0)
		return -1;
	*change = done;
	return 0;
}

int schema_check(struct db *db, struct error *err)
{
	int version;

	if (read_version(db, &version, err) != 0 || refuse_newer(version, err) != 0)
		return -1;
	if (version == 0)
		return error_set(err, ERROR_FATAL,
				 "the database has no schema of locum: run \"locum init\"");
	if (version < schema_newest())
		return error_set(
			err, ERROR_FATAL,
			"the database has schema version %d, and this program needs %d: run "
			"\"locum init\"",
			version, schema_newest());
	return 0;
}
