/* Many at once: deaths of most of a fleet, several reapers, jobs that are poison, and an old snapshot. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum {
	MANY = 20,
	JOBS_EACH = 2,
	/* Who is alive may be late on a machine that has just lost so many. */
	SLACK_MS = 1500,
	PINGS = 100000,
	PAGES_MOST = 1000, /* in 10 ms many times as many can be read */
};

/* Starts them together; each has begun its share of gated jobs. */
static void start_many(struct scenario *s, struct scenario_daemon **victims, int count)
{
	scenario_gated(s);
	for (int i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "victim%d", i);
		victims[i] = scenario_daemon(
			s, name,
			"log_level = \"info\" ping_death_interval = \"3s\" agent \"main\" { size = %d }",
			(int)JOBS_EACH);
		scenario_launch(s, victims[i], NULL);
	}
	scenario_await(s, "select count(*) = %d from locum.agent", count);
	scenario_submit(s, count * JOBS_EACH, "gated");
	scenario_await_active(s, count * JOBS_EACH);
}

static void kill_all(struct scenario *s, struct scenario_daemon **victims, int count)
{
	for (int i = 0; i < count; i++)
		scenario_signal(s, victims[i], SIGKILL);
	for (int i = 0; i < count; i++)
		assert_int_equal(scenario_exit(s, victims[i]), -SIGKILL);
}

/* The survivors do it all, once; nobody dies twice, and all within the bound. */
static void assert_taken_over(struct scenario *s, int victims)
{
	int jobs = victims * JOBS_EACH;

	scenario_let(s, "gate", jobs);
	scenario_await_finished(s, jobs, "completed");
	scenario_assert_done_once(s, jobs);
	assert_int_equal(scenario_noted(s, "start "), 2 * jobs);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), victims);
	assert_int_equal(database_int(s->database, "select sum(reclaimed) from locum.death"), jobs);
	if (database_int(s->database, "select max(extract(epoch from reclaimed_at - last_ping)) * 1000 "
				      "from locum.death") > 3000 + 2 * SCENARIO_SCAN_MS + SLACK_MS)
		scenario_fail(s, "it took too long");
}

static void three_dead_are_reaped_together_by_the_one_that_is_left(void **state)
{
	enum { DEAD = 3 };
	struct scenario *s = *state;
	struct scenario_daemon *victims[DEAD];

	start_many(s, victims, DEAD);
	scenario_start(s, "survivor", "scan_interval = \"1s\" ping_death_interval = \"6s\"");
	kill_all(s, victims, DEAD);
	scenario_let(s, "gate", DEAD * JOBS_EACH);
	scenario_await_finished(s, DEAD * JOBS_EACH, "completed");
	scenario_assert_done_once(s, DEAD * JOBS_EACH);
	/* Within three of its scans. */
	assert_sql(s->database, "3|t|t",
		   "select count(*), max(declared_at) - min(declared_at) < interval '3 s', "
		   "max(reclaimed_at) - max(last_ping) < interval '6500 ms' from locum.death");
}

static void twenty_that_die_at_once_are_all_taken_over(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victims[MANY];

	start_many(s, victims, MANY);
	scenario_start(s, "one", "ping_death_interval = \"6s\"");
	scenario_start(s, "two", "ping_death_interval = \"6s\"");
	kill_all(s, victims, MANY);
	assert_taken_over(s, MANY);
}

static void several_reapers_of_one_corpse_reclaim_once_and_without_an_error(void **state)
{
	enum { REAPERS = 4 };
	struct scenario *s = *state;
	struct scenario_daemon *victim;
	struct scenario_daemon *reapers[REAPERS];

	start_many(s, &victim, 1);
	for (int i = 0; i < REAPERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "reaper%d", i);
		reapers[i] = scenario_start(s, name, "ping_death_interval = \"6s\"");
	}
	kill_all(s, &victim, 1);
	assert_taken_over(s, 1);
	for (int i = 0; i < REAPERS; i++) {
		scenario_drain(s, reapers[i]);
		assert_int_equal(scenario_logged(s, reapers[i], "locumd error"), 0);
		assert_int_equal(scenario_logged(s, reapers[i], "reclaim failed"), 0);
	}
}

/* --- poison ------------------------------------------------------------------------------------- */

/*
 * A job that kills its dispatcher as soon as it runs, and then all that came after it. Its agent is the parent of
 * the shim that is the parent of the handler; whose parent the dispatcher is.
 */
static const char POISON[] = "begin\n"
			     "agent=$(ps -o ppid= -p $PPID)\n"
			     "kill -9 $(cat $FOLDER/victim.pid)\n"
			     "sleep 60";

static void run_poisoned(struct scenario *s, struct scenario_daemon *victim)
{
	char path[SCENARIO_PATH];
	FILE *file;

	snprintf(path, sizeof(path), "%s/victim.pid", s->directory);
	scenario_launch(s, victim, NULL);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%d", (int)victim->pid);
	fclose(file);
	assert_int_equal(scenario_exit(s, victim), -SIGKILL);
}

static void a_job_that_kills_its_dispatcher_is_found_out_and_its_neighbours_are_not_blamed(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	scenario_handler(s, "poison", "", POISON);
	victim = scenario_daemon(s, "victim", "agent \"main\" { size = 4 }");
	database_do(s->database, "select locum.submit('poison', on_interrupt => 'hold')");
	scenario_submit(s, 3, "gated");
	/* It may have died before the first start was written: then it is known from the second on. */
	for (int i = 0; i < 3 && database_int(s->database,
					      "select count(*) from locum.job where state = 'held'") == 0;
	     i++)
		run_poisoned(s, victim);
	scenario_run(s, victim);
	scenario_await(s, "select state = 'held' from locum.job where id = 1");
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	assert_int_equal(scenario_noted(s, "start 1 "), 1);
	assert_sql(s->database, "0", "select sum(attempt) - 3 from locum.finished");
	scenario_drain(s, victim);
}

/* --- snapshots ---------------------------------------------------------------------------------- */

/* So many versions of a ping are kept by somebody's old snapshot; a scan looks at few of them. */
static void a_snapshot_held_over_many_pings_leaves_scans_quick(void **state)
{
	struct scenario *s = *state;
	PGconn *old = database_connection(s->database);
	char incarnation[64];

	scenario_gated(s);
	snprintf(incarnation, sizeof(incarnation), "%s",
		 scenario_incarnation(s, scenario_start(s, "one", "ping_death_interval = \"1m\"")));
	PQclear(PQexec(old, "begin isolation level repeatable read; select from locum.job"));
	database_do(s->database,
		    "create procedure public.ping_often() language plpgsql as $$ begin "
		    "for i in 1..%d loop update locum.dispatcher_ping set seq = seq + 1, "
		    "pinged_at = clock_timestamp() where incarnation = '%s'; "
		    "commit; end loop; end $$",
		    (int)PINGS, incarnation);
	database_do(s->database, "set synchronous_commit = off; call public.ping_often()");
	database_do(s->database, "drop procedure public.ping_often");
	PQfinish(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(three_dead_are_reaped_together_by_the_one_that_is_left),
		SCENARIO_TEST(twenty_that_die_at_once_are_all_taken_over),
		SCENARIO_TEST(several_reapers_of_one_corpse_reclaim_once_and_without_an_error),
		SCENARIO_TEST(
			a_job_that_kills_its_dispatcher_is_found_out_and_its_neighbours_are_not_blamed),
		SCENARIO_TEST(a_snapshot_held_over_many_pings_leaves_scans_quick),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
