/* Statements about dispatchers: their lives, pings, deaths, agents and what they are told. */
#ifndef LOCUM_DB_DISPATCHER_H
#define LOCUM_DB_DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "db/db.h"

struct dispatcher_birth {
	struct uuid id;
	struct uuid incarnation;
	struct uuid former; /* own corpse, proved by the state file's lock; none: zero */
	const char *host;
	int pid;
	const char *machine_id;
	const char *version;
	int64_t death_interval_ms;
};

/* Who is in the way of a registration. */
struct dispatcher_twin {
	char host[256];
	int pid;
	int64_t age_ms; /* of its last ping */
};

/* Returns 1 when registered, 0 with *twin set when another incarnation of the same id is alive, or -1. */
int dispatcher_register(struct db *db, const struct dispatcher_birth *birth,
			struct dispatcher_twin *twin, struct error *err);

/* Returns 1 when acknowledged, 0 when the incarnation was declared dead, or -1. */
int ping(struct db *db, struct uuid incarnation, int64_t death_interval_ms, struct error *err);

enum signal_kind {
	SIGNAL_CANCEL,
	SIGNAL_DRAIN, /* of the whole dispatcher: job_id and claim_id are zero */
};

struct signal {
	int64_t id;
	int64_t job_id;
	struct uuid claim_id;
	enum signal_kind kind;
};

/* Sets *signals to a new array of *count, the caller's to free. They come again until a call says that they
 * were taken. */
int signal_take(struct db *db, struct uuid incarnation, const struct signal *taken,
		size_t taken_count, struct signal **signals, size_t *count, struct error *err);

/* A living incarnation as one scan saw it. Ages are by the database's clock. */
struct sibling {
	struct uuid incarnation;
	struct uuid id;
	int64_t seq;
	int64_t age_ms;
	int64_t death_interval_ms;
};

/* What a scan saw of the database itself. */
struct sibling_server {
	int64_t now_ms;
	int64_t age_ms; /* since the server's start */
	bool has_epoch;
	struct uuid epoch;
	int64_t epoch_age_ms;
	int64_t size; /* of the fleet; 0: not counted */
};

/* Of the first `most` from an id on. */
void successor_scan_call(struct db_call *call, struct uuid from, int most);

void sibling_scan_call(struct db_call *call, struct uuid incarnation);

/* Reads the answer of either scan into a new array, the caller's to free; this incarnation is among them. */
int sibling_scan_rows(const PGresult *rows, struct sibling **siblings, size_t *count,
		      struct sibling_server *server, struct error *err);

/* Declares dead whose ping is still the one observed. Returns 1 when this call did it, 0 when it pinged or
 * somebody else declared it, or -1; ERROR_RETRY with SQLSTATE 55P03 means that its locks are held. */
int dispatcher_death(struct db *db, struct uuid victim, int64_t seq, struct uuid declared_by,
		     const char *evidence, struct error *err);

/* Ends the connections of an incarnation. Returns how many, or -1. */
int backend_terminate(struct db *db, struct uuid incarnation, struct error *err);

int death_progress(struct db *db, struct uuid victim, int reclaimed, struct error *err);

/* Records that the victim came back. Writes who declared it dead, or nothing, into by. */
int dispatcher_return(struct db *db, struct uuid victim, struct uuid *by, struct error *err);

int dispatcher_drain(struct db *db, struct uuid incarnation, struct error *err);
int dispatcher_stop(struct db *db, struct uuid incarnation, struct error *err);

struct agent_row {
	const char *name;
	int size;
	const char *const *queues;
	size_t queue_count;
	const char *const *handlers;
	size_t handler_count;
	const char *const *broken;
	size_t broken_count;
};

int agent_save(struct db *db, struct uuid incarnation, const struct agent_row *agent,
	       struct error *err);

/* Forgets all agents but those of these names. */
int agent_prune(struct db *db, struct uuid incarnation, const char *const *names, size_t count,
		struct error *err);
void agent_idle_call(struct db_call *call, struct uuid incarnation, bool idle);

/* Sets *owners to a new array of incarnations that hold claims and are not alive. */
int orphan_owners(struct db *db, struct uuid **owners, size_t *count, struct error *err);

#endif
