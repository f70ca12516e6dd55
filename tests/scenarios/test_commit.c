/* Commits whose fate is unknown: held on their way, answered to nobody, never sent, and those of the dead. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { BATCH = 1000 };

/* Its connections give up an answer after 1.5 s. */
static struct scenario_daemon *start_behind_relay(struct scenario *s, const char *settings)
{
	struct scenario_daemon *daemon;

	scenario_gate(s, "gate");
	scenario_handler(s, "done", "", "begin; gate gate; note end; printf 42 >&3");
	scenario_handler(s, "again", "",
			 "begin; [ $LOCUM_ATTEMPT = 1 ] || exit 0; gate gate; note end; exit 75");
	scenario_handler(s, "quick", "", "note run");
	scenario_relay(s);
	daemon = scenario_start(s, "one", "%s", settings);
	scenario_direct(s);
	return daemon;
}

/* Two jobs run: one is about to be completed, the other to be tried again. */
static void start_jobs(struct scenario *s)
{
	database_do(s->database,
		    "select locum.submit('done'), locum.submit('again', retry_delay => '0')");
	scenario_await_active(s, 2);
}

/* Each end counted once: one run of the first, and the second was tried again once. */
static void assert_counted_once(struct scenario *s, struct scenario_daemon *daemon)
{
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(s->database, "1|1|1|0\n2|2|2|0",
		   "select id, attempt, claim_seq, interruptions + recoveries "
		   "from locum.finished order by id");
	assert_int_equal(scenario_noted(s, "start "), 3);
	assert_int_equal(scenario_logged(s, daemon, "was reassigned"), 0);
	scenario_await(s, "select count(*) = 0 from locum.receipt");
	scenario_drain(s, daemon);
}

static void harm_one_commit(struct scenario *s, enum relay_harm harm)
{
	struct scenario_daemon *daemon = start_behind_relay(s, "");

	start_jobs(s);
	relay_set(s->detour.relay,
		  &(struct relay_rule){ .trigger = "job_complete", .harm = harm, .times = 1 });
	scenario_let(s, "gate", 2);
	detour_await(&s->detour, 1);
	assert_counted_once(s, daemon);
}

static void a_commit_that_is_never_sent_is_sent_again(void **state)
{
	harm_one_commit(*state, RELAY_CUT_REQUEST);
}

static void a_commit_whose_answer_is_dropped_counts_once(void **state)
{
	harm_one_commit(*state, RELAY_CUT_ANSWER);
}

/* The client has given up, connected anew, and sent it again when the first arrives. */
static void a_commit_that_arrives_after_its_repetition_changes_nothing(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_behind_relay(s, "");

	start_jobs(s);
	relay_set(s->detour.relay, &(struct relay_rule){ .trigger = "job_complete",
							 .harm = RELAY_HOLD_AND_CUT,
							 .times = 1 });
	scenario_let(s, "gate", 2);
	detour_await(&s->detour, 1);
	scenario_await_finished(s, 2, "completed");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await(s, "select count(*) = 1 from pg_stat_activity where datname = "
			  "current_database() and application_name like 'locum/pump/%%'");
	assert_counted_once(s, daemon);
}

/* Longer than anybody waits for an answer, and longer than a dispatcher may be silent. */
static void a_commit_that_is_held_for_long_is_given_up_and_counts_once(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon = start_behind_relay(s, "");

	start_jobs(s);
	relay_set(
		s->detour.relay,
		&(struct relay_rule){ .trigger = "job_complete", .harm = RELAY_HOLD, .times = 1 });
	scenario_let(s, "gate", 2);
	detour_await(&s->detour, 1);
	scenario_await_logged(s, daemon, 1, "connected to the database again");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	relay_set(s->detour.relay, &DETOUR_PASS);
	assert_counted_once(s, daemon);
}

/* --- of the dead ------------------------------------------------------------------------------- */

static void a_held_commit_of_the_dead_is_refused_when_it_arrives(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim = start_behind_relay(s, "");
	char incarnation[64];

	scenario_submit(s, 1, "done");
	scenario_await_active(s, 1);
	snprintf(incarnation, sizeof(incarnation), "%s", scenario_incarnation(s, victim));
	relay_set(s->detour.relay,
		  &(struct relay_rule){ .trigger = "job_complete", .harm = RELAY_HOLD_AND_CUT });
	scenario_let(s, "gate", 1);
	detour_await(&s->detour, 1);
	scenario_kill(s, victim);
	scenario_start(s, "sibling", "%s", "");
	scenario_await_noted(s, 1, "start 1 2 ");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await(s,
		       "select count(*) = 0 from pg_stat_activity where "
		       "right(application_name, 36) = '%s'",
		       incarnation);
	assert_sql(s->database, "2|0",
		   "select claim_seq, (select count(*) from locum.finished) from locum.job");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_sql(s->database, "2", "select claim_seq from locum.finished");
}

/* Its completion waits for a lock of somebody else's when it is killed. Whether the server does it or not, there
 * is one result. */
static void a_request_of_the_dead_that_waits_for_a_lock_leaves_one_result(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim = start_behind_relay(s, "");
	PGconn *holder = database_connection(s->database);

	scenario_submit(s, 1, "done");
	scenario_await_active(s, 1);
	PQclear(PQexec(holder, "begin; lock table locum.receipt"));
	scenario_let(s, "gate", 2);
	scenario_await_claiming(s);
	scenario_kill(s, victim);
	scenario_start(s, "sibling", "%s", "");
	scenario_await(s, "select count(*) = 1 from locum.death");
	PQfinish(holder);
	scenario_await_finished(s, 1, "completed");
	scenario_await(s, "select count(*) = 0 from locum.job");
	assert_sql(s->database, "42", "select result from locum.finished");
	assert_sql(s->database, "t",
		   "select claim_seq = (select count(*) from locum.death d where "
		   "d.declared_by = finished.incarnation) + 1 from locum.finished");
	assert_int_equal(scenario_noted(s, "overlap "), 0);
}

/* --- stopped in the middle ---------------------------------------------------------------------- */

/* What a stopped dispatcher has claimed, or was about to, is done by its sibling. */
static void assert_batch_is_done(struct scenario *s, struct scenario_daemon *victim)
{
	scenario_start(s, "sibling", "agent \"main\" { size = 8 }");
	scenario_await(s, "select count(*) = 1 from locum.death");
	scenario_await_finished(s, BATCH, "completed");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_thaw(s, victim);
	scenario_await_logged(s, victim, 2, "dispatcher registered");
	scenario_assert_done_once(s, BATCH);
	assert_int_equal(scenario_noted(s, "run "), BATCH);
	scenario_drain(s, victim);
}

/* Its agent has as many slots as the batch has jobs. */
static struct scenario_daemon *start_greedy(struct scenario *s, const char *settings)
{
	char all[256];
	struct scenario_daemon *daemon;

	snprintf(all, sizeof(all), "agent \"main\" { size = %d } log_level = \"info\" %s",
		 (int)BATCH, settings);
	daemon = start_behind_relay(s, all);
	scenario_rest(s, daemon);
	scenario_submit(s, BATCH, "quick");
	return daemon;
}

static void a_batch_claimed_for_a_stopped_dispatcher_is_done_by_its_sibling(void **state)
{
	struct scenario *s = *state;
	/* It gives the lock up after its death interval. */
	struct scenario_daemon *victim = start_greedy(s, "ping_death_interval = \"4s\"");
	PGconn *holder = scenario_lock_row(s, victim);

	scenario_thaw(s, victim);
	scenario_await_claiming(s);
	scenario_freeze(s, victim);
	PQfinish(holder);
	scenario_await(s, "select count(*) = %d from locum.job where state = 'assigned'",
		       (int)BATCH);
	assert_batch_is_done(s, victim);
}

/* Nobody else may lock a row. The look itself locks what is free, and a claim at that moment passes it over. */
static bool is_locked(struct scenario *s)
{
	return database_int(s->database, "select count(*) from (select from locum.job for update "
					 "skip locked) job") == 0;
}

/* Each of its claims is held; one that it has given up by the time it stands still is none. */
static void freeze_in_claim(struct scenario *s, struct scenario_daemon *victim)
{
	int64_t deadline_ms = scenario_deadline_ms();

	relay_set(s->detour.relay,
		  &(struct relay_rule){ .trigger = "job_claim", .harm = RELAY_HOLD_SYNC });
	do {
		int64_t hits = relay_hits(s->detour.relay);

		scenario_thaw(s, victim);
		detour_await(&s->detour, hits + 1);
		scenario_freeze(s, victim);
		/* A row tells who locked it even when he is gone. */
		scenario_await(s, "select count(*) = %d from locum.job where xmax <> 0",
			       (int)BATCH);
		if (is_locked(s))
			return;
	} while (scenario_pause(deadline_ms));
	scenario_fail(s, "no claim was left open");
}

/* The statement is done, and the Sync that commits it does not come: the rows are locked by a silent client. */
static void a_claim_that_a_stopped_dispatcher_leaves_open_locks_nobody_out(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim = start_greedy(s, "");

	freeze_in_claim(s, victim);
	assert_sql(s->database, "0", "select count(*) from locum.job where state <> 'pending'");
	assert_batch_is_done(s, victim);
}

/* --- the reaper --------------------------------------------------------------------------------- */

static void a_reaper_that_loses_its_connection_reaps_later(void **state)
{
	struct scenario *s = *state;
	PGconn *holder = database_connection(s->database);
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_start(s, "sibling", "%s", "");
	PQclear(PQexec(holder, "begin; lock table locum.death"));
	scenario_kill(s, victim);
	scenario_await(s, "select exists (select pg_terminate_backend(pid) from pg_stat_activity "
			  "where datname = current_database() and wait_event_type = 'Lock' and "
			  "application_name like 'locum/reaper/%%')");
	PQfinish(holder);
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(s->database, "1|2", "select count(*), sum(reclaimed) from locum.death");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_commit_that_is_never_sent_is_sent_again),
		SCENARIO_CALM_TEST(a_commit_whose_answer_is_dropped_counts_once),
		SCENARIO_CALM_TEST(a_commit_that_arrives_after_its_repetition_changes_nothing),
		SCENARIO_TEST(a_commit_that_is_held_for_long_is_given_up_and_counts_once),
		SCENARIO_TEST(a_held_commit_of_the_dead_is_refused_when_it_arrives),
		SCENARIO_TEST(a_request_of_the_dead_that_waits_for_a_lock_leaves_one_result),
		SCENARIO_TEST(a_batch_claimed_for_a_stopped_dispatcher_is_done_by_its_sibling),
		SCENARIO_TEST(a_claim_that_a_stopped_dispatcher_leaves_open_locks_nobody_out),
		SCENARIO_TEST(a_reaper_that_loses_its_connection_reaps_later),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
