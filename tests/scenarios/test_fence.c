/*
 * The proof of the fence: whenever dispatchers stop, no second run of a job begins while a process of its first
 * run lives. Each run holds a lock on a file of its job, and so does whatever it started; a run that finds the
 * lock taken notes an overlap.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/acts.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum {
	VICTIMS = 10,
	SURVIVORS = 2,
	ROUNDS = 20,
	ROUNDS_SANITIZED = 3, /* everything is slow then */
	FROZEN_ROUNDS = 3,
	FROZEN_JOBS = 3,
};

/* A second to live, of which handlers have 800 ms. */
#define BRIEF                                                                                      \
	"ping_interval = \"150ms\" kill_grace = \"100ms\" fence_margin = \"200ms\" "               \
	"ping_death_interval = \"1s\" "

/* Runs outlast the death interval, but not each time, for a job may be interrupted ten times only. The second is
 * deaf to SIGTERM, and leaves a session of its own with the lock: what outlives a run if anything does. */
#define WORK "[ $LOCUM_CLAIM_SEQ -gt 4 ] || sleep 2.5\n"
static const char POLITE[] = "begin\n" WORK "note end";
static const char STUBBORN[] = "trap '' TERM\nbegin\n(exec setsid sleep 2.5) &\n" WORK "note end";

struct fleet {
	struct scenario_daemon *victims[VICTIMS];
	struct scenario_daemon *survivors[SURVIVORS];
};

static void await_running(struct scenario *s, const struct scenario_daemon *daemon, bool running)
{
	scenario_await(s,
		       "select %s exists (select from locum.dispatcher where pid = %d and "
		       "state = 'running')",
		       running ? "" : "not", (int)daemon->pid);
}

static void start_fleet(struct scenario *s, struct fleet *fleet)
{
	char name[32];

	scenario_handler(s, "polite", "", POLITE);
	scenario_handler(s, "stubborn", "", STUBBORN);
	for (int i = 0; i < VICTIMS; i++) {
		snprintf(name, sizeof(name), "victim%d", i);
		fleet->victims[i] = scenario_daemon(
			s, name, BRIEF "log_level = \"info\" agent \"main\" { size = 2 }");
		scenario_launch(s, fleet->victims[i], NULL);
	}
	for (int i = 0; i < SURVIVORS; i++) {
		snprintf(name, sizeof(name), "survivor%d", i);
		fleet->survivors[i] =
			scenario_start(s, name, "log_level = \"info\" agent \"main\" { size = 8 }");
	}
}

/* Enough to do for everybody, in both manners. */
static void keep_busy(struct scenario *s)
{
	database_do(
		s->database,
		"select locum.submit(handler) from unnest(array['polite', 'stubborn']) as handler, "
		"generate_series(1, 10 - (select count(*) / 2 from locum.job where state = "
		"'pending')::int)");
}

/* Waits until it has something to lose. */
static void await_busy(struct scenario *s, const struct scenario_daemon *daemon)
{
	int64_t deadline_ms = scenario_deadline_ms();

	do {
		keep_busy(s);
		if (database_int(s->database,
				 "select count(*) from locum.job join locum.dispatcher d using "
				 "(incarnation) where pid = %d and d.state = 'running'",
				 (int)daemon->pid) > 0)
			return;
	} while (scenario_pause(deadline_ms));
	scenario_fail(s, "process %d has nothing to do", (int)daemon->pid);
}

/* All victims stop at once, are found dead, and wake. Then they start anew: who dies again and again would pause. */
static void stop_all(struct scenario *s, struct fleet *fleet, int round)
{
	for (int i = 0; i < VICTIMS; i++)
		await_busy(s, fleet->victims[i]);
	for (int i = 0; i < VICTIMS; i++)
		scenario_freeze(s, fleet->victims[i]);
	for (int i = 0; i < VICTIMS; i++)
		await_running(s, fleet->victims[i], false);
	for (int i = 0; i < VICTIMS; i++)
		scenario_thaw(s, fleet->victims[i]);
	for (int i = 0; i < VICTIMS; i++) {
		scenario_await_logged(s, fleet->victims[i], round,
				      "this dispatcher was declared dead");
		scenario_kill(s, fleet->victims[i]);
		scenario_launch(s, fleet->victims[i], NULL);
	}
}

static void no_second_run_begins_while_the_first_lives_in_200_stops(void **state)
{
	struct scenario *s = *state;
	bool sanitized = getenv("ASAN_OPTIONS") != NULL || getenv("TSAN_OPTIONS") != NULL;
	int rounds = sanitized ? ROUNDS_SANITIZED : ROUNDS;
	struct fleet fleet;
	int64_t jobs;

	start_fleet(s, &fleet);
	for (int i = 1; i <= rounds; i++)
		stop_all(s, &fleet, i);
	scenario_await(s, "select count(*) = 0 from locum.job");
	assert_int_equal(scenario_noted(s, "overlap "), 0);
	jobs = database_int(s->database, "select count(*) from locum.finished");
	assert_int_equal(
		database_int(s->database,
			     "select count(*) from locum.finished where state = 'completed'"),
		jobs);
	assert_in_range(database_int(s->database, "select count(*) from locum.death"),
			rounds * VICTIMS, INT64_MAX);
	/* It proves something only when many runs were cut short and begun anew. */
	assert_in_range(database_int(s->database, "select sum(interruptions) from locum.finished"),
			rounds * VICTIMS / 2, INT64_MAX);
	for (int i = 0; i < SURVIVORS; i++)
		scenario_drain(s, fleet.survivors[i]);
}

/* --- the agent, too ----------------------------------------------------------------------------- */

/* Dispatcher and agent stand still until the sibling runs the jobs as well; when both go on, the agent ends the first
 * runs before it does anything else. */
static void freeze_both(struct scenario *s, struct scenario_daemon *victim, int first)
{
	pid_t agent = scenario_agent(s, victim);
	struct acts acts;

	acts_watch(&acts, s, agent);
	scenario_freeze(s, victim);
	kill(agent, SIGSTOP);
	for (int i = 0; i < FROZEN_JOBS; i++)
		scenario_await_noted(s, 1, "start %d 2 ", first + i);
	kill(agent, SIGCONT);
	scenario_thaw(s, victim);
	scenario_await_first_runs_gone(s, first, first + FROZEN_JOBS - 1);
	acts_assert_kills_first(&acts, s, FROZEN_JOBS);
}

static void an_agent_that_was_frozen_kills_before_anything_else(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", BRIEF);
	for (int i = 0; i < FROZEN_ROUNDS; i++) {
		char name[32];
		struct scenario_daemon *sibling;

		await_running(s, victim, true);
		scenario_submit(s, FROZEN_JOBS, "gated");
		scenario_await_noted(s, 2 * FROZEN_JOBS * i + FROZEN_JOBS, "start ");
		snprintf(name, sizeof(name), "sibling%d", i);
		sibling = scenario_start(s, name, "%s", "");
		freeze_both(s, victim, FROZEN_JOBS * i + 1);
		scenario_let(s, "gate", FROZEN_JOBS);
		scenario_await_finished(s, FROZEN_JOBS * (i + 1), "completed");
		scenario_drain(s, sibling);
	}
	assert_sql(s->database, "2",
		   "select distinct claim_seq from locum.finished where state = 'completed'");
}

/* --- from when ---------------------------------------------------------------------------------- */

enum { SLOW_MS = 800, SLOW_DEATH_MS = 10000, SLOW_MARGIN_MS = 2000 };

/* Of the only ping row. */
static int64_t ping_seq(struct scenario *s)
{
	return database_int(s->database, "select seq from locum.dispatcher_ping");
}

/* Requests take so long to the server, and answers as long back: by its clock a ping that is counted from when it was
 * sent is over so much sooner, and one that is counted from its answer so much later. */
static void the_fence_counts_from_when_the_last_acknowledged_ping_was_sent(void **state)
{
	static const struct relay_rule SLOW = { .client = "locum/pinger",
						.harm = RELAY_DELAY,
						.delay_ms = SLOW_MS };
	static const struct relay_rule SILENT = { .client = "locum/pinger",
						  .harm = RELAY_DROP_REQUESTS };
	struct scenario *s = *state;
	struct scenario_daemon *one;
	int64_t seq;

	scenario_gated(s);
	scenario_relay(s);
	one = scenario_start(
		s, "one",
		"ping_interval = \"2s\" ping_death_interval = \"%dms\" fence_margin = \"%dms\"",
		SLOW_DEATH_MS, SLOW_MARGIN_MS);
	scenario_submit(s, 1, "gated");
	scenario_await_noted(s, 1, "start ");
	relay_set(s->detour.relay, &SLOW);
	seq = ping_seq(s);
	while (ping_seq(s) < seq + 2)
		assert_true(scenario_pause(scenario_deadline_ms()));
	/* Its answer has arrived, and the next one has not been sent. */
	scenario_await(s,
		       "select clock_timestamp() - pinged_at > interval '%d ms' "
		       "from locum.dispatcher_ping",
		       SLOW_MS + 200);
	relay_set(s->detour.relay, &SILENT);
	scenario_await_first_runs_gone(s, 1, 1);
	assert_in_range(
		database_int(
			s->database,
			"select (extract(epoch from clock_timestamp() - pinged_at) * 1000)::bigint "
			"from locum.dispatcher_ping"),
		0, SLOW_DEATH_MS - SLOW_MARGIN_MS);
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_drain(s, one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(no_second_run_begins_while_the_first_lives_in_200_stops),
		SCENARIO_TEST(an_agent_that_was_frozen_kills_before_anything_else),
		SCENARIO_TEST(the_fence_counts_from_when_the_last_acknowledged_ping_was_sent),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
