#include "dispatcher/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "db/job.h"
#include "db/queue.h"
#include "db/rows.h"
#include "db/sqlstate.h"
#include "dispatcher/courier.h"
#include "dispatcher/turn.h"

enum {
	QUEUES_INTERVAL_MS = 1000,
	LOOK_MOST = 10000,
	BUSY_MS = 50, /* of work, and submitters need not wake us */
};

static int save_agents(struct pump *pump, struct error *err)
{
	const struct config *config = pump->options.config;
	const char *names[LIMIT_AGENTS];
	size_t name_count = 0;

	for (int i = 0; i < pump->agent_count; i++) {
		struct agent_row row = { .name = config->agents[i].name,
					 .size = config->agents[i].size };

		if (config->agents[i].leaving)
			continue;
		names[name_count++] = row.name;
		row.queues = claimer_queues(pump->claimers[i], &row.queue_count);
		row.handlers = claimer_handlers(pump->claimers[i], &row.handler_count);
		row.broken = claimer_broken(pump->claimers[i], &row.broken_count);
		if (agent_save(pump->main.db, pump->incarnation, &row, err) != 0)
			return -1;
	}
	if (agent_prune(pump->main.db, pump->incarnation, names, name_count, err) != 0)
		return -1;
	pump->agents_dirty = false;
	return 0;
}

/* But those that a look has just found as they are known. */
static int find_queues(struct pump *pump, int64_t now_ms, struct error *err)
{
	for (int i = 0; i < pump->agent_count; i++) {
		struct queue_row *rows;
		size_t count;
		const char *const *names = claimer_queues(pump->claimers[i], &count);
		int found;

		if (now_ms < claimer_confirmed_ms(pump->claimers[i]) + 2 * QUEUES_INTERVAL_MS)
			continue;
		rows = calloc(count + 1, sizeof(*rows));
		found = rows == NULL ? -1 : queue_find(pump->main.db, names, count, rows, err);
		if (found > 0)
			claimer_set_queues(pump->claimers[i], rows, (size_t)found);
		free(rows);
		if (found < 0)
			return -1;
	}
	return 0;
}

/* The claims in the ledger. */
struct known {
	struct holding **holdings;
	size_t count;
};

static void note_holding(struct holding *holding, void *context)
{
	struct known *known = context;

	known->holdings[known->count++] = holding;
}

static int list_known(const struct pump *pump, struct known *known, struct error *err)
{
	known->holdings = calloc(ledger_count(pump->ledger) + 1, sizeof(struct holding *));
	if (known->holdings == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	ledger_each(pump->ledger, note_holding, known);
	return 0;
}

/* Who does not get its pings through is perhaps dead, and leaves its runs to the fence and to that news: a handler that
 * may finish through a silence may do so. */
static bool is_silent(const struct pump *pump)
{
	return clock_boottime_ms() - pinger_ack_boot_ms(pump->options.pinger) >=
	       2 * pump->options.config->ping_interval_ms;
}

/* What claim_look says of running jobs: a claim may be lost while this dispatcher lives, by a failover that
 * forgot it or by somebody's hand, and a cancellation may have come before its claim was known here. */
static int take_look(struct pump *pump, const PGresult *rows, struct error *err)
{
	static const char *const NAMES[] = { "id", "claim_id", "lost" };
	int at[3];

	if (rows_columns(rows, NAMES, 3, at, err) != 0)
		return -1;
	for (int row = 0; row < rows_count(rows); row++) {
		struct holding *holding = ledger_find(pump->ledger, rows_int(rows, row, at[0]),
						      rows_uuid(rows, row, at[1]));

		if (holding == NULL)
			continue;
		if (rows_bool(rows, row, at[2])) {
			if (!is_silent(pump))
				courier_lose(pump, holding, "its claim was taken away");
		} else if (!holding->cancelled) {
			holding->cancelled = true;
			courier_cancel(pump, holding, WIRE_CANCEL_REQUESTED);
		}
	}
	return 0;
}

/* Some of the runs that have not ended. */
struct look {
	int64_t ids[LOOK_MOST];
	struct uuid claim_ids[LOOK_MOST];
	size_t count;
};

/* Fills a look from this place on; returns where the next one begins. */
static size_t fill_look(struct look *look, const struct known *known, size_t at)
{
	look->count = 0;
	for (; at < known->count && look->count < LOOK_MOST; at++) {
		const struct holding *holding = known->holdings[at];

		if (holding->stage == HOLDING_ENDED)
			continue;
		look->ids[look->count] = holding->id;
		look->claim_ids[look->count++] = holding->claim_id;
	}
	return at;
}

static int call_unknown(struct db_call *call, const struct pump *pump, const struct known *known,
			struct error *err)
{
	int64_t *ids = calloc(known->count + 1, sizeof(*ids));

	if (ids == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	for (size_t i = 0; i < known->count; i++)
		ids[i] = known->holdings[i]->id;
	claim_unknown_call(call, pump->incarnation, ids, known->count);
	free(ids); /* the call has its own form of them */
	return 0;
}

/* By the claims that the database named: a session that is given up now may do it when the same jobs are claimed anew. */
static int give_back(struct pump *pump, const PGresult *unknown, struct error *err)
{
	size_t count = (size_t)rows_count(unknown);
	int64_t *ids = calloc(count + 1, sizeof(*ids));
	struct uuid *claim_ids = calloc(count + 1, sizeof(*claim_ids));
	struct db_call call;
	PGresult *rows = NULL;
	int status = -1;

	if (ids == NULL || claim_ids == NULL) {
		error_set(err, ERROR_RETRY, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		ids[i] = rows_int(unknown, (int)i, 0);
		claim_ids[i] = rows_uuid(unknown, (int)i, 1);
	}
	claim_release_call(&call, ids, claim_ids, count);
	status = db_run(pump->main.db, &call, 1, &rows, err);
	if (status == 0 && rows_count(rows) > 0) {
		log_info("claims that are not with us were given back",
			 log_number("jobs", rows_count(rows)));
	} else if (status != 0 && sqlstate_is_locked(err->sqlstate)) {
		log_debug("claims that are not with us are locked", log_err(err));
		status = 0; /* the next time, then */
	}
	PQclear(rows);
out:
	free(ids);
	free(claim_ids);
	return status;
}

/* One transaction: the first one asks what is not with us, each asks what became of some that are. A look drops no holdings
 * but its own. */
static int ask(struct pump *pump, const struct known *known, size_t *at, struct look *look,
	       struct error *err)
{
	struct db_call calls[2];
	PGresult *rows[2] = { NULL, NULL };
	bool first = *at == 0;
	size_t count = 0;
	int status;

	if (first && call_unknown(&calls[count++], pump, known, err) != 0)
		return -1;
	*at = fill_look(look, known, *at);
	claim_look_call(&calls[count], look->ids, look->claim_ids, look->count);
	status = db_run(pump->main.db, calls, count + 1, rows, err);
	if (status == 0)
		status = take_look(pump, rows[count], err);
	if (status == 0 && first && rows_count(rows[0]) > 0)
		status = give_back(pump, rows[0], err);
	PQclear(rows[0]);
	PQclear(rows[1]);
	return status;
}

/* Gives back what the database counts as ours and we do not have, and drops what we have and the database
 * counts as somebody else's. */
static int compare(struct pump *pump, const struct known *known, struct error *err)
{
	struct look *look = malloc(sizeof(*look));
	size_t at = 0;
	int status;

	if (look == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	do
		status = ask(pump, known, &at, look, err);
	while (status == 0 && at < known->count);
	free(look);
	return status;
}

/* After each loss of a connection, as often as we ping while we have any claims, and else now and then: the server may
 * commit a claim long after its connection was given up. */
static int reconcile(struct pump *pump, struct error *err)
{
	struct known known = { 0 };
	int status = list_known(pump, &known, err);

	if (status == 0)
		status = compare(pump, &known, err);
	if (status == 0) {
		pump->reconcile = false;
		pump->reconcile_due_ms = clock_monotonic_ms() +
					 (ledger_count(pump->ledger) > 0
						  ? pump->options.config->ping_interval_ms
						  : pump->options.config->ping_death_interval_ms);
	}
	free(known.holdings);
	return status;
}

static int open_db(struct pump *pump, struct connection *connection, struct error *err)
{
	const struct config *config = pump->options.config;
	struct db_options options = {
		.conninfo = config->database,
		.role = "pump",
		.incarnation = pump->incarnation,
		.prepared = config->prepared != 0,
		.pinned = config->prepared != 0,
		.answer_ms = config->ping_death_interval_ms,
	};

	return primary_connect(pump->options.primary, &connection->db, &options,
			       &connection->timeline, err);
}

/* PgBouncer in transaction mode takes LISTEN without a word, and gives prepared statements to others. */
static void warn_of_pooler(struct pump *pump)
{
	const struct config *config = pump->options.config;

	if (pump->pooler_said || !primary_is_pooled(pump->options.primary) ||
	    (config->listen == 0 && config->prepared == 0))
		return;
	log_warning("a pooler stands before the database; unless it pools sessions this will fail",
		    log_text("needed", "--no-listen --no-prepared"));
	pump->pooler_said = true;
}

/* The database is in another timeline than that in which completions were acknowledged: which are lost? They
 * are told, and not done again: what is lost is in line again, or gone. */
static int check_recent(struct pump *pump, struct error *err)
{
	size_t count = recent_count(pump->recent);
	int64_t lost;

	if (pump->main.timeline == pump->checked_timeline)
		return 0;
	lost = pump->checked_timeline == 0 ? 0 : recent_check(pump->recent, pump->main.db, err);
	if (lost < 0)
		return -1;
	if (pump->checked_timeline != 0)
		log_info("completions were looked for after a failover",
			 log_number("acknowledged", (int64_t)count), log_number("lost", lost));
	pump->counts.lost += (uint64_t)lost;
	pump->checked_timeline = pump->main.timeline;
	return 0;
}

static int open_main(struct pump *pump, struct error *err)
{
	char channel[64];
	char uuid[UUID_TEXT_SIZE];

	if (open_db(pump, &pump->main, err) != 0)
		return -1;
	snprintf(channel, sizeof(channel), "locum_%s", uuid_text(pump->incarnation, uuid));
	if ((pump->options.config->listen != 0 && db_listen(pump->main.db, channel, err) != 0) ||
	    save_agents(pump, err) != 0 || find_queues(pump, INT64_MAX, err) != 0) {
		db_close(pump->main.db);
		pump->main.db = NULL;
		return -1;
	}
	pump->refused = false;
	warn_of_pooler(pump);
	for (int i = 0; i < pump->agent_count; i++)
		claimer_restart(pump->claimers[i]);
	return 0;
}

/* All claimers that may claim are dry: a submitter should wake us. One of them is not, and has been so for a while or has
 * no room: it need not, and should wake somebody else. A job now and then is claimed without saying so twice. */
static int say_idle(struct pump *pump, int64_t now_ms, struct error *err)
{
	bool may_claim = !pump->draining && !pump->quiet && pump->options.config->listen != 0;
	bool idle = false;
	bool busy = false;
	bool room = true;
	struct db_call call;
	PGresult *rows = NULL;

	for (int i = 0; may_claim && i < pump->agent_count; i++) {
		bool ready = link_is_ready(&pump->links[i]);
		bool works = ready && !claimer_is_dry(pump->claimers[i]);

		idle = idle || ready;
		busy = busy || works;
		room = room && (!works || turn_may_claim(pump, i, now_ms));
	}
	idle = idle && !busy;
	if (!busy || !pump->busy)
		pump->busy_since_ms = now_ms;
	pump->busy = busy;
	if (idle == pump->idle || (busy && room && now_ms - pump->busy_since_ms < BUSY_MS))
		return 0;
	agent_idle_call(&call, pump->incarnation, idle);
	if (db_run(pump->main.db, &call, 1, &rows, err) != 0)
		return -1;
	PQclear(rows);
	pump->idle = idle;
	return 0;
}

int session_prepare(struct pump *pump, int64_t now_ms, struct error *err)
{
	if (pump->main.db == NULL && open_main(pump, err) != 0)
		return -1;
	/* A pooler's connection outlives a failover. */
	if (now_ms >= pump->queues_due_ms && primary_is_pooled(pump->options.primary) &&
	    primary_check(pump->options.primary, pump->main.db, &pump->main.timeline, err) != 0)
		return -1;
	if (check_recent(pump, err) != 0)
		return -1;
	/* What a claim on its way brings is ours, and not known yet: no other begins until it is. */
	if (now_ms >= pump->reconcile_due_ms)
		pump->reconcile = true;
	if (pump->reconcile && !turn_is_claiming(pump) && reconcile(pump, err) != 0)
		return -1;
	if (pump->agents_dirty && save_agents(pump, err) != 0)
		return -1;
	if (now_ms >= pump->queues_due_ms) {
		pump->queues_due_ms = now_ms + QUEUES_INTERVAL_MS;
		if (!pump->draining && find_queues(pump, now_ms, err) != 0)
			return -1;
	}
	return say_idle(pump, now_ms, err);
}

int session_open_extra(struct pump *pump, struct connection *connection, struct error *err)
{
	return connection->db != NULL ? 0 : open_db(pump, connection, err);
}
