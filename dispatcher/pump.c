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
#include "dispatcher/lookout.h"
#include "dispatcher/policy.h"
#include "dispatcher/pump_state.h"
#include "dispatcher/recall.h"
#include "dispatcher/reload.h"
#include "dispatcher/session.h"
#include "dispatcher/status.h"
#include "dispatcher/turn.h"

enum {
	PAUSE_MS = 100, /* after an error that a repetition may mend */
	END_MS = 10000, /* longest wait for the last outcomes after the agents were stopped */
	WAIT_MAX_MS = 60000,
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
	if (pump->failures++ == 0)
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
	if (connection->db == NULL || db_is_lost(connection->db)) {
		pump_lose(pump, connection, err);
		return;
	}
	log_warning("a transaction failed and comes again", log_err(err),
		    log_text("sqlstate", err->sqlstate));
	pump->retry_due_ms = clock_monotonic_ms() + PAUSE_MS +
			     policy_reconnect_delay_ms(pump->troubles++,
						       pump->options.config->ping_interval_ms);
}

static void begin_life(struct pump *pump, struct uuid incarnation)
{
	const struct config *config = pump->options.config;
	struct observer_settings settings = {
		.self = incarnation,
		.scan_interval_ms = config->scan_interval_ms,
		.ping_interval_ms = config->ping_interval_ms,
		.margin_ms = config->fence_margin_ms,
	};

	pump->incarnation = incarnation;
	pump->alive = true;
	pump->failures = 0;
	pump->troubles = 0;
	pump->retry_due_ms = 0;
	pump->sweep_due_ms = 0;
	pump->reconcile = false;
	observer_close(pump->observer);
	pump->observer = observer_open(&settings);
	reaper_set_life(pump->options.reaper, incarnation);
}

static void drop_dead(struct holding *holding, void *context)
{
	courier_lose(context, holding,
		     "this dispatcher was silent for longer than its ping_death_interval");
}

/* Declared dead: whatever is held belongs to others now. */
static void end_life(struct pump *pump)
{
	pump->alive = false;
	close_all(pump);
	pump->receipt_count = 0;
	ledger_each(pump->ledger, drop_dead, pump);
	outbox_clear(pump->outbox);
	notes_clear(&pump->notes);
	courier_flush(pump);
	pinger_dropped(pump->options.pinger);
}

static void take_signal(struct pump *pump, const struct signal *signal)
{
	struct holding *holding = ledger_find(pump->ledger, signal->job_id, signal->claim_id);

	if (holding == NULL)
		return;
	switch (signal->kind) {
	case SIGNAL_CANCEL:
		holding->cancelled = true;
		courier_cancel(pump, holding, WIRE_CANCEL_REQUESTED);
		return;
	case SIGNAL_DRAIN:
		return; /* the pinger tells main */
	case SIGNAL_LOST:
		if (holding->stage == HOLDING_ENDED)
			return; /* the refusal of its outcome says so */
		courier_lose(pump, holding, "its claim was taken away");
		return;
	}
}

static void become_quiet(struct pump *pump)
{
	if (!pump->quiet)
		log_info("quiet: nothing more is claimed",
			 log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	pump->quiet = true;
}

static void begin_drain(struct pump *pump)
{
	if (pump->draining)
		return;
	pump->draining = true;
	pump->drain_deadline_ms = clock_monotonic_ms() + pump->options.config->drain_timeout_ms;
	log_info("draining", log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	courier_recall(pump);
}

/* The time for finishing is over, or somebody is in a hurry. */
static void release_all(struct pump *pump, int64_t grace_ms)
{
	if (pump->releasing)
		return;
	pump->draining = true;
	pump->releasing = true;
	pump->drain_deadline_ms = clock_monotonic_ms() + grace_ms + END_MS;
	if (ledger_count(pump->ledger) > 0)
		log_warning("handing back what remains",
			    log_number("remaining", (int64_t)ledger_count(pump->ledger)));
	courier_stop(pump, grace_ms);
}

static void take_mail(struct pump *pump, const struct mail *mail)
{
	switch (mail->kind) {
	case MAIL_BORN:
		begin_life(pump, mail->incarnation);
		return;
	case MAIL_DEAD:
		end_life(pump);
		return;
	case MAIL_SIGNAL:
		take_signal(pump, &mail->signal);
		return;
	case MAIL_QUIET:
		become_quiet(pump);
		return;
	case MAIL_DRAIN:
		begin_drain(pump);
		return;
	case MAIL_RELEASE:
		release_all(pump, 0);
		return;
	case MAIL_AGENT_BORN:
		courier_meet(pump, mail->agent, mail->fd);
		return;
	case MAIL_AGENT_DEAD:
		courier_part(pump, mail->agent);
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

static void say_drain(struct pump *pump)
{
	struct error err = { ERROR_NONE, "", "" };

	if (!pump->draining || pump->drain_said)
		return;
	pump->drain_said = true;
	if (dispatcher_drain(pump->main.db, pump->incarnation, &err) != 0)
		log_warning("the drain could not be recorded", log_err(&err));
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
	say_drain(pump);
	completer_confirm(pump, now_ms);
	lookout_run(pump, now_ms);
	if (pump->main.db != NULL && now_ms >= pump->retry_due_ms)
		turn_begin(pump, now_ms);
	return 0;
}

static void work(struct pump *pump)
{
	int64_t now_ms;

	take_answer(pump, &pump->main);
	if (pump->main.db != NULL && pump->main.turn == NULL)
		take_notification(pump);
	for (int i = 0; i < PUMP_EXTRA; i++)
		take_answer(pump, &pump->extra[i]);
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

/* Whether the drain is over. */
static bool is_drained(struct pump *pump)
{
	if (!pump->draining)
		return false;
	if (ledger_count(pump->ledger) == 0 && !turn_is_claiming(pump))
		return true;
	if (clock_monotonic_ms() < pump->drain_deadline_ms)
		return false;
	if (pump->releasing)
		return true;
	release_all(pump, pump->options.config->kill_grace_ms);
	return false;
}

static void *run(void *context)
{
	struct pump *pump = context;
	uint64_t one = 1;
	ssize_t written;

	while (!is_drained(pump)) {
		wait_for_events(pump);
		work(pump);
		recall_run(pump, clock_monotonic_ms());
		courier_dismiss(pump);
		courier_flush(pump);
		status_tell(pump);
	}
	log_info("pump stopped", log_number("completed", (int64_t)pump->counts.completed),
		 log_number("reassigned", (int64_t)pump->counts.reassigned),
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
	complete = started->ledger != NULL && started->outbox != NULL;
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
