#include "tools/bench/race.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "db/args.h"
#include "tools/bench/sql.h"

struct bare {
	PGconn *conn;
	struct uuid dispatcher;
	int batch;
	int64_t cursor; /* the highest id that was claimed here */
	int64_t *ids;   /* of the claim that is not completed yet */
	size_t count;
	struct uuid claim_id;
};

static const int BINARY[ARGS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

static int fail(const struct bare *bare, struct error *err)
{
	return error_set(err, ERROR_FATAL, "bare: %s", PQerrorMessage(bare->conn));
}

static int succeed(const struct bare *bare, PGresult *result, struct error *err)
{
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : fail(bare, err);
}

static void bare_close(void *loop)
{
	struct bare *bare = loop;

	PQfinish(bare->conn);
	free(bare->ids);
	free(bare);
}

static int open_with(const char *complete, void **loop, const struct race *race, struct error *err)
{
	struct bare *bare = calloc(1, sizeof(*bare));

	if (bare == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	bare->batch = race->batch;
	bare->dispatcher = uuid_make();
	bare->ids = calloc((size_t)race->batch, sizeof(*bare->ids));
	bare->conn = PQconnectdb(race->conninfo);
	if (bare->ids == NULL || PQstatus(bare->conn) != CONNECTION_OK)
		fail(bare, err);
	else if (succeed(bare, PQexec(bare->conn, sql_text("bare_pin")), err) == 0 &&
		 succeed(bare, PQprepare(bare->conn, "claim", sql_text("bare_claim"), 0, NULL),
			 err) == 0 &&
		 succeed(bare, PQprepare(bare->conn, "complete", sql_text(complete), 0, NULL),
			 err) == 0 &&
		 PQenterPipelineMode(bare->conn) == 1) {
		*loop = bare;
		return 0;
	}
	bare_close(bare);
	return -1;
}

static int open_kept(void **loop, const struct race *race, struct error *err)
{
	return open_with("bare_complete", loop, race, err);
}

static int open_none(void **loop, const struct race *race, struct error *err)
{
	return open_with("bare_forget", loop, race, err);
}

static int send(struct bare *bare, const char *statement, struct args *args, struct error *err)
{
	int sent = !args->failed &&
		   PQsendQueryPrepared(bare->conn, statement, args->count, args->values,
				       args->lengths, BINARY, 1) == 1;

	args_fini(args);
	return sent ? 0 : fail(bare, err);
}

static int send_turn(struct bare *bare, struct uuid claim_id, struct error *err)
{
	struct args args;

	if (bare->count > 0) {
		args_init(&args);
		args_int8_array(&args, bare->ids, bare->count);
		args_uuid(&args, bare->claim_id);
		if (send(bare, "complete", &args, err) != 0)
			return -1;
	}
	args_init(&args);
	args_uuid(&args, claim_id);
	args_uuid(&args, bare->dispatcher);
	args_int8(&args, bare->cursor);
	args_int4(&args, bare->batch);
	if (send(bare, "claim", &args, err) != 0)
		return -1;
	return PQpipelineSync(bare->conn) == 1 ? 0 : fail(bare, err);
}

/* The result of the next statement, the caller's to PQclear, or NULL. */
static PGresult *take(struct bare *bare, struct error *err)
{
	PGresult *result = PQgetResult(bare->conn);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		PQclear(PQgetResult(bare->conn)); /* the NULL behind it */
		return result;
	}
	PQclear(result);
	fail(bare, err);
	return NULL;
}

static void read_ids(struct bare *bare, const PGresult *claim)
{
	bare->count = (size_t)PQntuples(claim);
	for (size_t i = 0; i < bare->count; i++) {
		uint64_t wire;

		memcpy(&wire, PQgetvalue(claim, (int)i, 0), sizeof(wire));
		bare->ids[i] = (int64_t)be64toh(wire);
		if (bare->ids[i] > bare->cursor)
			bare->cursor = bare->ids[i];
	}
}

static int bare_turn(void *loop, size_t *claimed, size_t *completed, struct error *err)
{
	struct bare *bare = loop;
	struct uuid claim_id = uuid_make();
	bool completing = bare->count > 0;
	PGresult *result;

	if (send_turn(bare, claim_id, err) != 0)
		return -1;
	if (completing) {
		result = take(bare, err);
		if (result == NULL)
			return -1;
		*completed = (size_t)strtoull(PQcmdTuples(result), NULL, 10);
		PQclear(result);
	}
	result = take(bare, err);
	if (result == NULL)
		return -1;
	read_ids(bare, result);
	PQclear(result);
	bare->claim_id = claim_id;
	*claimed = bare->count;
	result = PQgetResult(bare->conn);
	completing = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	PQclear(result);
	return completing ? 0 : fail(bare, err);
}

const struct contestant BARE_CONTESTANT = { "bare", open_kept, bare_turn, bare_close };
const struct contestant BARE_NONE_CONTESTANT = { "bare_none", open_none, bare_turn, bare_close };
