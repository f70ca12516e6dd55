#include "db/dispatcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/rows.h"

int dispatcher_register(struct db *db, const struct dispatcher_birth *birth,
			struct dispatcher_twin *twin, struct error *err)
{
	static const char *const NAMES[] = { "registered", "host", "pid", "age_ms" };
	struct args args;
	PGresult *rows;
	const char *host;
	int at[4];
	int status = -1;

	args_init(&args);
	args_uuid(&args, birth->id);
	args_uuid(&args, birth->incarnation);
	args_uuid_or_null(&args, birth->former);
	args_text(&args, birth->host);
	args_int4(&args, birth->pid);
	args_text(&args, birth->machine_id);
	args_text(&args, birth->version);
	args_int8(&args, birth->death_interval_ms);
	rows = db_call(db, "dispatcher_register", &args, err);
	if (rows == NULL || rows_columns(rows, NAMES, 4, at, err) != 0)
		goto out;
	status = rows_bool(rows, 0, at[0]) ? 1 : 0;
	if (status == 0) {
		host = rows_text(rows, 0, at[1]);
		snprintf(twin->host, sizeof(twin->host), "%s", host == NULL ? "" : host);
		twin->pid = (int)rows_int(rows, 0, at[2]);
		twin->age_ms = rows_int(rows, 0, at[3]);
	}
out:
	PQclear(rows);
	return status;
}

/* Runs a statement whose number of rows is the answer. */
static int count_rows(struct db *db, const char *statement, struct args *args, struct error *err)
{
	PGresult *rows = db_call(db, statement, args, err);
	int count;

	if (rows == NULL)
		return -1;
	count = rows_count(rows);
	PQclear(rows);
	return count;
}

int ping(struct db *db, struct uuid incarnation, int64_t death_interval_ms, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_int8(&args, death_interval_ms);
	return count_rows(db, "ping", &args, err);
}

static int signal_ask(struct args *args, struct uuid incarnation, const struct signal *taken,
		      size_t count, struct error *err)
{
	int64_t *ids = calloc(count + 1, sizeof(*ids));

	if (ids == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < count; i++)
		ids[i] = taken[i].id;
	args_init(args);
	args_uuid(args, incarnation);
	args_int8_array(args, ids, count);
	free(ids);
	return 0;
}

int signal_take(struct db *db, struct uuid incarnation, const struct signal *taken,
		size_t taken_count, struct signal **signals, size_t *count, struct error *err)
{
	static const char *const NAMES[] = { "id", "job_id", "claim_id", "kind" };
	struct args args;
	struct signal *told = NULL;
	PGresult *rows;
	int at[4];
	int status = -1;

	if (signal_ask(&args, incarnation, taken, taken_count, err) != 0)
		return -1;
	rows = db_call(db, "signal_take", &args, err);
	if (rows == NULL || rows_columns(rows, NAMES, 4, at, err) != 0)
		goto out;
	told = calloc((size_t)rows_count(rows) + 1, sizeof(*told));
	if (told == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto out;
	}
	for (int row = 0; row < rows_count(rows); row++)
		told[row] = (struct signal){
			.id = rows_int(rows, row, at[0]),
			.job_id = rows_int(rows, row, at[1]),
			.claim_id = rows_uuid(rows, row, at[2]),
			.kind = strcmp(rows_text(rows, row, at[3]), "drain") == 0 ? SIGNAL_DRAIN
										  : SIGNAL_CANCEL,
		};
	*signals = told;
	*count = (size_t)rows_count(rows);
	status = 0;
out:
	PQclear(rows);
	return status;
}

void sibling_scan_call(struct db_call *call, struct uuid incarnation)
{
	call->statement = "sibling_scan";
	args_init(&call->args);
	args_uuid(&call->args, incarnation);
}

void successor_scan_call(struct db_call *call, struct uuid from, int most)
{
	call->statement = "successor_scan";
	args_init(&call->args);
	args_uuid(&call->args, from);
	args_int4(&call->args, most);
}

enum scan_column {
	SCAN_INCARNATION,
	SCAN_ID,
	SCAN_SEQ,
	SCAN_AGE_MS,
	SCAN_DEATH_INTERVAL_MS,
	SCAN_NOW_MS,
	SCAN_SERVER_AGE_MS,
	SCAN_EPOCH,
	SCAN_EPOCH_AGE_MS,
	SCAN_SIZE,
	SCAN_COLUMNS,
};

static const char *const SCAN_NAMES[SCAN_COLUMNS] = {
	[SCAN_INCARNATION] = "incarnation",
	[SCAN_ID] = "id",
	[SCAN_SEQ] = "seq",
	[SCAN_AGE_MS] = "age_ms",
	[SCAN_DEATH_INTERVAL_MS] = "death_interval_ms",
	[SCAN_NOW_MS] = "now_ms",
	[SCAN_SERVER_AGE_MS] = "server_age_ms",
	[SCAN_EPOCH] = "epoch",
	[SCAN_EPOCH_AGE_MS] = "epoch_age_ms",
	[SCAN_SIZE] = "size",
};

int sibling_scan_rows(const PGresult *rows, struct sibling **siblings, size_t *count,
		      struct sibling_server *server, struct error *err)
{
	struct sibling *seen;
	int at[SCAN_COLUMNS];

	if (rows_columns(rows, SCAN_NAMES, SCAN_COLUMNS, at, err) != 0)
		return -1;
	seen = calloc((size_t)rows_count(rows) + 1, sizeof(*seen));
	if (seen == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	memset(server, 0, sizeof(*server));
	for (int row = 0; row < rows_count(rows); row++)
		seen[row] = (struct sibling){
			.incarnation = rows_uuid(rows, row, at[SCAN_INCARNATION]),
			.id = rows_uuid(rows, row, at[SCAN_ID]),
			.seq = rows_int(rows, row, at[SCAN_SEQ]),
			.age_ms = rows_int(rows, row, at[SCAN_AGE_MS]),
			.death_interval_ms = rows_int(rows, row, at[SCAN_DEATH_INTERVAL_MS]),
		};
	if (rows_count(rows) > 0)
		*server = (struct sibling_server){
			.now_ms = rows_int(rows, 0, at[SCAN_NOW_MS]),
			.age_ms = rows_int(rows, 0, at[SCAN_SERVER_AGE_MS]),
			.has_epoch = !rows_is_null(rows, 0, at[SCAN_EPOCH]),
			.epoch = rows_uuid(rows, 0, at[SCAN_EPOCH]),
			.epoch_age_ms = rows_int(rows, 0, at[SCAN_EPOCH_AGE_MS]),
			.size = rows_int(rows, 0, at[SCAN_SIZE]),
		};
	*siblings = seen;
	*count = (size_t)rows_count(rows);
	return 0;
}

int dispatcher_death(struct db *db, struct uuid victim, int64_t seq, struct uuid declared_by,
		     const char *evidence, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, victim);
	args_int8(&args, seq);
	args_uuid(&args, declared_by);
	args_text(&args, evidence);
	return count_rows(db, "dispatcher_death", &args, err);
}

int backend_terminate(struct db *db, struct uuid incarnation, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	return count_rows(db, "backend_terminate", &args, err);
}

int death_progress(struct db *db, struct uuid victim, int reclaimed, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, victim);
	args_int4(&args, reclaimed);
	return db_do(db, "death_progress", &args, err);
}

int dispatcher_return(struct db *db, struct uuid victim, struct uuid *by, struct error *err)
{
	struct args args;
	PGresult *rows;

	args_init(&args);
	args_uuid(&args, victim);
	rows = db_call(db, "dispatcher_return", &args, err);
	if (rows == NULL)
		return -1;
	memset(by, 0, sizeof(*by));
	if (rows_count(rows) > 0)
		*by = rows_uuid(rows, 0, PQfnumber(rows, "declared_by"));
	PQclear(rows);
	return 0;
}

int dispatcher_drain(struct db *db, struct uuid incarnation, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	return db_do(db, "dispatcher_drain", &args, err);
}

int dispatcher_stop(struct db *db, struct uuid incarnation, struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	return db_do(db, "dispatcher_stop", &args, err);
}

int agent_save(struct db *db, struct uuid incarnation, const struct agent_row *agent,
	       struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_text(&args, agent->name);
	args_int4(&args, agent->size);
	args_string_array(&args, agent->queues, agent->queue_count);
	args_string_array(&args, agent->handlers, agent->handler_count);
	args_string_array(&args, agent->broken, agent->broken_count);
	return db_do(db, "agent_save", &args, err);
}

int agent_prune(struct db *db, struct uuid incarnation, const char *const *names, size_t count,
		struct error *err)
{
	struct args args;

	args_init(&args);
	args_uuid(&args, incarnation);
	args_string_array(&args, names, count);
	return db_do(db, "agent_prune", &args, err);
}

void agent_idle_call(struct db_call *call, struct uuid incarnation, bool idle)
{
	call->statement = "agent_idle";
	args_init(&call->args);
	args_uuid(&call->args, incarnation);
	args_bool(&call->args, idle);
}

int orphan_owners(struct db *db, struct uuid **owners, size_t *count, struct error *err)
{
	struct args args;
	struct uuid *found;
	PGresult *rows;

	args_init(&args);
	rows = db_call(db, "orphan_owners", &args, err);
	if (rows == NULL)
		return -1;
	found = calloc((size_t)rows_count(rows) + 1, sizeof(*found));
	if (found == NULL) {
		PQclear(rows);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	for (int row = 0; row < rows_count(rows); row++)
		found[row] = rows_uuid(rows, row, 0);
	*owners = found;
	*count = (size_t)rows_count(rows);
	PQclear(rows);
	return 0;
}
