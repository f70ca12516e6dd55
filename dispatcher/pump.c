#include "dispatcher/pump.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/dispatcher.h"
#include "dispatcher/completer.h"
#include "dispatcher/courier.h"
#include "dispatcher/drain.h"
#include "dispatcher/lookout.h"
#include "dispatcher/parting.h"
#include "dispatcher/policy.h"
#include "dispatcher/probation.h"
#include "dispatcher/pump_state.h"
#include "dispatcher/recall.h"
#include "dispatcher/reload.h"
#include "dispatcher/scout.h"
#include "dispatcher/session.h"
#include "dispatcher/status.h"
#include "dispatcher/turn.h"

enum {
	PAUSE_MS = 100, /* after an error that a repetition may mend */
	WAIT_MAX_MS = 60000,
	LAST_ANSWER_MS = 2000, /* a dead dispatcher waits no longer for what it sent */
	EXTRA_IDLE_MS = 10000, /* an additional connection that is not used is closed */
	EXTRA_RETRY_MS = 5000,
};

static void close_connection(struct pump *pump, struct connection *connection)
{
	turn_drop(pump, connection);
	db_close(connection->db);
	connection->db = NULL;
}

static void close_all(struct pump *pump)
{
	close_connection(pump, &pump->main);
	for (int i = 0; i < PUMP_EXTRA; i++)
		close_connection(pump, &pump->extra[i]);
	pump->idle = false;
}

static void lose_main(struct pump *pump, const struct error *err)
{
	bool refused = err->kind == ERROR_FATAL && !pump->refused;

	if (refused)
		log_error("the database is refused; nothing is claimed there", log_err(err));
	pump->refused = pump->refused || refused;
	if (pump->failures++ == 0 && !refused)
		log_warning("connection to the database lost; results are kept", log_err(err));
	pump->idle = false;
	pump->reconcile = true;
	pump->retry_due_ms = clock_monotonic_ms() +
			     policy_reconnect_delay_ms(pump->failures,
						       pump->options.config->ping_interval_ms);
	if (pump->observer != NULL)
		observer_restart(pump->observer);
}

void pump_lose(struct pump *pump, struct connection *connection, const struct error *err)
{
	close_connection(pump, connection);
	if (connection == &pump->main) {
		lose_main(pump, err);
		return;
	}
	log_info("an additional connection to the database is not to be had", log_err(err));
	connection->retry_due_ms = clock_monotonic_ms() + EXTRA_RETRY_MS;
}

void pump_fail(struct pump *pump, struct connection *connection, const struct error *err)
{
	/* It only reads: the primary became a standby, and another host may be the primary. */
	bool demoted = strcmp(err->sqlstate, "25006") == 0;

	if (connection->db == NULL || db_is_lost(connection->db) || demoted) {
		pump_lose(pump, connection, err);
		return;
	}
	log_warning("a transaction failed and comes again", log_err(err),
		    log_text("sqlstate", err->sqlstate));
	pump->retry_due_ms = clock_monotonic_ms() + PAUSE_MS +
			     policy_reconnect_delay_ms(pump->troubles++,
						       pump->options.config->ping_interval_ms);
}

void pump_succeed(struct pump *pump, const struct connection *connection)
{
	pump->troubles = 0;
	if (connection != &pump->main || pump->failures == 0)
		return;
	log_info("connected to the database again", log_number("failed", pump->failures));
	pump->failures = 0;
}

static void begin_life(struct pump *pump, struct uuid incarnation, int64_t life)
{
	const struct config *config = pump->options.config;
	struct observer_settings settings = {
		.self = incarnation,
		.scan_interval_ms = config->scan_interval_ms,
		.ping_interval_ms = config->ping_interval_ms,
		.margin_ms = config->fence_margin_ms,
	};

	pump->incarnation = incarnation;
	pump->life = life;
	pump->alive = true;
	pump->failures = 0;
	pump->troubles = 0;
	pump->retry_due_ms = 0;
	pump->sweep_due_ms = 0;
	pump->reconcile = false;
	pump->probation.until_ms = 0;
	observer_close(pump->observer);
	pump->observer = observer_open(&settings);
	reaper_set_life(pump->options.reaper, incarnation);
}

static void drop_dead(struct holding *holding, void *context)
{
	courier_lose(context, holding,
		     "this dispatcher was silent for longer than its ping_death_interval");
}

static void drop_running(struct holding *holding, void *context)
{
	if (holding->stage != HOLDING_ENDED)
		drop_dead(holding, context);
}

/* Declared dead: whatever is held belongs to others now, but for what was completed before, whose answer may
 * still be on its way. The database has just answered the pinger, so that it comes soon or not at all. */
static void end_life(struct pump *pump)
{
	pump->alive = false;
	ledger_each(pump->ledger, drop_running, pump);
	courier_flush(pump);
	turn_take_all(pump, LAST_ANSWER_MS);
	close_all(pump);
	pump->receipt_count = 0;
	ledger_each(pump->ledger, drop_dead, pump);
	outbox_clear(pump->outbox);
	notes_clear(&pump->notes);
	courier_flush(pump);
	pinger_dropped(pump->options.pinger);
}

/* A job whose claim is not with us yet is cancelled when the claims are looked at. */
static void take_signal(struct pump *pump, const struct signal *signal)
{
	struct holding *holding = ledger_find(pump->ledger, signal->job_id, signal->claim_id);

	if (holding == NULL || signal->kind != SIGNAL_CANCEL)
		return;
	holding->cancelled = true;
	courier_cancel(pump, holding, WIRE_CANCEL_REQUESTED);
}

static void take_mail(struct pump *pump, const struct mail *mail)
{
	switch (mail->kind) {
	case MAIL_BORN:
		begin_life(pump, mail->incarnation, mail->life);
		return;
	case MAIL_DEAD:
		end_life(pump);
		return;
	case MAIL_SIGNAL:
		take_signal(pump, &mail->signal);
		return;
	case MAIL_QUIET:
		drain_quiet(pump);
		return;
	case MAIL_DRAIN:
		drain_begin(pump, mail->since_ms);
		return;
	case MAIL_RELEASE:
		drain_release(pump);
		return;
	case MAIL_AGENT_BORN:
		courier_meet(pump, mail->agent, mail->fd);
		return;
	case MAIL_AGENT_DEAD:
		parting_take(pump, mail->agent);
		return;
	case MAIL_RELOAD:
		reload_take(pump, mail->config);
		return;
	}
}

static void read_mail(struct pump *pump)
{
	struct mail *mail = mailbox_take(pump->options.box);

	while (mail != NULL) {
		struct mail *next = mail->next;

		take_mail(pump, mail);
		free(mail);
		mail = next;
	}
}

/* Something came on main that is no answer. */
static void take_notification(struct pump *pump)
{
	bool told;

	if (db_notified(pump->main.db, &told))
		for (int i = 0; i < pump->agent_count; i++)
			claimer_wake(pump->claimers[i]);
	if (told)
		pinger_hurry(pump->options.pinger);
	if (db_is_lost(pump->main.db))
		pump_lose(pump, &pump->main,
			  &(struct error){ .text = "the server closed the connection" });
}

static void take_answer(struct pump *pump, struct connection *connection)
{
	if (connection->turn != NULL && db_has_answer(connection->db))
		turn_take(pump, connection);
}

/* What main is too slow for goes on another connection as well. */
static void work_more(struct pump *pump, struct connection *extra, int64_t now_ms)
{
	struct error err = { ERROR_NONE, "", "" };

	if (extra->turn != NULL || now_ms < extra->retry_due_ms)
		return;
	/* What runs noted is written before their ends, and main writes it. */
	if (pump->main.turn != NULL && pump->notes.count == 0 &&
	    turn_is_worth_another(pump, now_ms)) {
		if (session_open_extra(pump, extra, &err) != 0)
			pump_lose(pump, extra, &err);
		else
			turn_begin_extra(pump, extra, now_ms);
	} else if (extra->db != NULL && now_ms - extra->used_ms > EXTRA_IDLE_MS) {
		close_connection(pump, extra);
	}
}

/* What belongs to main alone, as long as no turn is on it. */
static int work_main(struct pump *pump, int64_t now_ms)
{
	struct error err = { ERROR_NONE, "", "" };

	if (session_prepare(pump, now_ms, &err) != 0 ||
	    notes_write(&pump->notes, pump->main.db, &err) != 0) {
		pump_fail(pump, &pump->main, &err);
		return -1;
	}
	drain_say(pump);
	completer_confirm(pump, now_ms);
	lookout_run(pump, now_ms);
	if (pump->main.db == NULL || now_ms < pump->retry_due_ms)
		return 0;
	if (scout_run(pump, now_ms, &err) != 0) {
		pump_fail(pump, &pump->main, &err);
		return -1;
	}
	turn_begin(pump, now_ms);
	return 0;
}

/* A connection from before a failover leads to a primary that is none any more, even if it still answers. */
static void leave_former_primary(struct pump *pump)
{
	static const struct error FORMER = { ERROR_RETRY, "", "it leads to a former primary" };
	int64_t timeline = primary_timeline(pump->options.primary);

	if (pump->main.db != NULL && pump->main.timeline < timeline)
		pump_lose(pump, &pump->main, &FORMER);
	for (int i = 0; i < PUMP_EXTRA; i++)
		if (pump->extra[i].db != NULL && pump->extra[i].timeline < timeline)
			pump_lose(pump, &pump->extra[i], &FORMER);
}

static void work(struct pump *pump)
{
	int64_t now_ms;

	take_answer(pump, &pump->main);
	if (pump->main.db != NULL && pump->main.turn == NULL)
		take_notification(pump);
	for (int i = 0; i < PUMP_EXTRA; i++)
		take_answer(pump, &pump->extra[i]);
	leave_former_primary(pump);
	now_ms = clock_monotonic_ms();
	if (!pump->alive || now_ms < pump->retry_due_ms ||
	    (pump->main.turn == NULL && work_main(pump, now_ms) != 0))
		return;
	for (int i = 0; i < PUMP_EXTRA && now_ms >= pump->retry_due_ms; i++)
		work_more(pump, &pump->extra[i], now_ms);
}

static void earliest(int64_t *due_ms, int64_t candidate_ms)
{
	if (candidate_ms < *due_ms)
		*due_ms = candidate_ms;
}

static int64_t main_due_ms(const struct pump *pump)
{
	int64_t due_ms;

	if (pump->main.db == NULL)
		return pump->retry_due_ms;
	if (pump->main.turn != NULL)
		return db_deadline_ms(pump->main.db);
	due_ms = turn_due_ms(pump);
	earliest(&due_ms, pump->scan_due_ms);
	if (!turn_is_claiming(pump))
		earliest(&due_ms, pump->reconcile_due_ms);
	if (pump->receipt_count > 0)
		earliest(&due_ms, pump->confirm_due_ms);
	return due_ms < pump->retry_due_ms ? pump->retry_due_ms : due_ms;
}

static int wait_ms(const struct pump *pump)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t due_ms = now_ms + WAIT_MAX_MS;

	if (pump->alive)
		earliest(&due_ms, main_due_ms(pump));
	for (int i = 0; i < PUMP_EXTRA; i++)
		if (pump->extra[i].turn != NULL)
			earliest(&due_ms, db_deadline_ms(pump->extra[i].db));
	earliest(&due_ms, pump->recall_due_ms);
	if (!probation_is_free(pump))
		earliest(&due_ms, pump->probation.until_ms);
	if (pump->draining)
		earliest(&due_ms, pump->drain_deadline_ms);
	return due_ms <= now_ms ? 0 : (int)(due_ms - now_ms);
}

/* What to wait for on a connection: an answer, or on main, when it has no turn, a notification. */
static struct pollfd poll_connection(const struct connection *connection, bool listens)
{
	if (connection->turn != NULL)
		return (struct pollfd){ .fd = db_fd(connection->db),
					.events = db_events(connection->db) };
	return (struct pollfd){ .fd = listens && connection->db != NULL ? db_fd(connection->db)
									: -1,
				.events = POLLIN };
}

static void wait_for_events(struct pump *pump)
{
	struct pollfd fds[LIMIT_AGENTS + 2 + PUMP_EXTRA];
	nfds_t count = (nfds_t)pump->agent_count;

	for (int i = 0; i < pump->agent_count; i++)
		fds[i] = (struct pollfd){
			.fd = pump->links[i].fd,
			.events = (short)(POLLIN |
					  (buffer_length(&pump->links[i].out) > 0 ? POLLOUT : 0)),
		};
	fds[count++] = (struct pollfd){ .fd = mailbox_fd(pump->options.box), .events = POLLIN };
	fds[count++] = poll_connection(&pump->main, true);
	for (int i = 0; i < PUMP_EXTRA; i++)
		fds[count++] = poll_connection(&pump->extra[i], false);
	if (poll(fds, count, wait_ms(pump)) <= 0)
		return;
	for (int i = 0; i < pump->agent_count; i++)
		if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			courier_receive(pump, i);
	if (fds[pump->agent_count].revents != 0)
		read_mail(pump);
}

static void *run(void *context)
{
	struct pump *pump = context;
	uint64_t one = 1;
	ssize_t written;

	while (!drain_is_over(pump)) {
		wait_for_events(pump);
		work(pump);
		recall_run(pump, clock_monotonic_ms());
		probation_run(pump, clock_monotonic_ms());
		courier_dismiss(pump);
		courier_flush(pump);
		status_tell(pump);
	}
	drain_log(pump);
	log_info("pump stopped", log_number("completed", (int64_t)pump->counts.completed),
		 log_number("reassigned", (int64_t)pump->counts.reassigned),
		 log_number("lost", (int64_t)pump->counts.lost),
		 log_number("not_replicated", (int64_t)pump->counts.unreplicated),
		 log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	written = write(pump->options.done_fd, &one, sizeof(one));
	(void)written;
	return NULL;
}

static void pump_free(struct pump *pump)
{
	close_all(pump);
	for (int i = 0; i < pump->agent_count; i++) {
		link_close(&pump->links[i]);
		claimer_close(pump->claimers[i]);
	}
	ledger_close(pump->ledger);
	outbox_close(pump->outbox);
	recent_close(pump->recent);
	notes_clear(&pump->notes);
	observer_close(pump->observer);
	reload_close(pump);
	free(pump);
}

int pump_start(struct pump **pump, const struct pump_options *options, struct error *err)
{
	struct pump *started = calloc(1, sizeof(*started));
	bool complete;
	int failed;

	if (started == NULL)
		return error_set(err, ERROR_FATAL, "out of memory");
	started->options = *options;
	started->agent_count = options->config->agent_count;
	started->status_busy = -1;
	started->ledger = ledger_open();
	started->outbox = outbox_open();
	started->recent = recent_open();
	complete = started->ledger != NULL && started->outbox != NULL && started->recent != NULL;
	for (int i = 0; i < started->agent_count; i++) {
		link_init(&started->links[i]);
		started->claimers[i] = claimer_open(options->config, &options->config->agents[i]);
		complete = complete && started->claimers[i] != NULL;
	}
	failed = complete ? pthread_create(&started->thread, NULL, run, started) : 0;
	if (!complete || failed != 0) {
		pump_free(started);
		return failed == 0
			       ? error_set(err, ERROR_FATAL, "out of memory")
			       : error_set_errno(err, ERROR_FATAL, failed, "cannot start the pump");
	}
	*pump = started;
	return 0;
}

size_t pump_join(struct pump *pump)
{
	size_t remaining;

	pthread_join(pump->thread, NULL);
	remaining = ledger_count(pump->ledger);
	pump_free(pump);
	return remaining;
}
