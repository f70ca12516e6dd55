/* Processes that die without a word: a dispatcher, an agent, both; and what handlers leave behind. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* What processes may take beyond the times that are promised, on a machine that stands still again and again. How soon it is
 * elsewhere, "make bench" and the harness tell. */
enum { SLACK_MS = 15000 };

/* --- the dispatcher ----------------------------------------------------------------------------- */

static void a_killed_dispatchers_jobs_are_done_by_its_sibling_in_time(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 3, "gated");
	scenario_await_active(s, 3);
	scenario_start(s, "sibling", "%s", "");
	scenario_kill(s, victim);
	scenario_await_first_runs_gone(s, 1, 3);
	scenario_await_noted(s, 6, "start ");
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_sql(d, "t",
		   "select bool_and(claim_seq = 2 and interruptions = 1 and recoveries = 1 "
		   "and attempt = 1 and history -> 0 ->> 'outcome' = 'interrupted') "
		   "from locum.finished");
	assert_sql(d, "t|t|t|3|t|-",
		   "select victim_id = victim.id, declared_by = sibling.incarnation, "
		   "declared_at - last_ping > interval '%d ms', reclaimed, "
		   "(evidence ->> 'death_interval_ms')::int = %d, returned_at "
		   "from locum.death, locum.dispatcher victim, locum.dispatcher sibling "
		   "where victim.incarnation = victim_incarnation and victim.state = 'dead' "
		   "and sibling.state = 'running'",
		   SCENARIO_DEATH_MS, SCENARIO_DEATH_MS);
	if (database_int(
		    d,
		    "select extract(epoch from reclaimed_at - last_ping) * 1000 from locum.death") >
	    SCENARIO_DEATH_MS + 2 * SCENARIO_SCAN_MS + SLACK_MS)
		scenario_fail(s, "it took too long");
}

static void lose_pings(struct scenario *s, const char *incarnation)
{
	database_do(s->database, "delete from locum.dispatcher_ping where incarnation = '%s'",
		    incarnation);
}

static void the_dead_are_found_though_their_pings_were_lost(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;
	char incarnation[64];

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 3, "gated");
	scenario_await_active(s, 3);
	scenario_start(s, "sibling", "%s", "");
	snprintf(incarnation, sizeof(incarnation), "%s", scenario_incarnation(s, victim));
	scenario_kill(s, victim);
	lose_pings(s, incarnation);
	scenario_await_noted(s, 6, "start ");
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_sql(
		s->database, "-|-1|t",
		"select last_ping, evidence ->> 'seq', (evidence ->> 'silent_by_observer_ms')::int "
		">= %d from locum.death",
		SCENARIO_DEATH_MS);
}

static void one_that_lives_begins_anew_when_its_pings_were_lost(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;

	scenario_gated(s);
	one = scenario_start(s, "one", "%s", "");
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	lose_pings(s, scenario_incarnation(s, one));
	scenario_await_logged(s, one, 2, "dispatcher registered");
	scenario_await_noted(s, 2, "start ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_noted(s, "overlap "), 0);
	scenario_drain(s, one);
}

static void assigned_jobs_of_the_dead_are_not_counted_as_interrupted(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "agent \"main\" { size = 2 }");
	scenario_submit(s, 20, "quick"); /* so that it claims ahead of its slots */
	scenario_await_finished(s, 20, "completed");
	scenario_submit(s, 6, "gated");
	scenario_await_active(s, 2);
	scenario_await(s, "select count(*) = 4 from locum.job where state = 'assigned'");
	scenario_start(s, "sibling", "%s", "");
	scenario_kill(s, victim);
	scenario_await_first_runs_gone(s, 21, 22);
	scenario_let(s, "gate", 6);
	scenario_await_finished(s, 26, "completed");
	scenario_assert_done_once(s, 26);
	assert_sql(s->database, "1|1|2\n0|1|4",
		   "select interruptions, recoveries, count(*) from locum.finished "
		   "where handler = 'gated' group by 1, 2 order by 1 desc");
}

static void a_restarted_dispatcher_takes_its_own_jobs_back_at_once(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_kill(s, daemon);
	scenario_await_first_runs_gone(s, 1, 2);
	assert_int_equal(database_int(d, "select count(*) from locum.death"), 0);
	database_do(d, "drop table if exists public.restart; create table public.restart as "
		       "select clock_timestamp() as at");
	scenario_run(s, daemon);
	scenario_await_noted(s, 4, "start ");
	assert_sql(d, "t",
		   "select reclaimed_at - at < interval '%d ms' from locum.death, public.restart",
		   SLACK_MS);
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_sql(d, "true|t|2",
		   "select evidence ->> 'own_corpse', declared_by = (select incarnation "
		   "from locum.dispatcher where state = 'running'), reclaimed from locum.death");
	assert_sql(d, "1|2", "select count(distinct id), count(*) from locum.dispatcher");
}

/* --- the agent ---------------------------------------------------------------------------------- */

/* What a claim leaves behind whose client is gone without a word: its locks, under its name. */
static PGconn *leave_a_claim(struct scenario *s, const char *incarnation)
{
	char text[SCENARIO_PATH * 6];
	PGconn *left;

	snprintf(text, sizeof(text), "%s application_name=locum/pump/%s", s->database->conninfo,
		 incarnation);
	left = PQconnectdb(text);
	assert_int_equal(PQstatus(left), CONNECTION_OK);
	snprintf(text, sizeof(text),
		 "begin; select from locum.dispatcher where incarnation = '%s' for share",
		 incarnation);
	PQclear(PQexec(left, text));
	assert_int_equal(PQtransactionStatus(left), PQTRANS_INTRANS);
	return left;
}

static void a_restarted_dispatcher_waits_for_no_request_of_its_former_life(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	PGconn *left;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	left = leave_a_claim(s, scenario_incarnation(s, one));
	scenario_kill(s, one);
	scenario_run(s, one);
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_logged(s, one, "cannot register"), 0);
	scenario_drain(s, one);
	PQfinish(left);
}

static void a_killed_agents_jobs_are_handed_back_without_a_death(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	scenario_submit(s, 3, "gated");
	scenario_await_active(s, 3);
	kill(scenario_agent(s, daemon), SIGKILL);
	scenario_await_logged(s, daemon, 2, "agent ready");
	scenario_await_noted(s, 6, "start ");
	scenario_await_first_runs_gone(s, 1, 3);
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_sql(s->database, "1|1|recover|its agent died|3",
		   "select interruptions, recoveries, history -> 0 ->> 'outcome', "
		   "history -> 0 ->> 'error', count(*) from locum.finished group by 1, 2, 3, 4");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_drain(s, daemon);
}

/* The answer to a claim comes when the agent that it is for is gone, and no other one can be started. */
static void what_was_claimed_for_an_agent_that_died_before_the_answer_is_given_back(void **state)
{
	static const struct relay_rule SILENT = { .client = "locum/pump", .harm = RELAY_HALF_OPEN };
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	PGconn *holder;
	pid_t agent;
	char program[SCENARIO_PATH];
	char real[SCENARIO_PATH * 2];

	scenario_gated(s);
	scenario_relay(s);
	snprintf(program, sizeof(program), "%s/agent", s->directory);
	snprintf(real, sizeof(real), "%s/locum-agent", getenv("LOCUM_TEST_BIN"));
	assert_int_equal(symlink(real, program), 0);
	daemon = scenario_start(s, "one", "agent_program = \"%s\" ping_death_interval = \"1h\"",
				program);
	scenario_rest(s, daemon); /* so that the claim that waits has seen the job */
	holder = scenario_lock_row(s, daemon);
	scenario_submit(s, 1, "quick");
	scenario_thaw(s, daemon);
	scenario_await_claiming(s);
	relay_set(s->detour.relay, &SILENT);
	detour_await(&s->detour, 1);
	PQfinish(holder);
	scenario_await(s, "select state = 'assigned' from locum.job");
	assert_int_equal(unlink(program), 0);
	agent = scenario_agent(s, daemon);
	kill(agent, SIGKILL);
	scenario_await_gone(s, agent);
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await(s, "select state = 'pending' from locum.job");
	assert_int_equal(symlink(real, program), 0);
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_noted(s, "run "), 1);
	scenario_drain(s, daemon);
}

/* Its dispatcher is well, so that no sibling takes them. */
static void a_stopped_agents_jobs_are_handed_back_by_its_dispatcher(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t agent;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 3, "gated");
	scenario_await_active(s, 3);
	agent = scenario_agent(s, daemon);
	kill(agent, SIGSTOP);
	scenario_await_noted(s, 6, "start ");
	assert_false(scenario_is_alive(agent));
	scenario_await_first_runs_gone(s, 1, 3);
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_int_equal(scenario_logged(s, daemon, "agent does not answer: killing"), 1);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_drain(s, daemon);
}

static void an_agent_that_is_stopped_for_a_moment_lives_on(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t agent;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "ping_death_interval = \"1m\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	agent = scenario_agent(s, daemon);
	kill(agent, SIGSTOP);
	scenario_let(s, "gate", 1);
	scenario_await_noted(s, 1, "end ");
	scenario_await(s, "select now() - claimed_at > interval '2 s' from locum.job");
	kill(agent, SIGCONT);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_true(scenario_is_alive(agent));
	scenario_drain(s, daemon);
}

/* A job that kills whoever runs it, among others that take long. */
static void a_poison_job_is_found_out_and_its_neighbours_are_done_unharmed(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_handler(s, "poison", "", "begin; kill -9 $PPID; gate gate");
	daemon = scenario_daemon(s, "one", "ping_death_interval = \"1h\"");
	database_do(d, "select locum.submit('poison', \"then\" => '{\"failure\": \"quick\"}')");
	/* Long restarts of its agent are not what is measured. */
	database_do(d, "update locum.job set interruptions = %d", LIMIT_INTERRUPTIONS - 3);
	scenario_submit(s, 3, "gated");
	scenario_run(s, daemon);
	scenario_await_finished(s, 1, "failed");
	scenario_await_noted(s, 1, "run ");
	assert_sql(d, "1|interrupted too often (10 times)",
		   "select id, error from locum.finished where state = 'failed'");
	/* Of its first run nobody may have heard. */
	assert_in_range(scenario_noted(s, "start 1 "), 4, 5);
	scenario_await_active(s, 3);
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 4, "completed");
	assert_sql(d, "t|1",
		   "select max(interruptions) <= 2, count(distinct state) from locum.finished "
		   "where handler = 'gated'");
	scenario_drain(s, daemon);
}

/* What a program does that wants to outlive whoever started it. */
static const char DAEMON[] =
	"note start\n"
	"for clean in '' 'env -i'; do\n"
	"\t$clean setsid sh -c \"(echo daemon \\$\\$ $LOCUM_JOB_ID $LOCUM_CLAIM_SEQ \\$PPID >> "
	"$FOLDER/effects; exec setsid sh -c 'echo forked \\$\\$ >> $FOLDER/effects; "
	"read x < $FOLDER/never') &\" < /dev/null > /dev/null 2>&1 3>&-\n"
	"done\n";

static void add_daemon_handler(struct scenario *s, const char *then)
{
	char script[1024];

	scenario_gate(s, "never");
	scenario_gate(s, "gate");
	snprintf(script, sizeof(script), "%s%s", DAEMON, then);
	scenario_handler(s, "daemon", "", script);
}

static void a_killed_agents_daemons_are_ended(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t first;

	add_daemon_handler(s, "gate gate");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "daemon");
	scenario_await_noted(s, 2, "forked ");
	first = scenario_noted_pid(s, "forked ");
	assert_true(scenario_is_alive(first));
	kill(scenario_agent(s, daemon), SIGKILL);
	scenario_await_noted(s, 4, "forked ");
	assert_false(scenario_is_alive(first));
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, daemon);
}

/* Where there are control groups. The dispatcher stands still first, so that it cannot end what its agent leaves. */
static void daemons_of_a_killed_dispatcher_and_agent_are_ended_before_the_next_run(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	pid_t first;

	add_daemon_handler(s, "gate gate");
	daemon = scenario_start(s, "one", "ping_death_interval = \"1h\"");
	if (scenario_logged(s, daemon, "control groups are used") == 0)
		skip();
	scenario_submit(s, 1, "daemon");
	scenario_await_noted(s, 2, "forked ");
	first = scenario_noted_pid(s, "forked ");
	scenario_freeze(s, daemon);
	kill(scenario_agent(s, daemon), SIGKILL);
	scenario_kill(s, daemon);
	assert_true(scenario_is_alive(first));
	scenario_run(s, daemon);
	scenario_await_noted(s, 2, "start ");
	assert_false(scenario_is_alive(first));
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, daemon);
}

static void a_daemon_is_gone_when_its_job_is_completed(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	add_daemon_handler(s, "while [ \"$(grep -c ^forked $FOLDER/effects)\" -lt 2 ]; do :; done");
	daemon = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "daemon");
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_noted(s, "forked "), 2);
	assert_false(scenario_is_alive(scenario_noted_pid(s, "forked ")));
	scenario_drain(s, daemon);
}

/* --- both --------------------------------------------------------------------------------------- */

static void handlers_die_with_dispatcher_and_agent(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;
	pid_t agent;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 3, "gated");
	scenario_await_active(s, 3);
	agent = scenario_agent(s, victim);
	/* The agent is stopped first, so that it cannot act on its dispatcher's end. */
	kill(agent, SIGSTOP);
	scenario_signal(s, victim, SIGKILL);
	kill(agent, SIGKILL);
	assert_int_equal(scenario_exit(s, victim), -SIGKILL);
	scenario_await_first_runs_gone(s, 1, 3);
	scenario_start(s, "sibling", "%s", "");
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	scenario_assert_done_once(s, 3);
	assert_sql(s->database, "1|3", "select count(*), sum(reclaimed) from locum.death");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_killed_dispatchers_jobs_are_done_by_its_sibling_in_time),
		SCENARIO_TEST(the_dead_are_found_though_their_pings_were_lost),
		SCENARIO_TEST(one_that_lives_begins_anew_when_its_pings_were_lost),
		SCENARIO_TEST(assigned_jobs_of_the_dead_are_not_counted_as_interrupted),
		SCENARIO_TEST(a_restarted_dispatcher_takes_its_own_jobs_back_at_once),
		SCENARIO_TEST(a_restarted_dispatcher_waits_for_no_request_of_its_former_life),
		SCENARIO_TEST(a_killed_agents_jobs_are_handed_back_without_a_death),
		SCENARIO_TEST(
			what_was_claimed_for_an_agent_that_died_before_the_answer_is_given_back),
		SCENARIO_TEST(a_stopped_agents_jobs_are_handed_back_by_its_dispatcher),
		SCENARIO_TEST(an_agent_that_is_stopped_for_a_moment_lives_on),
		SCENARIO_TEST(a_poison_job_is_found_out_and_its_neighbours_are_done_unharmed),
		SCENARIO_CALM_TEST(a_killed_agents_daemons_are_ended),
		SCENARIO_TEST(
			daemons_of_a_killed_dispatcher_and_agent_are_ended_before_the_next_run),
		SCENARIO_CALM_TEST(a_daemon_is_gone_when_its_job_is_completed),
		SCENARIO_TEST(handlers_die_with_dispatcher_and_agent),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
