/* Dispatchers that are slow, not dead: they find out when they wake, and abandon. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/acts.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* Handlers whose first and second run stop at gates of their own. */
static void add_handler(struct scenario *s, const char *settings)
{
	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	scenario_handler(
		s, "slow", settings,
		"begin; gate gate.$LOCUM_CLAIM_SEQ; note end; printf %s $LOCUM_CLAIM_SEQ >&3");
	scenario_handler(s, "quick", "", "note run");
}

/* One dispatcher that holds three running jobs and is alone with the queue "own", and its sibling. */
static struct scenario_daemon *start_both(struct scenario *s, struct scenario_daemon **sibling,
					  const char *settings)
{
	struct scenario_daemon *slow;

	slow = scenario_start(s, "slow", "%s agent \"main\" { queues = {\"default\", \"own\"} }",
			      settings);
	scenario_submit(s, 3, "slow");
	scenario_await_active(s, 3);
	*sibling = scenario_start(s, "sibling", "%s", settings);
	return slow;
}

/* --- longer than the death interval ------------------------------------------------------------- */

static void assert_abandoned(struct scenario *s, struct scenario_daemon *slow, const char *sibling)
{
	static const char *const LINES[] = { "was reassigned job=1 ", "was reassigned job=2 ",
					     "was reassigned job=3 " };

	scenario_await_logged(s, slow, 3, "was reassigned");
	scenario_await_logged(s, slow, 2, "dispatcher registered");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(scenario_logged(s, slow, LINES[i]), 1);
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 3);
	assert_sql(
		s->database, "3|t|t",
		"select count(*), bool_and(incarnation = '%s' and claim_seq = 2 and attempt = 1), "
		"bool_and(result::text = '2') from locum.finished where state = 'completed'",
		sibling);
	assert_sql(s->database, "t|t",
		   "select returned_at >= declared_at, declared_by = '%s' from locum.death",
		   sibling);
}

static void a_reassigned_job_is_abandoned_without_retry(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow;
	char incarnation[64];

	add_handler(s, "");
	slow = start_both(s, &sibling, "");
	snprintf(incarnation, sizeof(incarnation), "%s", scenario_incarnation(s, sibling));
	scenario_freeze(s, slow);
	scenario_await_noted(s, 6, "start ");
	scenario_let(s, "gate.2", 3);
	scenario_await_finished(s, 3, "completed");
	assert_sql(s->database, "-", "select returned_at from locum.death");
	scenario_thaw(s, slow);
	assert_abandoned(s, slow, incarnation);
	database_do(s->database, "select locum.submit('quick', queue => 'own')");
	scenario_await_finished(s, 4, "completed");
	scenario_assert_done_once(s, 4);
	assert_int_equal(scenario_noted(s, "start "), 6);
	assert_int_equal(scenario_noted(s, "end "), 3);
	scenario_drain(s, slow);
	scenario_drain(s, sibling);
}

/* The claims are taken away and nobody claims them anew before the slow one wakes. */
static void a_slow_dispatcher_abandons_what_nobody_has_claimed_yet(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;

	scenario_gated(s);
	slow = scenario_start(s, "slow", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	scenario_freeze(s, slow);
	scenario_await(s, "select count(*) = 2 from locum.job where state = 'pending'");
	scenario_await_first_runs_gone(s, 1, 2);
	scenario_thaw(s, slow);
	scenario_await_noted(s, 4, "start ");
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 2);
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(s->database, "t|1",
		   "select bool_and(claim_seq = 2), min(recoveries) from locum.finished");
}

static void a_handler_that_may_finish_is_refused_its_late_result(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow;
	char incarnation[64];

	add_handler(s, "fence = \"finish\"");
	slow = start_both(s, &sibling, "");
	snprintf(incarnation, sizeof(incarnation), "%s", scenario_incarnation(s, sibling));
	scenario_freeze(s, slow);
	scenario_await_noted(s, 6, "start ");
	assert_int_equal(scenario_noted(s, "overlap "), 3);
	scenario_let(s, "gate.1", 3);
	scenario_await_noted(s, 3, "end ");
	scenario_let(s, "gate.2", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_thaw(s, slow);
	assert_abandoned(s, slow, incarnation);
	assert_int_equal(scenario_noted(s, "start "), 6);
	assert_int_equal(scenario_noted(s, "end "), 6);
}

static void who_dies_again_soon_pauses_before_it_takes_jobs_again(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;

	scenario_gated(s);
	slow = scenario_start(s, "slow", "%s", "");
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	for (int deaths = 1; deaths <= 2; deaths++) {
		scenario_freeze(s, slow);
		scenario_await(s, "select count(*) = %d from locum.death", deaths);
		scenario_thaw(s, slow);
		scenario_await_logged(s, slow, deaths + 1, "dispatcher registered");
	}
	assert_sql(s->database, "t",
		   "select max(started_at) - (select max(returned_at) from locum.death) >= "
		   "interval '%d ms' from locum.dispatcher",
		   SCENARIO_DEATH_MS / 4);
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, slow);
}

/* It has nobody to blame and says so. */
static void who_lost_the_row_of_its_pings_begins_a_new_life_and_accuses_nobody(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	database_do(s->database, "delete from locum.dispatcher_ping");
	scenario_await_logged(s, one, 2, "dispatcher registered");
	assert_int_equal(scenario_logged(s, one, "pings is gone, though nobody declared it dead"),
			 1);
	assert_int_equal(scenario_logged(s, one, "was declared dead"), 0);
	scenario_await_noted(s, 2, "start ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	scenario_drain(s, one);
}

/* --- dispatcher and agent ----------------------------------------------------------------------- */

/* As with a machine that stood still: the agent's first act is the kill. */
static void an_agent_that_stood_still_with_its_dispatcher_kills_first(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;
	struct acts acts;
	pid_t agent;

	scenario_gated(s);
	slow = scenario_start(s, "slow", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_start(s, "sibling", "%s", "");
	agent = scenario_agent(s, slow);
	acts_watch(&acts, s, agent);
	scenario_freeze(s, slow);
	kill(agent, SIGSTOP);
	scenario_await_noted(s, 2, "overlap ");
	kill(agent, SIGCONT);
	scenario_await_first_runs_gone(s, 1, 2);
	acts_assert_kills_first(&acts, s, 2);
	scenario_thaw(s, slow);
	scenario_await_logged(s, slow, 2, "was reassigned");
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	assert_sql(s->database, "2|2", "select count(*), max(claim_seq) from locum.finished");
	scenario_drain(s, slow);
}

/* --- shorter ------------------------------------------------------------------------------------ */

static void a_short_silence_changes_nothing(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *sibling;
	struct scenario_daemon *slow;

	add_handler(s, "");
	slow = start_both(s, &sibling, "ping_death_interval = \"6s\"");
	scenario_freeze(s, slow);
	scenario_await(
		s,
		"select now() - pinged_at > interval '1.5 s' from locum.dispatcher_ping join "
		"locum.dispatcher using (incarnation) where pid = %d",
		(int)slow->pid);
	scenario_thaw(s, slow);
	scenario_await(s,
		       "select now() - pinged_at < interval '1 s' from locum.dispatcher_ping join "
		       "locum.dispatcher using (incarnation) where pid = %d",
		       (int)slow->pid);
	scenario_let(s, "gate.1", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_sql(s->database, "t",
		   "select bool_and(claim_seq = 1 and interruptions = 0 and recoveries = 0) "
		   "from locum.finished");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	assert_int_equal(scenario_logged(s, slow, "was reassigned"), 0);
}

/* Silent until the fence has ended its handlers, awake before anybody declared it dead. */
static void a_fenced_job_of_a_living_dispatcher_is_handed_back_as_interrupted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *slow;

	scenario_gated(s);
	slow = scenario_start(s, "slow", "ping_death_interval = \"4s\" fence_margin = \"3s\"");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_freeze(s, slow);
	scenario_await_first_runs_gone(s, 1, 2);
	scenario_thaw(s, slow);
	scenario_await_noted(s, 4, "start ");
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(s->database, "2|0|interrupt|2",
		   "select claim_seq, recoveries, history -> 0 ->> 'outcome', count(*) "
		   "from locum.finished where interruptions = 1 group by 1, 2, 3");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_reassigned_job_is_abandoned_without_retry),
		SCENARIO_TEST(a_slow_dispatcher_abandons_what_nobody_has_claimed_yet),
		SCENARIO_TEST(a_handler_that_may_finish_is_refused_its_late_result),
		SCENARIO_TEST(who_dies_again_soon_pauses_before_it_takes_jobs_again),
		SCENARIO_TEST(who_lost_the_row_of_its_pings_begins_a_new_life_and_accuses_nobody),
		SCENARIO_TEST(an_agent_that_stood_still_with_its_dispatcher_kills_first),
		SCENARIO_TEST(a_short_silence_changes_nothing),
		SCENARIO_TEST(a_fenced_job_of_a_living_dispatcher_is_handed_back_as_interrupted),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
