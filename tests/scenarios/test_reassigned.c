/* Two living copies of one job: a dispatcher that works, and whose pings do not arrive, is declared dead. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { FLAPS = 3, FLAP_JOBS = 40 };

/* What dies soon. Nobody dies while nobody is there to see it. */
#define BRIEF                                                                                      \
	"ping_interval = \"100ms\" kill_grace = \"100ms\" fence_margin = \"100ms\" "               \
	"ping_death_interval = \"800ms\" "

static const struct relay_rule NO_DATABASE = { .client = "locum/", .harm = RELAY_RESET };
static const struct relay_rule NO_PING = { .client = "locum/pinger", .harm = RELAY_RESET };
static const struct relay_rule HOLD_COMPLETION = { .trigger = "job_complete",
						   .harm = RELAY_HOLD,
						   .times = 1 };

/* Runs that go on through silence, and wait for one gate for each claim. */
static void add_handler(struct scenario *s)
{
	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	scenario_handler(
		s, "slow", "fence = \"finish\"",
		"begin; gate gate.$LOCUM_CLAIM_SEQ; note end; printf %s $LOCUM_CLAIM_SEQ >&3");
	scenario_handler(s, "quick", "", "note run");
}

/* One whose connections can be harmed, with a job that runs. */
static struct scenario_daemon *start_slow(struct scenario *s, const char *settings)
{
	struct scenario_daemon *slow;

	add_handler(s);
	scenario_relay(s);
	slow = scenario_start(s, "slow", "%s", settings);
	scenario_direct(s);
	scenario_submit(s, 1, "slow");
	scenario_await_active(s, 1);
	return slow;
}

/* It is cut off and declared dead though it works; its sibling runs the job too. */
static struct scenario_daemon *start_both(struct scenario *s, struct scenario_daemon **sibling)
{
	struct scenario_daemon *slow = start_slow(s, BRIEF);

	relay_set(s->detour.relay, &NO_DATABASE);
	*sibling = scenario_start(s, "sibling", "%s", "");
	scenario_await_noted(s, 1, "start 1 2 ");
	return slow;
}

static bool shown_as_reassigned(struct scenario *s)
{
	struct command command;
	bool shown;

	cli_run(&command, s->database, "show", "1", NULL);
	assert_int_equal(command.code, 0);
	shown = strstr(command.printed, "reassigned") != NULL;
	command_fini(&command);
	return shown;
}

/* --- the steps ---------------------------------------------------------------------------------- */

static void a_job_that_runs_is_not_shown_as_reassigned(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow = start_slow(s, "");

	assert_false(shown_as_reassigned(s));
	scenario_let(s, "gate.1", 1);
	scenario_await_finished(s, 1, "completed");
	assert_false(shown_as_reassigned(s));
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 0);
}

static void a_dispatcher_whose_pings_do_not_arrive_is_reaped_though_it_works(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow = start_both(s, &sibling);
	char incarnation[64];

	assert_true(scenario_is_alive(scenario_noted_pid(s, "start 1 1 ")));
	assert_true(scenario_is_alive(scenario_noted_pid(s, "start 1 2 ")));
	assert_int_equal(scenario_noted(s, "overlap "), 1);
	snprintf(incarnation, sizeof(incarnation), "%s", scenario_incarnation(s, slow));
	assert_sql(s->database, "t|-|t",
		   "select victim_incarnation = '%s', returned_at, j.incarnation = declared_by "
		   "from locum.death, locum.job j",
		   incarnation);
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 0);
}

static void a_reassignment_is_known_before_any_commit(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow = start_both(s, &sibling);

	assert_true(shown_as_reassigned(s));
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_logged(s, slow, 1, "was reassigned job=1 claim_seq=1 ");
	scenario_await_gone(s, scenario_noted_pid(s, "start 1 1 "));
	assert_int_equal(scenario_noted(s, "end "), 0);
	assert_sql(s->database, "active|2|0",
		   "select state, claim_seq, (select count(*) from locum.finished) from locum.job");
	assert_true(scenario_is_alive(scenario_noted_pid(s, "start 1 2 ")));
}

/* The copy of the first returns while nobody has told its dispatcher anything. The dispatcher can commit again, and
 * cannot ping. */
static struct scenario_daemon *let_the_first_return(struct scenario *s,
						    struct scenario_daemon **sibling)
{
	struct scenario_daemon *slow = start_both(s, sibling);

	scenario_let(s, "gate.1", 1);
	scenario_await_noted(s, 1, "end 1 1 ");
	scenario_await_gone(s, scenario_noted_pid(s, "start 1 1 "));
	relay_set(s->detour.relay, &NO_PING);
	scenario_await_logged(s, slow, 1, "was reassigned job=1 claim_seq=1 ");
	return slow;
}

static void a_late_commit_conflicts_and_is_neither_stored_nor_repeated(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow = let_the_first_return(s, &sibling);

	assert_int_equal(scenario_noted(s, "end 1 1 "), 1);
	assert_sql(s->database, "active|2|0",
		   "select state, claim_seq, (select count(*) from locum.finished) from locum.job");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_logged(s, slow, 2, "dispatcher registered");
	database_do(s->database, "select locum.submit('quick')");
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_noted(s, "start "), 2);
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 1);
}

static void the_copy_of_the_sibling_commits_the_only_result(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;

	let_the_first_return(s, &sibling);
	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "1|completed|2|2|t",
		   "select id, state, claim_seq, result, incarnation = '%s' from locum.finished",
		   scenario_incarnation(s, sibling));
	assert_int_equal(database_int(s->database, "select count(*) from locum.job"), 0);
}

static void both_stop_in_order_after_a_reassignment(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow = let_the_first_return(s, &sibling);

	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await_logged(s, slow, 2, "dispatcher registered");
	scenario_drain(s, slow);
	scenario_drain(s, sibling);
	assert_sql(s->database, "dead,stopped,stopped|0|0|1",
		   "select string_agg(state::text, ',' order by state::text), "
		   "(select count(*) from locum.dispatcher_ping), "
		   "(select count(*) from locum.receipt), (select count(*) from locum.death) "
		   "from locum.dispatcher");
}

/* --- further ------------------------------------------------------------------------------------ */

/* Its sibling sees it die, and runs none of its jobs. */
static struct scenario_daemon *start_witness(struct scenario *s)
{
	return scenario_start(s, "witness", "agent \"main\" { queues = {\"other\"} }");
}

static void await_no_backend_of(struct scenario *s, const char *incarnation)
{
	scenario_await(s,
		       "select count(*) = 0 from pg_stat_activity where "
		       "right(application_name, 36) = '%s'",
		       incarnation);
}

static void a_late_commit_of_a_former_life_is_refused_while_the_new_one_has_the_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow = start_slow(s, BRIEF);
	char former[64];

	snprintf(former, sizeof(former), "%s", scenario_incarnation(s, slow));
	relay_set(s->detour.relay, &HOLD_COMPLETION);
	scenario_let(s, "gate.1", 1);
	detour_await(&s->detour, 1);
	scenario_freeze(s, slow);
	start_witness(s);
	scenario_await(s, "select state = 'pending' from locum.job");
	scenario_thaw(s, slow);
	scenario_await_noted(s, 1, "start 1 2 ");
	relay_set(s->detour.relay, &DETOUR_PASS);
	await_no_backend_of(s, former);
	assert_sql(s->database, "0|2",
		   "select (select count(*) from locum.finished), claim_seq from locum.job");
	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "2|1",
		   "select result, (select count(distinct id) from locum.dispatcher where state = "
		   "'dead') from locum.finished");
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 1);
	scenario_drain(s, slow);
}

static void a_run_that_ends_before_its_job_is_claimed_anew_is_abandoned(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow = start_slow(s, BRIEF);

	relay_set(s->detour.relay, &NO_DATABASE);
	start_witness(s);
	scenario_await(s, "select state = 'pending' from locum.job");
	scenario_let(s, "gate.1", 1);
	scenario_await_noted(s, 1, "end 1 1 ");
	relay_set(s->detour.relay, &NO_PING);
	scenario_await_logged(s, slow, 1, "was reassigned job=1 claim_seq=1 ");
	assert_sql(s->database, "pending|1|0",
		   "select state, claim_seq, (select count(*) from locum.finished) from locum.job");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_let(s, "gate.2", 1);
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "2", "select result from locum.finished");
	assert_int_equal(scenario_noted(s, "start "), 2);
}

static void a_dispatcher_that_dies_again_and_again_finishes_no_job_twice(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *flapping;
	struct scenario_daemon *sibling;

	scenario_handler(s, "work", "", "begin; sleep 0.2; note end");
	flapping = scenario_start(s, "flapping", BRIEF);
	sibling = scenario_start(s, "sibling", "agent \"main\" { size = 1 }");
	scenario_submit(s, FLAP_JOBS, "work");
	for (int i = 1; i <= FLAPS; i++) {
		scenario_freeze(s, flapping);
		scenario_await(s, "select count(*) = %d from locum.death", i);
		scenario_thaw(s, flapping);
		scenario_await_logged(s, flapping, i + 1, "dispatcher registered");
	}
	scenario_await_finished(s, FLAP_JOBS, "completed");
	scenario_assert_done_once(s, FLAP_JOBS);
	assert_sql(s->database, "0", "select count(*) from locum.death where returned_at is null");
	scenario_drain(s, flapping);
	scenario_drain(s, sibling);
}

static void a_stop_while_a_commit_is_on_its_way_has_one_outcome(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow = start_slow(s, "");

	relay_set(s->detour.relay, &HOLD_COMPLETION);
	scenario_let(s, "gate.1", 1);
	detour_await(&s->detour, 1);
	scenario_signal(s, slow, SIGTERM);
	relay_set(s->detour.relay, &DETOUR_PASS);
	assert_int_equal(scenario_exit(s, slow), 0);
	scenario_assert_done_once(s, 1);
	assert_sql(s->database, "1|0|0|1",
		   "select result, interruptions, recoveries, claim_seq from locum.finished");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_job_that_runs_is_not_shown_as_reassigned),
		SCENARIO_TEST(a_dispatcher_whose_pings_do_not_arrive_is_reaped_though_it_works),
		SCENARIO_TEST(a_reassignment_is_known_before_any_commit),
		SCENARIO_TEST(a_late_commit_conflicts_and_is_neither_stored_nor_repeated),
		SCENARIO_TEST(the_copy_of_the_sibling_commits_the_only_result),
		SCENARIO_TEST(both_stop_in_order_after_a_reassignment),
		SCENARIO_TEST(
			a_late_commit_of_a_former_life_is_refused_while_the_new_one_has_the_job),
		SCENARIO_TEST(a_run_that_ends_before_its_job_is_claimed_anew_is_abandoned),
		SCENARIO_TEST(a_dispatcher_that_dies_again_and_again_finishes_no_job_twice),
		SCENARIO_TEST(a_stop_while_a_commit_is_on_its_way_has_one_outcome),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
