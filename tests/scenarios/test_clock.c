/* Clocks that are wrong: the database's, which everybody believes, and a dispatcher's own, which nobody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"
#include "tests/support/scenario_server.h"

enum { HOUR_S = 3600, PINGS = 15 /* in two death intervals */ };

static const int JUMPS_S[] = { HOUR_S, 0, -HOUR_S, 0 };

enum { JUMPS = sizeof(JUMPS_S) / sizeof(JUMPS_S[0]) };

/* Waits until everybody has pinged for two death intervals more. */
static void await_pings(struct scenario *s)
{
	int64_t seq = database_int(s->database, "select max(seq) from locum.dispatcher_ping");

	scenario_await(s, "select min(seq) >= %d from locum.dispatcher_ping", (int)seq + PINGS);
}

static void start_pair(struct scenario *s)
{
	scenario_gated(s);
	scenario_start(s, "one", "%s", "");
	scenario_start(s, "two", "%s", "");
	scenario_submit(s, 4, "gated");
	scenario_await_active(s, 4);
}

/* Nobody was declared dead, and no run was cut short. */
static void assert_undisturbed(struct scenario *s)
{
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_let(s, "gate", 4);
	scenario_await_finished(s, 4, "completed");
	scenario_assert_done_once(s, 4);
	assert_sql(s->database, "0", "select sum(interruptions + recoveries) from locum.finished");
	assert_int_equal(scenario_noted(s, "start "), 4);
}

static void a_leap_of_the_databases_clock_kills_nobody(void **state)
{
	struct scenario *s = *state;

	start_pair(s);
	for (int i = 0; i < JUMPS; i++) {
		scenario_server_set_clock(s, JUMPS_S[i]);
		await_pings(s);
	}
	assert_undisturbed(s);
}

static void take_over_after_a_leap(struct scenario *s, int seconds)
{
	struct scenario_daemon *victim;

	scenario_gated(s);
	victim = scenario_start(s, "victim", "%s", "");
	scenario_submit(s, 2, "gated");
	scenario_await_active(s, 2);
	scenario_start(s, "sibling", "%s", "");
	scenario_kill(s, victim);
	scenario_server_set_clock(s, seconds);
	scenario_await_noted(s, 4, "start ");
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_server_set_clock(s, 0);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 1);
	assert_int_equal(scenario_noted(s, "overlap "), 0);
}

static void a_leap_ahead_does_not_hide_the_dead(void **state)
{
	take_over_after_a_leap(*state, HOUR_S);
}

static void a_leap_back_does_not_hide_the_dead(void **state)
{
	take_over_after_a_leap(*state, -HOUR_S);
}

/* --- a dispatcher's own ------------------------------------------------------------------------- */

/* The log of whoever completed the jobs tells what time it was for it. */
static void assert_believed(struct scenario *s, int seconds)
{
	time_t believed = time(NULL) + seconds;
	struct tm parts;
	char hour[32];

	gmtime_r(&believed, &parts);
	strftime(hour, sizeof(hour), "%Y-%m-%dT%H:", &parts);
	if (scenario_logged(s, &s->daemons[0], hour) + scenario_logged(s, &s->daemons[1], hour) ==
	    0)
		scenario_fail(s, "no clock was ever at %s", hour);
}

static void a_dispatchers_own_clock_matters_to_nobody(void **state)
{
	struct scenario *s = *state;
	char path[SCENARIO_PATH];
	char preload[SCENARIO_PATH * 4];

	if (getenv("ASAN_OPTIONS") != NULL || getenv("TSAN_OPTIONS") != NULL)
		skip(); /* nothing can be loaded before a sanitizer */
	snprintf(path, sizeof(path), "%s/clock", s->directory);
	snprintf(preload, sizeof(preload), "%s/../harness/skew.so", getenv("LOCUM_TEST_BIN"));
	assert_int_equal(scenario_server_write_clock(path, 0), 0);
	setenv("LD_PRELOAD", preload, 1);
	setenv("SKEW_FILE", path, 1);
	start_pair(s);
	unsetenv("LD_PRELOAD");
	for (int i = 0; i < JUMPS - 1; i++) {
		assert_int_equal(scenario_server_write_clock(path, JUMPS_S[i]), 0);
		await_pings(s);
	}
	assert_undisturbed(s);
	assert_believed(s, JUMPS_S[JUMPS - 2]);
	assert_sql(s->database, "t",
		   "select bool_and(now() - finished_at < interval '10 min') from locum.finished");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_leap_of_the_databases_clock_kills_nobody),
		SCENARIO_TEST(a_leap_ahead_does_not_hide_the_dead),
		SCENARIO_TEST(a_leap_back_does_not_hide_the_dead),
		SCENARIO_TEST(a_dispatchers_own_clock_matters_to_nobody),
	};

	return cmocka_run_group_tests(tests, scenario_server_open_with_clock,
				      scenario_server_close);
}
