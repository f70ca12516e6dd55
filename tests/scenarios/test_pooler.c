/* Fleets behind a PgBouncer that gives a connection to a client for one transaction only. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/database.h"
#include "tests/support/pooler.h"
#include "tests/support/scenario.h"

enum { LOAD = 400, GATED = 4 };

/* Three dispatchers and six steady connections on POOLER_SIZE of the server. */
enum { FLEET = 3 };

static void launch(struct scenario *s, struct scenario_daemon *daemon)
{
	int ready = scenario_logged(s, daemon, "agent ready");

	scenario_launch(s, daemon, "--no-listen", "--no-prepared", NULL);
	scenario_await_logged(s, daemon, ready + 1, "agent ready");
	scenario_await(s,
		       "select exists (select from locum.agent join locum.dispatcher using "
		       "(incarnation) where pid = %d)",
		       (int)daemon->pid);
}

static struct scenario_daemon *start(struct scenario *s, const char *name, const char *settings)
{
	struct scenario_daemon *daemon = scenario_daemon(s, name, "%s", settings);

	launch(s, daemon);
	return daemon;
}

static void start_fleet(struct scenario *s, const char *settings)
{
	static const char *const NAMES[FLEET] = { "one", "two", "three" };

	for (int i = 0; i < FLEET; i++)
		start(s, NAMES[i], settings);
}

/* Jobs by the command line, which goes through the pooler too, in several transactions. */
static void begin_stream(struct scenario *s, struct command *command)
{
	cli_init(command, s->database);
	command_add(command, "submit", "--stream", "-", "--batch", "50", "--retry-for", "1m", "-q",
		    NULL);
	command_start(command);
}

static void type_jobs(struct command *command, int count)
{
	static const char LINE[] = "{\"handler\": \"quick\"}\n";

	for (int i = 0; i < count; i++)
		command_type(command, LINE, sizeof(LINE) - 1);
}

static void end_stream(struct command *command)
{
	command_finish(command);
	cli_assert(command, EX_OK, "");
	command_fini(command);
}

static void submit_stream(struct scenario *s, int count)
{
	struct command command;

	begin_stream(s, &command);
	type_jobs(&command, count);
	end_stream(&command);
}

static void drain_all(struct scenario *s)
{
	for (size_t i = 0; i < s->daemon_count; i++)
		if (s->daemons[i].pid > 0)
			scenario_drain(s, &s->daemons[i]);
}

static void assert_no_trouble(struct scenario *s)
{
	static const char *const WORDS[] = { "prepared statement", "a transaction failed",
					     "was reassigned", "a pooler stands" };

	for (size_t i = 0; i < s->daemon_count; i++)
		for (size_t w = 0; w < sizeof(WORDS) / sizeof(WORDS[0]); w++)
			if (scenario_logged(s, &s->daemons[i], WORDS[w]) > 0)
				scenario_fail(s, "logged: %s", s->text);
}

/* --- work -------------------------------------------------------------------------------------- */

static void an_sql_handler(struct scenario *s)
{
	size_t used = strlen(s->handlers);

	database_do(s->database, "create schema if not exists app; create or replace function "
				 "app.settle(job bigint, payload json) returns json "
				 "language sql as $$ select payload $$");
	snprintf(s->handlers + used, sizeof(s->handlers) - used,
		 "handler \"settle\" { kind = \"sql\" function = \"app.settle\" }\n");
}

static void a_whole_fleet_works_through_it(void **state)
{
	struct scenario *s = *state;
	struct pooler pooler;
	struct command command;

	scenario_gated(s);
	an_sql_handler(s);
	pooler_open(&pooler, s);
	/* Nobody is to be silent for so long, however loaded the machine is. */
	start_fleet(s, "ping_death_interval = \"20s\"\n");
	submit_stream(s, LOAD);
	scenario_submit(s, LOAD, "settle");
	cli_run(&command, s->database, "run", "quick", NULL);
	cli_assert(&command, EX_OK, "");
	command_fini(&command);
	scenario_await_finished(s, 2 * LOAD + 1, "completed");
	scenario_assert_done_once(s, 2 * LOAD + 1);
	assert_int_equal(scenario_noted(s, "run "), LOAD + 1);
	drain_all(s);
	assert_no_trouble(s);
	assert_int_equal(database_int(s->database, "select count(*) from locum.receipt"), 0);
}

/* Each of the pooler's connections, held by a transaction at the same time. */
static void hold_all(struct database *d, PGconn *held[POOLER_SIZE])
{
	for (int i = 0; i < POOLER_SIZE; i++) {
		held[i] = database_connection(d);
		PQclear(PQexec(held[i], "begin"));
	}
}

/* What a client would find on that connection that another client has set. */
static void assert_clean(PGconn *conn)
{
	PGresult *found = PQexec(
		conn, "select name || ' is set to ' || setting from pg_settings "
		      "where source = 'session' and name not in ('application_name', "
		      "'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings', "
		      "'transaction_isolation', 'transaction_read_only', 'transaction_deferrable') "
		      "union all select 'prepared ' || name from pg_prepared_statements "
		      "union all select 'listens to ' || c from pg_listening_channels() as c "
		      "union all select 'locks ' || objid from pg_locks "
		      "where locktype = 'advisory' and pid = pg_backend_pid() "
		      "union all select 'temporary ' || relname from pg_class "
		      "where relnamespace = pg_my_temp_schema()");

	if (PQresultStatus(found) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	if (PQntuples(found) > 0)
		fail_msg("left on the connection: %s", PQgetvalue(found, 0, 0));
	PQclear(found);
}

static void nothing_is_left_on_the_connections_that_others_get_next(void **state)
{
	struct scenario *s = *state;
	struct pooler pooler;
	struct command command;
	PGconn *held[POOLER_SIZE];

	scenario_gated(s);
	an_sql_handler(s);
	pooler_open(&pooler, s);
	start_fleet(s, "");
	submit_stream(s, LOAD / 4);
	scenario_submit(s, LOAD / 4, "settle");
	cli_run(&command, s->database, "queue", "pause", "default", NULL);
	cli_assert(&command, EX_OK, "");
	command_fini(&command);
	cli_run(&command, s->database, "queue", "resume", "default", NULL);
	cli_assert(&command, EX_OK, "");
	command_fini(&command);
	scenario_await_finished(s, LOAD / 2, "completed");
	drain_all(s);
	hold_all(s->database, held);
	for (int i = 0; i < POOLER_SIZE; i++) {
		assert_clean(held[i]);
		PQfinish(held[i]);
	}
}

/* --- trouble ----------------------------------------------------------------------------------- */

static void a_killed_dispatcher_is_recovered_from(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct pooler pooler;

	scenario_gated(s);
	pooler_open(&pooler, s);
	one = start(s, "one", "");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	start(s, "two", "");
	scenario_kill(s, one);
	scenario_await_noted(s, 2 * GATED, "start ");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, GATED, "completed");
	scenario_assert_done_once(s, GATED);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 1);
	drain_all(s);
}

/* The pooler passes on who a transaction belongs to, so that a sibling can end it. */
static void locks_of_a_silent_dispatcher_are_found_behind_it(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct pooler pooler;
	char own[640];
	PGconn *stuck;

	scenario_gated(s);
	pooler_open(&pooler, s);
	one = start(s, "one", "");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	snprintf(own, sizeof(own), "%s application_name=locum/pump/%s", s->database->conninfo,
		 scenario_incarnation(s, one));
	stuck = PQconnectdb(own);
	scenario_freeze(s, one);
	PQclear(PQexec(stuck, "begin"));
	PQclear(PQexec(stuck, "select from locum.job for update"));
	start(s, "two", "");
	scenario_await_noted(s, 2 * GATED, "start ");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, GATED, "completed");
	PQfinish(stuck);
	scenario_thaw(s, one);
	scenario_await_logged(s, one, GATED, "was reassigned");
	scenario_assert_done_once(s, GATED);
	drain_all(s);
}

static void restart_under_load(struct scenario *s, int number)
{
	struct pooler pooler;
	struct command command;

	scenario_gated(s);
	pooler_open(&pooler, s);
	start_fleet(s, "ping_death_interval = \"30s\"");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	begin_stream(s, &command);
	type_jobs(&command, LOAD / 2);
	scenario_await_finished(s, LOAD / 8, "completed");
	pooler_restart(&pooler, number);
	type_jobs(&command, LOAD / 2);
	end_stream(&command);
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, LOAD + GATED, "completed");
	scenario_assert_done_once(s, LOAD + GATED);
	assert_int_equal(scenario_noted(s, "run "), LOAD);
	assert_int_equal(scenario_noted(s, "start "), GATED);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	drain_all(s);
}

static void nothing_is_lost_or_done_twice_when_it_restarts(void **state)
{
	restart_under_load(*state, SIGTERM);
}

static void nothing_is_lost_or_done_twice_when_it_is_killed(void **state)
{
	restart_under_load(*state, SIGKILL);
}

/* --- said -------------------------------------------------------------------------------------- */

static void who_is_not_configured_for_it_is_told(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct pooler pooler;

	scenario_gated(s);
	pooler_open(&pooler, s);
	daemon = scenario_daemon(s, "one", "%s", "");
	scenario_launch(s, daemon, "--no-prepared", NULL);
	scenario_await_logged(s, daemon, 1, "a pooler stands before the database");
	scenario_drain(s, daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_whole_fleet_works_through_it),
		SCENARIO_TEST(nothing_is_left_on_the_connections_that_others_get_next),
		SCENARIO_TEST(a_killed_dispatcher_is_recovered_from),
		SCENARIO_TEST(locks_of_a_silent_dispatcher_are_found_behind_it),
		SCENARIO_TEST(nothing_is_lost_or_done_twice_when_it_restarts),
		SCENARIO_TEST(nothing_is_lost_or_done_twice_when_it_is_killed),
		SCENARIO_TEST(who_is_not_configured_for_it_is_told),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
