/* Many at once: deaths of most of a fleet, several reapers, and jobs that are poison. */
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
	DEATH_MS = 5000,
	/* Who is alive may be late on a machine that has just lost so many, or stands still now and then. */
	SLACK_MS = 20000,
};

/* Starts them together; each has begun its share of gated jobs. */
static void start_many(struct scenario *s, struct scenario_daemon **victims, int count)
{
	scenario_gated(s);
	for (int i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "victim%d", i);
		victims[i] = scenario_daemon(
			s, name,
			"log_level = \"info\" ping_death_interval = \"%dms\" agent \"main\" { size = %d }",
			(int)DEATH_MS, (int)JOBS_EACH);
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
	scenario_await_first_runs_gone(s, 1, count * JOBS_EACH);
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
	if (database_int(s->database,
			 "select max(extract(epoch from reclaimed_at - last_ping)) * 1000 "
			 "from locum.death") > DEATH_MS + 2 * SCENARIO_SCAN_MS + SLACK_MS)
		scenario_fail(s, "it took too long");
}

static void three_dead_are_reaped_together_by_the_one_that_is_left(void **state)
{
	enum { DEAD = 3 };
	struct scenario *s = *state;
	struct scenario_daemon *victims[DEAD];

	start_many(s, victims, DEAD);
	scenario_start(s, "survivor", "scan_interval = \"1s\" ping_death_interval = \"10s\"");
	kill_all(s, victims, DEAD);
	scenario_let(s, "gate", DEAD * JOBS_EACH);
	scenario_await_finished(s, DEAD * JOBS_EACH, "completed");
	scenario_assert_done_once(s, DEAD * JOBS_EACH);
	/* None has waited for another one's death interval. */
	assert_sql(s->database, "3|t|t",
		   "select count(*), max(declared_at - last_ping) - min(declared_at - last_ping) < "
		   "interval '3 s', max(reclaimed_at - last_ping) < interval '%d ms' "
		   "from locum.death",
		   SLACK_MS);
}

static void twenty_that_die_at_once_are_all_taken_over(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victims[MANY];

	start_many(s, victims, MANY);
	scenario_start(s, "one", "ping_death_interval = \"10s\"");
	scenario_start(s, "two", "ping_death_interval = \"10s\"");
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
		char name[32];

		snprintf(name, sizeof(name), "reaper%d", i);
		reapers[i] = scenario_start(s, name, "ping_death_interval = \"10s\"");
	}
	kill_all(s, &victim, 1);
	assert_taken_over(s, 1);
	for (int i = 0; i < REAPERS; i++) {
		scenario_drain(s, reapers[i]);
		assert_int_equal(scenario_logged(s, reapers[i], "locumd error"), 0);
		/* One that came while another one was about it leaves it to him. */
		assert_int_equal(scenario_logged(s, reapers[i], "reclaim failed"),
				 scenario_logged(s, reapers[i],
						 "reclaim failed error=\"its rows stay locked\""));
	}
}

/* --- poison ------------------------------------------------------------------------------------- */

/* A job that kills its dispatcher whenever it runs, once it can know who that is. */
static const char POISON[] = "begin\ngate strike\nkill -9 $(cat $FOLDER/victim.pid)\nsleep 60";

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
	scenario_let(s, "strike", 1);
	assert_int_equal(scenario_exit(s, victim), -SIGKILL);
}

/* Its neighbours wait at a gate whenever it strikes; it is out of the way after so many deaths. */
static struct scenario_daemon *survive_poison(struct scenario *s, const char *policy, int deaths)
{
	struct scenario_daemon *victim;

	scenario_gated(s);
	scenario_gate(s, "strike");
	scenario_handler(s, "poison", "", POISON);
	victim = scenario_daemon(s, "victim", "agent \"main\" { size = 4 }");
	database_do(s->database, "select locum.submit('poison', on_interrupt => '%s')", policy);
	scenario_submit(s, 3, "gated");
	for (int i = 0; i < deaths; i++)
		run_poisoned(s, victim);
	scenario_run(s, victim);
	scenario_let(s, "gate", 3);
	scenario_await_finished(s, 3, "completed");
	assert_int_equal(scenario_noted(s, "start 1 "), deaths);
	assert_int_equal(scenario_noted(s, "overlap "), 0);
	assert_sql(s->database, "3|1|1",
		   "select count(*), min(attempt), max(attempt) from locum.finished where id > 1");
	return victim;
}

static void poison_that_may_not_run_twice_is_held_after_its_first_run(void **state)
{
	struct scenario *s = *state;

	survive_poison(s, "hold", 1);
	assert_sql(s->database, "held|1", "select state, interruptions from locum.job");
}

static void poison_that_may_not_run_twice_fails_after_its_first_run(void **state)
{
	struct scenario *s = *state;

	survive_poison(s, "fail", 1);
	assert_sql(s->database, "failed|1",
		   "select state, interruptions from locum.finished where id = 1");
}

/* A first death may come before the first start was written, which then is no interruption. */
static void poison_that_may_run_again_fails_and_those_behind_it_do_not(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *victim;

	scenario_gated(s);
	scenario_gate(s, "strike");
	scenario_handler(s, "poison", "", POISON);
	victim = scenario_daemon(s, "victim", "agent \"main\" { size = 1 }");
	scenario_submit(s, 1, "poison");
	scenario_submit(s, 3, "quick");
	while (database_int(s->database, "select count(*) from locum.job where id = 1 and "
					 "(interruptions < 9 or state <> 'active')") == 1)
		run_poisoned(s, victim);
	scenario_run(s, victim);
	scenario_await_finished(s, 1, "failed");
	scenario_await_finished(s, 3, "completed");
	assert_sql(s->database, "1|10|interrupted too often (10 times)|t",
		   "select id, interruptions, error, recoveries between 10 and 11 "
		   "from locum.finished where state = 'failed'");
	assert_sql(s->database, "3|0",
		   "select count(*), sum(interruptions) from locum.finished where id > 1");
	scenario_drain(s, victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(three_dead_are_reaped_together_by_the_one_that_is_left),
		SCENARIO_TEST(twenty_that_die_at_once_are_all_taken_over),
		SCENARIO_TEST(several_reapers_of_one_corpse_reclaim_once_and_without_an_error),
		SCENARIO_TEST(poison_that_may_not_run_twice_is_held_after_its_first_run),
		SCENARIO_TEST(poison_that_may_not_run_twice_fails_after_its_first_run),
		SCENARIO_TEST(poison_that_may_run_again_fails_and_those_behind_it_do_not),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
