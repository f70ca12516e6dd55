/* What may befall a dispatcher between its polls, in the middle of a claim, and at its end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { ERRORS = 5, CUTS = 6, CUTS_LEAST_MS = (100 + 200 + 400 + 800 + 1600) / 2 };

/* "answer" runs to its end; "slow" stops at a gate of its run; both say 42. */
static void add_handlers(struct scenario *s)
{
	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	scenario_handler(s, "answer", "", "begin; note run; printf 42 >&3");
	scenario_handler(s, "slow", "", "begin; gate gate.$LOCUM_CLAIM_SEQ; printf 42 >&3");
}

/* A job with a follow-up. */
static void submit_slow(struct scenario *s)
{
	database_do(s->database,
		    "select locum.submit('slow', \"then\" => '{\"success\": \"answer\"}')");
}

/* The job 1 ran once more, and what follows it ran once. */
static void assert_done_with_follow_up(struct scenario *s)
{
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(s->database, "1|1|42|-\n2|0|42|1",
		   "select id, interruptions, result, follows from locum.finished order by id");
	assert_int_equal(scenario_noted(s, "start 1 "), 2);
	assert_int_equal(scenario_noted(s, "run 2 "), 1);
}

static void await_waiting_claim(struct scenario *s, const char *state)
{
	scenario_await(s, "select state = '%s' from locum.job where id = 1", state);
}

/* --- a claim and a poll ------------------------------------------------------------------------- */

/* Cancels the job 1 while a claim that has seen it waits. */
static void remove_in_the_middle_of_a_claim(struct scenario *s, struct scenario_daemon **daemon)
{
	PGconn *holder;

	add_handlers(s);
	*daemon = scenario_start(s, "one", "%s", "");
	scenario_rest(s, *daemon);
	holder = scenario_lock_row(s, *daemon);
	scenario_submit(s, 1, "answer");
	scenario_thaw(s, *daemon);
	scenario_await_claiming(s);
	assert_sql(s->database, "t", "select locum.cancel(1)");
	PQfinish(holder);
}

static void a_job_removed_in_the_middle_of_a_claim_is_not_claimed_and_polling_goes_on(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	remove_in_the_middle_of_a_claim(s, &daemon);
	scenario_submit(s, 1, "answer");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|cancelled|0\n2|completed|1",
		   "select id, state, claim_seq from locum.finished order by id");
	assert_int_equal(scenario_noted(s, "start 1 "), 0);
	assert_int_equal(scenario_logged(s, daemon, "a transaction failed"), 0);
	scenario_drain(s, daemon);
}

static void a_removed_job_that_is_wanted_again_runs(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	remove_in_the_middle_of_a_claim(s, &daemon);
	assert_sql(s->database, "2", "select locum.retry(1)");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "2|42|1",
		   "select id, result, retry_of from locum.finished where state = 'completed'");
	scenario_drain(s, daemon);
}

static void a_claim_whose_every_commit_fails_is_done_once_when_one_does_not(void **state)
{
	struct scenario *s = *state;
	struct relay *relay = scenario_relay(s);
	struct scenario_daemon *daemon;
	int64_t deadline_ms = scenario_deadline_ms();

	add_handlers(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_rest(s, daemon); /* no claim from before is on its way */
	relay_set(relay, &(struct relay_rule){ .trigger = "job_claim", .harm = RELAY_CUT_REQUEST });
	scenario_submit(s, 1, "answer");
	scenario_thaw(s, daemon);
	while (relay_hits(relay) < ERRORS)
		assert_true(scenario_pause(deadline_ms));
	assert_sql(s->database, "pending|0", "select state, claim_seq from locum.job");
	relay_set(relay, &DETOUR_PASS);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_int_equal(scenario_noted(s, "run "), 1);
	assert_int_not_equal(scenario_logged(s, daemon, "connected to the database again"), 0);
	scenario_drain(s, daemon);
}

/* Connecting works each time. The pauses grow from 50 ms by doubling, and are at least half of that. */
static void a_claim_whose_every_commit_fails_is_tried_more_and_more_seldom(void **state)
{
	struct scenario *s = *state;
	struct relay *relay = scenario_relay(s);
	struct scenario_daemon *daemon;
	int64_t deadline_ms = scenario_deadline_ms();
	int64_t began_ms;

	add_handlers(s);
	daemon = scenario_start(s, "one", "ping_interval = \"2s\" ping_death_interval = \"10s\"");
	scenario_rest(s, daemon);
	relay_set(relay, &(struct relay_rule){ .trigger = "job_claim", .harm = RELAY_CUT_REQUEST });
	scenario_submit(s, 1, "answer");
	began_ms = clock_monotonic_ms();
	scenario_thaw(s, daemon);
	while (relay_hits(relay) < CUTS)
		assert_true(scenario_pause(deadline_ms));
	assert_in_range(clock_monotonic_ms() - began_ms, CUTS_LEAST_MS, INT64_MAX);
	assert_int_equal(scenario_logged(s, daemon, "connection to the database lost"), 1);
	relay_set(relay, &DETOUR_PASS);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_logged(s, daemon, "connected to the database again"), 1);
	scenario_drain(s, daemon);
}

static void a_claim_whose_answer_is_lost_is_given_back_and_claimed_anew(void **state)
{
	struct scenario *s = *state;
	struct relay *relay = scenario_relay(s);
	struct scenario_daemon *daemon;

	add_handlers(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_rest(s, daemon);
	scenario_submit(s, 1, "answer");
	relay_set(relay, &(struct relay_rule){
				 .trigger = "job_claim", .harm = RELAY_CUT_ANSWER, .times = 1 });
	scenario_thaw(s, daemon);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_sql(s->database, "2|0|0",
		   "select claim_seq, interruptions, recoveries from locum.finished");
	assert_int_equal(scenario_noted(s, "run "), 1);
	assert_int_equal(scenario_logged(s, daemon, "claims that are not with us were given back"),
			 1);
	scenario_drain(s, daemon);
}

static void a_poll_that_fails_does_not_end_polling(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	add_handlers(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "answer");
	scenario_await_finished(s, 1, "completed");
	/* From here on the claim is prepared: a name that goes while a statement is being prepared is not missed by it. */
	database_do(s->database, "alter function locum.claimable(int[]) rename to missing");
	scenario_submit(s, 1, "answer");
	scenario_await_logged(s, daemon, ERRORS, "a transaction failed and comes again");
	assert_non_null(strstr(s->text, "locum.claimable"));
	database_do(s->database, "alter function locum.missing(int[]) rename to claimable");
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	scenario_drain(s, daemon);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void a_job_of_a_stopped_dispatcher_runs_again_when_it_comes_back(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	add_handlers(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"200ms\"");
	submit_slow(s);
	scenario_await_active(s, 1);
	scenario_drain(s, daemon);
	assert_sql(s->database, "pending|0|1", "select state, lane, interruptions from locum.job");
	scenario_run(s, daemon);
	scenario_let(s, "gate.2", 1);
	assert_done_with_follow_up(s);
}

/* A dispatcher that was killed with its job active; it would be alive for an hour yet. */
static struct scenario_daemon *start_and_kill(struct scenario *s)
{
	struct scenario_daemon *victim = scenario_start(s, "victim",
							"ping_death_interval = \"1h\"");

	submit_slow(s);
	scenario_await_active(s, 1);
	return victim;
}

static void assert_untouched(struct scenario *s)
{
	assert_sql(s->database, "active|1|running|3600000|0",
		   "select j.state, claim_seq, d.state, death_interval_ms, "
		   "(select count(*) from locum.death) from locum.job j "
		   "join locum.dispatcher d using (incarnation) "
		   "join locum.dispatcher_ping using (incarnation)");
}

static void a_crash_changes_nothing_before_the_death_interval_is_over(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	add_handlers(s);
	victim = start_and_kill(s);
	scenario_kill(s, victim);
	scenario_await_first_runs_gone(s, 1, 1);
	assert_untouched(s);
}

static void a_dispatcher_killed_in_the_middle_of_a_claim_leaves_nothing_undone(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	PGconn *holder;

	add_handlers(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_rest(s, daemon);
	holder = scenario_lock_row(s, daemon);
	scenario_submit(s, 3, "answer");
	scenario_thaw(s, daemon);
	scenario_await_claiming(s);
	scenario_kill(s, daemon);
	PQfinish(holder); /* the server goes on with the claim of the dead */
	scenario_run(s, daemon);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_int_equal(scenario_noted(s, "run "), 3);
	scenario_drain(s, daemon);
}

/* --- a twin: the same id, and no proof that the former life is over ------------------------------ */

static void copy_state(const struct scenario_daemon *from, const struct scenario_daemon *to)
{
	char path[SCENARIO_PATH * 2];
	char text[1024];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/dispatcher", from->state_dir);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(mkdir(to->state_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/dispatcher", to->state_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	fclose(file);
}

/* A dispatcher was killed; its twin with a copy of the state folder has found that out. */
static struct scenario_daemon *start_twin(struct scenario *s, const char *settings)
{
	struct scenario_daemon *victim;
	struct scenario_daemon *twin;

	add_handlers(s);
	victim = start_and_kill(s);
	twin = scenario_daemon(s, "twin", "%s", settings);
	copy_state(victim, twin);
	scenario_kill(s, victim);
	scenario_launch(s, twin, NULL);
	scenario_await_logged(s, twin, 1,
			      "another dispatcher lives under this id; waiting for its death");
	return twin;
}

/* As if its death interval had been a second. */
static void shorten_life(struct scenario *s)
{
	database_do(s->database, "update locum.dispatcher_ping set death_interval_ms = 1000 "
				 "where death_interval_ms = 3600000");
}

static void a_twin_does_not_begin_before_the_former_is_dead(void **state)
{
	struct scenario *s = *state;

	start_twin(s, "");
	assert_untouched(s);
	assert_sql(s->database, "1", "select count(*) from locum.dispatcher");
	assert_int_equal(scenario_noted(s, "start "), 1);
}

static void a_twin_buries_the_former_and_its_job_heads_the_line(void **state)
{
	struct scenario *s = *state;

	start_twin(s, "agent \"main\" { queues = {\"other\"} }");
	shorten_life(s);
	await_waiting_claim(s, "pending");
	assert_sql(s->database, "0|1|1", "select lane, interruptions, recoveries from locum.job");
	scenario_await(s, "select array_agg(state::text order by seq) = '{dead,running}' and "
			  "count(distinct id) = 1 from locum.dispatcher");
}

static void a_twin_does_the_job_of_the_former_and_what_follows(void **state)
{
	struct scenario *s = *state;

	start_twin(s, "");
	shorten_life(s);
	scenario_let(s, "gate.2", 1);
	assert_done_with_follow_up(s);
}

/* --- a sibling ---------------------------------------------------------------------------------- */

static void start_sibling(struct scenario *s)
{
	struct scenario_daemon *victim;

	add_handlers(s);
	victim = start_and_kill(s);
	scenario_start(s, "sibling", "%s", "");
	scenario_kill(s, victim);
	/* A scan follows each second ping or more often. */
	scenario_await(s, "select seq > 10 from locum.dispatcher_ping where death_interval_ms = %d",
		       SCENARIO_DEATH_MS);
}

static void a_sibling_takes_nothing_before_the_death_interval_is_over(void **state)
{
	start_sibling(*state);
	assert_untouched(*state);
}

static void a_sibling_does_the_job_of_the_dead_and_what_follows(void **state)
{
	struct scenario *s = *state;

	start_sibling(s);
	shorten_life(s);
	scenario_let(s, "gate.2", 1);
	assert_done_with_follow_up(s);
	assert_sql(s->database, "t",
		   "select bool_and(incarnation = declared_by) "
		   "from locum.finished, locum.death");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(
			a_job_removed_in_the_middle_of_a_claim_is_not_claimed_and_polling_goes_on),
		SCENARIO_CALM_TEST(a_removed_job_that_is_wanted_again_runs),
		SCENARIO_CALM_TEST(a_claim_whose_every_commit_fails_is_done_once_when_one_does_not),
		SCENARIO_TEST(a_claim_whose_every_commit_fails_is_tried_more_and_more_seldom),
		SCENARIO_CALM_TEST(a_claim_whose_answer_is_lost_is_given_back_and_claimed_anew),
		SCENARIO_CALM_TEST(a_job_of_a_stopped_dispatcher_runs_again_when_it_comes_back),
		SCENARIO_TEST(a_crash_changes_nothing_before_the_death_interval_is_over),
		SCENARIO_TEST(a_dispatcher_killed_in_the_middle_of_a_claim_leaves_nothing_undone),
		SCENARIO_TEST(a_twin_does_not_begin_before_the_former_is_dead),
		SCENARIO_TEST(a_twin_buries_the_former_and_its_job_heads_the_line),
		SCENARIO_TEST(a_twin_does_the_job_of_the_former_and_what_follows),
		SCENARIO_TEST(a_sibling_takes_nothing_before_the_death_interval_is_over),
		SCENARIO_TEST(a_sibling_does_the_job_of_the_dead_and_what_follows),
		/* The last, for it leaves a function renamed when it fails. */
		SCENARIO_CALM_TEST(a_poll_that_fails_does_not_end_polling),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
