/* What is done to sessions, transactions and tables of a server that goes on: rows 31 to 33, 47, 48, 53 to 56, 58. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chaos/faults/fault.h"
#include "tools/chaos/faults/grip.h"
#include "tools/chaos/faults/tune.h"
#include "tools/chaos/stage/server.h"
#include "tools/chaos/stage/stage.h"

enum {
	BITE_MS = 20000,
	WAIT_SIZE = 128,
	GRIPS_MAX = 2000,
	PIN_TRANSACTIONS = 500,
	DEAD_ROWS = 50000,
	ROLLBACKS = 3,
};

/* What a bout holds on to. */
struct own {
	struct grip *grips[GRIPS_MAX];
	size_t grip_count;
	char wait[WAIT_SIZE]; /* of a session for a standby */
	int64_t before;       /* what a counter said */
};

static struct own *own_of(struct bout *bout, struct error *err)
{
	if (bout->own == NULL)
		bout->own = calloc(1, sizeof(struct own));
	if (bout->own == NULL)
		error_set(err, ERROR_RETRY, "out of memory");
	return bout->own;
}

static struct server *server_of(const struct bout *bout)
{
	return bout->stage->server;
}

static struct grip *take_grip(struct bout *bout, struct error *err)
{
	struct own *own = own_of(bout, err);
	struct grip *grip;

	if (own == NULL || server_await(server_of(bout), BITE_MS, err) != 0)
		return NULL;
	grip = grip_open(server_of(bout), err);
	if (grip != NULL)
		own->grips[own->grip_count++] = grip;
	return grip;
}

static int let_go(struct bout *bout, struct error *err)
{
	struct own *own = bout->own;

	(void)err;
	while (own != NULL && own->grip_count > 0)
		grip_close(own->grips[--own->grip_count]);
	return 0;
}

static int64_t death_ms(const struct bout *bout)
{
	return bout->stage->act->intervals.death_ms;
}

/* --- 31: sessions-terminated -------------------------------------------------------------------- */

static int inject_terminated(struct bout *bout, struct error *err)
{
	static const char *const PERCENT[] = { "30", "60", "100" };
	int64_t ended = 0;
	int64_t more;

	for (int round = 0; round < 3; round++) {
		const char *params[] = { PERCENT[bout_draw(bout, 3)] };

		if (server_run(server_of(bout), "session_terminate", params, 1, &more, err) != 0)
			return -1;
		ended += more;
	}
	if (ended > 0)
		bout_witness(bout, "%" PRId64 " sessions of dispatchers are gone", ended);
	return 0;
}

/* --- 32, 33: sessions that wait for a standby --------------------------------------------------- */

static bool somebody_waits(struct bout *bout)
{
	struct own *own = bout->own;

	return server_look(server_of(bout), "sync_waiting", NULL, 0, own->wait, sizeof(own->wait),
			   NULL) == 0 &&
	       own->wait[0] != '\0';
}

static bool waits_no_more(struct bout *bout)
{
	const struct own *own = bout->own;
	const char *params[] = { own->wait };
	int64_t waits;

	return server_run(server_of(bout), "sync_waits", params, 1, &waits, NULL) == 0 &&
	       waits == 0;
}

/* Lets commits wait for a standby that never comes, and ends the wait of one with that statement. */
static int end_wait(struct bout *bout, const char *statement, struct error *err)
{
	struct own *own = own_of(bout, err);
	char pid[WAIT_SIZE];
	const char *params[] = { pid };

	if (own == NULL ||
	    tune_set(server_of(bout), bout->fault->name, "synchronous_standby_names = 'nobody'\n",
		     err) != 0 ||
	    bout_await(bout, somebody_waits, BITE_MS, "a commit waits for a standby", err) != 0)
		return -1;
	snprintf(pid, sizeof(pid), "%.*s", (int)strcspn(own->wait, " "), own->wait);
	if (server_run(server_of(bout), statement, params, 1, NULL, err) != 0)
		return -1;
	return bout_await(bout, waits_no_more, BITE_MS, "the wait for a standby ends", err);
}

static int inject_wait_terminated(struct bout *bout, struct error *err)
{
	if (end_wait(bout, "session_end", err) != 0)
		return -1;
	bout_witness(bout, "a session that waited for a standby with its commit done is gone");
	return 0;
}

static int inject_wait_cancelled(struct bout *bout, struct error *err)
{
	if (end_wait(bout, "session_cancel", err) != 0)
		return -1;
	bout_witness(bout, "a session that waited for a standby was made to answer without it");
	return 0;
}

static int untune(struct bout *bout, struct error *err)
{
	let_go(bout, err);
	return tune_unset(server_of(bout), bout->fault->name, err);
}

/* --- 47, 48: what makes transactions fail ------------------------------------------------------- */

static bool are_rolled_back(struct bout *bout)
{
	const struct own *own = bout->own;
	int64_t now;

	return server_run(server_of(bout), "rollbacks", NULL, 0, &now, NULL) == 0 &&
	       now >= own->before + ROLLBACKS;
}

static int await_rollbacks(struct bout *bout, const char *lines, struct error *err)
{
	struct own *own = own_of(bout, err);

	if (own == NULL ||
	    server_run(server_of(bout), "rollbacks", NULL, 0, &own->before, err) != 0 ||
	    tune_set(server_of(bout), bout->fault->name, lines, err) != 0)
		return -1;
	return bout_await(bout, are_rolled_back, BITE_MS, "transactions are rolled back", err);
}

static int inject_serialization(struct bout *bout, struct error *err)
{
	if (await_rollbacks(bout, "default_transaction_isolation = 'repeatable read'\n", err) != 0)
		return -1;
	bout_witness(bout, "%d transactions and more were rolled back under repeatable read",
		     ROLLBACKS);
	return 0;
}

/* A table that is locked for a while makes the statements that are short otherwise last so long. */
static int inject_timeouts(struct bout *bout, struct error *err)
{
	struct grip *grip = take_grip(bout, err);

	if (grip == NULL || grip_run(grip, "lock_job", err) != 0 ||
	    await_rollbacks(bout,
			    "statement_timeout = 50\nlock_timeout = 50\n"
			    "idle_in_transaction_session_timeout = 50\n",
			    err) != 0)
		return -1;
	bout_witness(bout, "%d statements and more ran out of 50 ms", ROLLBACKS);
	return let_go(bout, err);
}

/* --- 53: connections-exhausted ------------------------------------------------------------------ */

static int inject_exhausted(struct bout *bout, struct error *err)
{
	struct own *own = own_of(bout, err);

	while (own != NULL && own->grip_count < GRIPS_MAX && take_grip(bout, err) != NULL)
		;
	if (own == NULL || strcmp(err->sqlstate, "53300") != 0)
		return -1;
	bout_witness(bout, "the server refused a connection after %zu more: %s", own->grip_count,
		     err->text);
	return 0;
}

/* --- 54, 55: locked tables ---------------------------------------------------------------------- */

static bool job_is_waited_for(struct bout *bout)
{
	const char *params[] = { "locum.job" };
	int64_t waiters;

	return server_run(server_of(bout), "lock_waiters", params, 1, &waiters, NULL) == 0 &&
	       waiters > 0;
}

static bool ping_is_waited_for(struct bout *bout)
{
	const char *params[] = { "locum.dispatcher_ping" };
	int64_t waiters;

	return server_run(server_of(bout), "lock_waiters", params, 1, &waiters, NULL) == 0 &&
	       waiters > 0;
}

static int inject_lock(struct bout *bout, const char *script, bool (*waited_for)(struct bout *),
		       struct error *err)
{
	struct grip *grip = take_grip(bout, err);

	if (grip == NULL || grip_run(grip, script, err) != 0 ||
	    bout_await(bout, waited_for, BITE_MS, "a dispatcher waits for the table", err) != 0)
		return -1;
	bout_witness(bout, "a dispatcher waits for the table that is locked");
	return 0;
}

static int inject_job_locked(struct bout *bout, struct error *err)
{
	return inject_lock(bout, "lock_job", job_is_waited_for, err);
}

static int inject_ping_locked(struct bout *bout, struct error *err)
{
	return inject_lock(bout, "lock_ping", ping_is_waited_for, err);
}

static int64_t three_deaths_ms(const struct bout *bout)
{
	return 3 * death_ms(bout);
}

/* --- 56, 58: what keeps the table from being cleaned -------------------------------------------- */

static bool is_pinned(struct bout *bout)
{
	const struct own *own = bout->own;
	char pid[16];
	const char *params[] = { pid };
	int64_t age;

	snprintf(pid, sizeof(pid), "%d", grip_pid(own->grips[0]));
	return server_run(server_of(bout), "pin_age", params, 1, &age, NULL) == 0 &&
	       age >= PIN_TRANSACTIONS;
}

static int inject_pin(struct bout *bout, struct error *err)
{
	struct grip *grip = take_grip(bout, err);

	if (grip == NULL || grip_run(grip, "pin_begin", err) != 0 ||
	    bout_await(bout, is_pinned, BITE_MS, "the snapshot grows old", err) != 0)
		return -1;
	bout_witness(bout, "a snapshot is more than %d transactions old", PIN_TRANSACTIONS);
	return 0;
}

static int64_t four_deaths_ms(const struct bout *bout)
{
	return 4 * death_ms(bout);
}

static bool are_dead(struct bout *bout)
{
	int64_t count;

	return server_run(server_of(bout), "dead_count", NULL, 0, &count, NULL) == 0 &&
	       count >= DEAD_ROWS;
}

static int inject_dead_rows(struct bout *bout, struct error *err)
{
	struct grip *pin = take_grip(bout, err);
	struct grip *grip = pin == NULL ? NULL : take_grip(bout, err);

	if (grip == NULL ||
	    tune_set(server_of(bout), bout->fault->name, "autovacuum = off\n", err) != 0 ||
	    grip_run(pin, "pin_begin", err) != 0 || grip_run(grip, "dead_rows", err) != 0 ||
	    bout_await(bout, are_dead, BITE_MS, "the table is full of dead rows", err) != 0)
		return -1;
	bout_witness(bout, "the server counts more than %d dead rows among the jobs", DEAD_ROWS);
	return 0;
}

/* --- the catalogue's rows ----------------------------------------------------------------------- */

#define QUIET (FAULT_NO_DEATH | FAULT_NO_OVERLAP)

const struct fault fault_session[] = {
	{
		.row = 31,
		.name = "sessions-terminated",
		.demands = QUIET,
		.what = "sessions of dispatchers are terminated at random, three times",
		.tool = "pg_terminate_backend",
		.witness = "the sessions are gone",
		.heals = "the dispatchers connect again",
		.pass = "nobody dies of it",
		.inject = inject_terminated,
	},
	{
		.row = 32,
		.name = "commit-wait-terminated",
		.lonely = true,
		.demands = QUIET | FAULT_NO_CONFLICT | FAULT_OWNS_SERVER,
		.what = "a session is terminated while its commit, which is done, waits for a standby",
		.tool = "synchronous_standby_names, pg_terminate_backend",
		.witness = "the session waited in SyncRep, and is gone",
		.heals = "commits wait for no standby any more",
		.pass = "the unknown commit is resolved as accepted; nothing is reassigned",
		.inject = inject_wait_terminated,
		.heal = untune,
	},
	{
		.row = 33,
		.name = "commit-wait-cancelled",
		.lonely = true,
		.demands = QUIET | FAULT_NO_CONFLICT | FAULT_OWNS_SERVER,
		.what = "a session is cancelled while its commit, which is done, waits for a standby: it "
			"answers with success and a warning",
		.tool = "synchronous_standby_names, pg_cancel_backend",
		.witness = "the session waited in SyncRep, and waits no more",
		.heals = "commits wait for no standby any more",
		.pass = "what was accepted is accepted; nothing is reassigned",
		.inject = inject_wait_cancelled,
		.heal = untune,
	},
	{
		.row = 47,
		.name = "serialization-storm",
		.demands = QUIET | FAULT_NO_ATTEMPT | FAULT_OWNS_SERVER,
		.what = "every transaction runs at repeatable read, where those that meet fail",
		.tool = "default_transaction_isolation",
		.witness = "the server counts transactions that were rolled back",
		.heals = "transactions run at read committed again",
		.pass = "transactions are tried again, not handlers",
		.inject = inject_serialization,
		.heal = untune,
	},
	{
		.row = 48,
		.name = "timeouts-everywhere",
		.demands = QUIET | FAULT_OWNS_SERVER,
		.what = "statements, waits for locks and idle transactions end after 50 ms, while the jobs "
			"are locked",
		.tool = "statement_timeout, lock_timeout, idle_in_transaction_session_timeout",
		.witness = "the server counts transactions that were rolled back",
		.heals = "the timeouts are taken away",
		.pass = "nobody dies of it",
		.inject = inject_timeouts,
		.heal = untune,
	},
	{
		.row = 53,
		.name = "connections-exhausted",
		.demands = QUIET | FAULT_OWNS_SERVER,
		.what = "every connection that the server has left is taken",
		.tool = "connections",
		.witness = "the server refuses one more",
		.heals = "they are closed",
		.pass = "nobody dies: the pings have their connection",
		.inject = inject_exhausted,
		.hold_ms = three_deaths_ms,
		.heal = let_go,
	},
	{
		.row = 54,
		.name = "job-table-locked",
		.demands = QUIET,
		.what = "the jobs are locked exclusively for three death intervals",
		.tool = "LOCK TABLE",
		.witness = "a dispatcher's session waits for the table",
		.heals = "the transaction ends",
		.pass = "claims stall, pings do not; nobody dies",
		.inject = inject_job_locked,
		.hold_ms = three_deaths_ms,
		.heal = let_go,
	},
	{
		.row = 55,
		.name = "ping-table-locked",
		.demands = QUIET,
		.what = "the pings are locked exclusively for three death intervals",
		.tool = "LOCK TABLE",
		.witness = "a dispatcher's session waits for the table",
		.heals = "the transaction ends",
		.pass = "who cannot ping declares nobody dead; nobody dies",
		.inject = inject_ping_locked,
		.hold_ms = three_deaths_ms,
		.heal = let_go,
	},
	{
		.row = 56,
		.name = "transaction-long",
		.demands = QUIET | FAULT_NO_CONFLICT | FAULT_QUICK_CLAIMS,
		.what = "a transaction keeps its snapshot while jobs come and go",
		.tool = "REPEATABLE READ",
		.witness = "the snapshot grows older by hundreds of transactions",
		.heals = "the transaction ends",
		.pass = "99 % of the jobs wait at most five times as long as usual for a claim, or 5 s; nobody dies, nothing is reassigned",
		.shortened = true,
		.inject = inject_pin,
		.hold_ms = four_deaths_ms,
		.heal = let_go,
	},
	{
		.row = 58,
		.name = "dead-rows",
		.demands = QUIET | FAULT_NO_CONFLICT | FAULT_OWNS_SERVER | FAULT_QUICK_CLAIMS,
		.what = "a hundred thousand dead rows stand at the head of the line, and nothing may clean "
			"them away",
		.tool = "autovacuum = off, a transaction that keeps its snapshot",
		.witness = "the server counts the dead rows",
		.heals = "the transaction ends, autovacuum goes on",
		.pass = "99 % of the jobs wait at most five times as long as usual for a claim, or 5 s; nobody dies, nothing is reassigned",
		.shortened = true,
		.inject = inject_dead_rows,
		.hold_ms = four_deaths_ms,
		.heal = untune,
	},
	{ 0 },
};
