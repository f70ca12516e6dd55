/* A standby takes the primary's place, in step with it or behind it, and others pretend to. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/database.h"
#include "tests/support/pooler.h"
#include "tests/support/scenario.h"
#include "tests/support/scenario_server.h"

enum { GATED = 4, KEPT = 3, NEW = 2, STREAM = 800, BATCH = 20 };

/* No handler may be fenced while there is no primary. */
static const char PATIENT[] = "ping_death_interval = \"30s\"";

static void submit_by_cli(struct scenario *s, int code, const char *words)
{
	struct command command;

	cli_run(&command, s->database, "submit", "quick", NULL);
	cli_assert(&command, code, words);
	command_fini(&command);
}

/* How often the dispatchers logged it. */
static int all_logged(struct scenario *s, const char *text)
{
	int count = 0;

	for (size_t i = 0; i < s->daemon_count; i++)
		count += scenario_logged(s, &s->daemons[i], text);
	return count;
}

/* Ends the connections of all dispatchers. */
static void cut_off(struct scenario *s)
{
	database_text(
		s->database,
		"select pg_terminate_backend(pid) from pg_stat_activity "
		"where datname = current_database() and application_name like 'locum/p%%/%%'");
}

static void add_function(struct scenario *s)
{
	size_t used = strlen(s->handlers);

	database_do(s->database, "create schema if not exists app; create or replace function "
				 "app.settle(job bigint, payload json) returns json "
				 "language sql as $$ select payload $$");
	snprintf(s->handlers + used, sizeof(s->handlers) - used,
		 "handler \"settle\" { kind = \"sql\" function = \"app.settle\" }\n");
}

/* --- following --------------------------------------------------------------------------------- */

static void a_standby_is_never_worked_on_and_its_promotion_is_followed(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	add_function(s);
	scenario_server_replicate(s);
	scenario_server_name(s, scenario_server_second(), NULL);
	daemon = scenario_daemon(s, "one", "%s", PATIENT);
	scenario_launch(s, daemon, NULL);
	assert_int_equal(scenario_exit(s, daemon), EX_UNAVAILABLE);
	submit_by_cli(s, EX_UNAVAILABLE, "read-only");

	scenario_server_name(s, scenario_server_second(), scenario_server_first());
	scenario_run(s, daemon);
	submit_by_cli(s, EX_OK, "");
	/* Plugin hosts find the primary, too. */
	scenario_submit(s, 1, "settle");
	scenario_await_finished(s, 2, "completed");
	scenario_await_logged(s, daemon, 2, "debug job completed");
	scenario_server_await_replayed(s);
	scenario_server_stop(s, SIGQUIT);
	scenario_server_promote(s);
	scenario_await_logged(s, daemon, 1, "the database failed over timeline=");
	submit_by_cli(s, EX_OK, "");
	scenario_submit(s, 1, "settle");
	scenario_await_finished(s, 4, "completed");
	scenario_assert_done_once(s, 4);
	scenario_await_logged(s, daemon, 1, "acknowledged=2 lost=0");
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "the database failed over timeline="), 1);
}

/* --- nothing is lost --------------------------------------------------------------------------- */

static void type_jobs(struct command *command, int count)
{
	static const char LINE[] = "{\"handler\": \"quick\"}\n";

	for (int i = 0; i < count; i++)
		command_type(command, LINE, sizeof(LINE) - 1);
}

/* Each id that was printed, which it is once its commit was acknowledged, ended once. */
static void assert_kept(struct scenario *s, const char *printed)
{
	int count = 0;

	for (const char *line = printed; *line != '\0'; line = strchr(line, '\n') + 1) {
		count++;
		if (database_int(s->database, "select count(*) from locum.finished where id = %lld",
				 strtoll(line, NULL, 10)) != 1)
			scenario_fail(s, "job %.10s is lost", line);
	}
	assert_int_equal(count, STREAM);
}

static void a_synchronous_failover_loses_nothing_and_repeats_nothing(void **state)
{
	struct scenario *s = *state;
	struct command command;

	scenario_gated(s);
	scenario_server_replicate(s);
	scenario_start(s, "one", "%s", PATIENT);
	scenario_start(s, "two", "%s", PATIENT);
	scenario_server_synchronous(s, true);
	cli_init(&command, s->database);
	command_add(&command, "submit", "--stream", "-", "--batch", "20", "--retry-for", "1m",
		    NULL);
	command_start(&command);
	type_jobs(&command, STREAM / 2);
	scenario_await_finished(s, STREAM / 8, "completed");
	scenario_server_stop(s, SIGKILL);
	scenario_server_promote(s);
	type_jobs(&command, STREAM / 2);
	command_finish(&command);
	cli_assert(&command, EX_OK, "");
	scenario_await_finished(s, STREAM, "completed");
	scenario_assert_done_once(s, STREAM);
	assert_kept(s, command.printed);
	assert_int_equal(scenario_noted(s, "run "), STREAM);
	scenario_drain(s, &s->daemons[0]);
	scenario_drain(s, &s->daemons[1]);
	assert_int_equal(all_logged(s, "the database failed over timeline="), 2);
	assert_int_equal(all_logged(s, "lost by a failover"), 0);
	assert_int_equal(all_logged(s, "was reassigned"), 0);
	assert_int_equal(database_int(s->database, "select count(*) from locum.receipt"), 0);
	command_fini(&command);
}

/* --- what is lost is told ---------------------------------------------------------------------- */

/* Jobs end, and their dispatcher knows: KEPT of them where the standby sees it, GATED and NEW where it does not. */
static void end_unseen(struct scenario *s, const struct scenario_daemon *daemon)
{
	scenario_submit(s, KEPT, "quick");
	scenario_await_finished(s, KEPT, "completed");
	scenario_submit(s, GATED, "gated");
	scenario_await_active(s, GATED);
	scenario_server_await_replayed(s);
	scenario_server_hold_back(s);
	scenario_submit(s, NEW, "quick");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, KEPT + GATED + NEW, "completed");
	scenario_await_logged(s, daemon, KEPT + GATED + NEW, "debug job completed");
}

static void
an_asynchronous_failover_tells_each_lost_completion_and_runs_what_is_in_line(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_server_replicate(s);
	daemon = scenario_start(s, "one", "%s", PATIENT);
	end_unseen(s, daemon);
	scenario_server_stop(s, SIGQUIT);
	scenario_server_promote(s);

	scenario_await_logged(s, daemon, 1, "acknowledged=9 lost=6");
	assert_int_equal(
		scenario_logged(s, daemon, "error acknowledged completion was lost by a failover"),
		GATED + NEW);
	assert_int_equal(scenario_logged(s, daemon, "found=\"active\""), GATED);
	assert_int_equal(scenario_logged(s, daemon, "found=\"gone\""), NEW);
	/* It did nothing about them; what is in line runs again as any other job does. */
	scenario_await_noted(s, 2 * GATED, "start ");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, KEPT + GATED, "completed");
	scenario_assert_done_once(s, KEPT + GATED);
	scenario_drain(s, daemon);
	assert_int_equal(scenario_logged(s, daemon, "pump stopped"), 1);
	assert_non_null(strstr(s->text, " lost=6 "));
}

/* The dispatcher's own connection to the pooler lasts. */
static void a_failover_behind_a_pooler_is_noticed_too(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct pooler pooler;

	scenario_gated(s);
	scenario_server_replicate(s);
	pooler_open(&pooler, s);
	daemon = scenario_daemon(s, "one", "%s", PATIENT);
	scenario_launch(s, daemon, "--no-listen", "--no-prepared", NULL);
	scenario_await_logged(s, daemon, 1, "agent ready");
	scenario_await(s, "select count(*) = 1 from locum.agent");
	end_unseen(s, daemon);
	scenario_server_stop(s, SIGQUIT);
	scenario_server_promote(s);
	pooler_redirect(&pooler);
	scenario_await_logged(s, daemon, 1, "acknowledged=9 lost=6");
	assert_int_equal(scenario_logged(s, daemon, "the database failed over timeline="), 1);
	scenario_await_noted(s, 2 * GATED, "start ");
	scenario_let(s, "gate", GATED);
	scenario_await_finished(s, KEPT + GATED, "completed");
	scenario_drain(s, daemon);
}

/* --- the wrong one ----------------------------------------------------------------------------- */

static void another_database_in_the_place_of_ours_is_refused(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_server_make_other(s);
	scenario_server_name(s, scenario_server_first(), scenario_server_second());
	daemon = scenario_start(s, "one", "%s", PATIENT);
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_server_stop(s, SIGINT);
	scenario_let(s, "gate", 1);
	scenario_await_logged(s, daemon, 1, "the database is refused; nothing is claimed there");
	assert_non_null(strstr(s->text, "another database"));
	scenario_server_start(s);
	/* The result was kept for the right one. */
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	scenario_drain(s, daemon);

	scenario_server_name(s, scenario_server_second(), NULL);
	scenario_launch(s, daemon, NULL);
	assert_int_equal(scenario_exit(s, daemon), EX_CONFIG);
	assert_int_equal(scenario_logged(s, daemon, "locumd: this is another database"), 1);
}

static void a_former_primary_that_comes_back_is_passed_over(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	scenario_server_replicate(s);
	/* The former one is asked first. */
	scenario_server_name(s, scenario_server_first(), scenario_server_second());
	daemon = scenario_start(s, "one", "%s", PATIENT);
	scenario_server_await_replayed(s);
	scenario_server_stop(s, SIGQUIT);
	scenario_server_promote(s);
	scenario_await_logged(s, daemon, 1, "the database failed over timeline=");
	scenario_server_start_former(s);
	/* Who knows the right one asks it first. */
	cut_off(s);
	scenario_await_logged(s, daemon, 2, "connected to the database again");
	scenario_submit(s, KEPT, "quick");
	scenario_await_finished(s, KEPT, "completed");
	assert_int_equal(scenario_logged(s, daemon, "is passed over"), 0);
	scenario_drain(s, daemon);

	scenario_run(s, daemon);
	scenario_await_logged(s, daemon, 1, "the first host that answers is passed over");
	assert_non_null(strstr(s->text, "left behind by a failover"));
	scenario_submit(s, KEPT, "quick");
	scenario_await_finished(s, 2 * KEPT, "completed");
	scenario_drain(s, daemon);

	scenario_server_name(s, scenario_server_second(), NULL);
	scenario_launch(s, daemon, NULL);
	assert_int_equal(scenario_exit(s, daemon), EX_CONFIG);
	assert_int_equal(scenario_logged(s, daemon, "locumd: this primary was left behind"), 1);
	scenario_server_stop_former(s, SIGQUIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_standby_is_never_worked_on_and_its_promotion_is_followed),
		SCENARIO_TEST(a_synchronous_failover_loses_nothing_and_repeats_nothing),
		SCENARIO_TEST(
			an_asynchronous_failover_tells_each_lost_completion_and_runs_what_is_in_line),
		SCENARIO_TEST(a_failover_behind_a_pooler_is_noticed_too),
		SCENARIO_TEST(another_database_in_the_place_of_ours_is_refused),
		SCENARIO_TEST(a_former_primary_that_comes_back_is_passed_over),
	};

	return cmocka_run_group_tests(tests, scenario_server_open, scenario_server_close);
}
