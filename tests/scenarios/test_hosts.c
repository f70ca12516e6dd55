/* A database that is named by several hosts, the first of which is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { JOBS = 3, SLACK_MS = 15000 /* of a machine that stands still now and then */ };

/* One that finds it only behind a host that takes connections and says nothing on them. */
static struct scenario_daemon *start_behind_silence(struct scenario *s, const char *name)
{
	struct scenario_daemon *daemon;
	const PGconn *server = s->database->sql;

	scenario_relay(s);
	relay_set(s->detour.relay, &(struct relay_rule){ .harm = RELAY_HALF_OPEN });
	/* A host has as long as a ping interval takes to answer; the living one always does. */
	daemon = scenario_daemon(s, name, "ping_interval = \"5s\"");
	snprintf(daemon->conninfo, sizeof(daemon->conninfo), "%s host=%s,%s port=5432,%s",
		 s->database->conninfo, s->detour.folder, PQhost(server), PQport(server));
	scenario_direct(s);
	scenario_run(s, daemon);
	return daemon;
}

static void a_silent_host_before_the_living_one_costs_one_try_in_all(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct scenario_daemon *sibling;

	scenario_gated(s);
	sibling = scenario_start(s, "sibling", "ping_death_interval = \"%dms\"",
				 (int)SCENARIO_DEATH_MS);
	scenario_submit(s, JOBS, "gated");
	scenario_await_active(s, JOBS);
	daemon = start_behind_silence(s, "one");
	assert_int_equal(relay_hits(s->detour.relay), 1);
	/* Pump and pinger make new connections, and the reaper one. */
	assert_sql(s->database, "2",
		   "select count(pg_terminate_backend(pid)) from pg_stat_activity where "
		   "application_name like 'locum/p%%/%s'",
		   scenario_incarnation(s, daemon));
	scenario_await_logged(s, daemon, 1, "connected to the database again");
	scenario_await_logged(s, daemon, 1, "pings are answered again");
	scenario_kill(s, sibling);
	scenario_await_noted(s, 2 * JOBS, "start ");
	assert_int_equal(relay_hits(s->detour.relay), 1);
	assert_sql(s->database, "t",
		   "select reclaimed_at - last_ping < interval '%d ms' from locum.death",
		   SCENARIO_DEATH_MS + 2 * SCENARIO_SCAN_MS + SLACK_MS);
	scenario_let(s, "gate", JOBS);
	scenario_await_finished(s, JOBS, "completed");
	scenario_assert_done_once(s, JOBS);
	scenario_drain(s, daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_silent_host_before_the_living_one_costs_one_try_in_all),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
