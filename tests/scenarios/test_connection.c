/* Connections that break in the middle of work, and being woken. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

enum { LOAD = 2000, STEP = 50 };

/* --- broken ------------------------------------------------------------------------------------ */

static void terminate(struct scenario *s, const char *role)
{
	database_text(s->database,
		      "select pg_terminate_backend(pid) from pg_stat_activity "
		      "where datname = current_database() and application_name like 'locum/%s/%%'",
		      role);
}

/* Each time that some more jobs are done, whatever the connection is doing then. */
static int terminate_under_load(struct scenario *s, const char *role)
{
	int times = 0;

	for (int done = STEP; done < LOAD; done += STEP) {
		scenario_await_noted(s, done, "run ");
		terminate(s, role);
		times++;
	}
	return times;
}

static void assert_each_done_once(struct scenario *s)
{
	scenario_await(s, "select count(*) = 0 from locum.job");
	scenario_assert_done_once(s, LOAD);
	assert_int_equal(scenario_noted(s, "run "), LOAD);
	assert_sql(s->database, "t",
		   "select bool_and(interruptions = 0 and recoveries = 0) "
		   "from locum.finished");
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
}

static void a_lost_reply_loses_no_job_and_repeats_none(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct scenario_daemon *two;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1m\"");
	two = scenario_start(s, "two", "ping_death_interval = \"1m\"");
	scenario_submit(s, LOAD, "quick");
	assert_int_equal(terminate_under_load(s, "pump"), LOAD / STEP - 1);
	assert_each_done_once(s);
	assert_int_not_equal(scenario_logged(s, one, "connected to the database again") +
				     scenario_logged(s, two, "connected to the database again"),
			     0);
	scenario_await(s, "select count(*) = 0 from locum.receipt");
	scenario_drain(s, one);
	scenario_drain(s, two);
	assert_int_equal(scenario_logged(s, one, "was reassigned"), 0);
	assert_int_equal(scenario_logged(s, two, "was reassigned"), 0);
}

static void a_pinger_that_loses_its_connection_pings_on(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct scenario_daemon *two;
	int64_t pings;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1m\"");
	two = scenario_start(s, "two", "ping_death_interval = \"1m\"");
	scenario_submit(s, LOAD, "quick");
	terminate_under_load(s, "pinger");
	assert_each_done_once(s);
	pings = database_int(s->database, "select min(seq) from locum.dispatcher_ping");
	scenario_await(s, "select count(*) = 2 and min(seq) > %d from locum.dispatcher_ping",
		       (int)pings + 3);
	scenario_drain(s, one);
	scenario_drain(s, two);
}

/* A claim whose answer nobody got. */
static void forge_claim(struct scenario *s)
{
	database_do(
		s->database,
		"select locum.submit('gated'); "
		"update locum.job set state = 'assigned', lane = -1 - lane, "
		"claim_id = gen_random_uuid(), claim_seq = claim_seq + 1, claimed_at = now(), "
		"incarnation = (select incarnation from locum.dispatcher) where state = 'pending'");
}

/* The dispatcher has given up the session that was to give a claim back, has done that by another, and has claimed the job
 * anew. */
static void a_claim_that_goes_back_late_takes_nothing_away(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;

	scenario_gated(s);
	scenario_relay(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1m\" agent \"main\" { size = 2 }");
	scenario_submit(s, 1, "gated");
	scenario_await_noted(s, 1, "start 1 1 ");
	relay_set(s->detour.relay, &(struct relay_rule){ .trigger = "claim_release",
							 .harm = RELAY_HOLD_AND_CUT,
							 .times = 1 });
	forge_claim(s);
	detour_await(&s->detour, 1);
	scenario_await_noted(s, 1, "start 2 2 ");
	relay_set(s->detour.relay, &DETOUR_PASS);
	scenario_await(s, "select count(*) = 1 from pg_stat_activity where datname = "
			  "current_database() and application_name like 'locum/pump/%%'");
	assert_sql(s->database, "t|2",
		   "select claim_id is not null, claim_seq from locum.job where id = 2");
	scenario_let(s, "gate", 2);
	scenario_await_finished(s, 2, "completed");
	scenario_assert_done_once(s, 2);
	assert_int_equal(scenario_noted(s, "start "), 2);
	scenario_drain(s, one);
}

/* The lowest descriptor that is not open; below it the process can open none. */
static rlim_t lowest_free(pid_t pid)
{
	char path[64];
	int fd = 0;

	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, ++fd);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return (rlim_t)fd;
}

static void a_dispatcher_without_descriptors_pings_on(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct rlimit limit;
	rlim_t former;

	scenario_gated(s);
	one = scenario_start(s, "one", "ping_death_interval = \"1m\"");
	assert_int_equal(prlimit(one->pid, RLIMIT_NOFILE, NULL, &limit), 0);
	former = limit.rlim_cur;
	limit.rlim_cur = lowest_free(one->pid);
	assert_int_equal(prlimit(one->pid, RLIMIT_NOFILE, &limit, NULL), 0);
	/* Another one wants what becomes free. */
	kill(scenario_agent(s, one), SIGKILL);
	scenario_await_logged(s, one, 1, "Too many open files");
	for (int i = 0; i < 5; i++) {
		int64_t seq = database_int(s->database, "select seq from locum.dispatcher_ping");

		terminate(s, "pinger");
		scenario_await(s, "select seq > %lld from locum.dispatcher_ping",
			       (long long)seq + 2);
	}
	limit.rlim_cur = former;
	assert_int_equal(prlimit(one->pid, RLIMIT_NOFILE, &limit, NULL), 0);
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	assert_int_equal(scenario_logged(s, one, "dispatcher registered"), 1);
	scenario_drain(s, one);
}

/* --- woken ------------------------------------------------------------------------------------- */

/* Asleep: nothing has been asked for a second, so that the next poll is far away. */
static void await_asleep(struct scenario *s)
{
	scenario_await(s, "select count(*) = 1 from locum.agent where idle");
	scenario_await(s, "select bool_and(now() - state_change > interval '1 s') "
			  "from pg_stat_activity where datname = current_database() "
			  "and application_name like 'locum/pump/%%'");
}

static void a_submission_wakes_an_idle_dispatcher(void **state)
{
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one",
		       "poll_interval = \"1h\" scan_interval = \"1h\" "
		       "ping_death_interval = \"1m\"");
	for (int i = 1; i <= 3; i++) {
		await_asleep(s);
		scenario_submit(s, 1, "quick");
		scenario_await_finished(s, i, "completed");
	}
	assert_sql(s->database, "t",
		   "select max(started_at - created_at) < interval '20 s' "
		   "from locum.finished");
}

/* A submission wakes but one, at random: it must not be one that has no room, while another has. */
static void a_dispatcher_that_has_no_room_is_not_woken(void **state)
{
	static const char SETTINGS[] = "poll_interval = \"1h\" scan_interval = \"1h\" "
				       "ping_death_interval = \"1m\" agent \"main\" { size = 1 }";
	struct scenario *s = *state;

	scenario_gated(s);
	scenario_start(s, "one", "%s", SETTINGS);
	scenario_start(s, "two", "%s", SETTINGS);
	scenario_await(s, "select count(*) = 2 from locum.agent where idle");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_await(s, "select count(*) = 1 and bool_and(a.incarnation <> j.incarnation) "
			  "from locum.agent a, locum.job j where a.idle");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 2, "completed");
}

static void polling_alone_is_enough(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_daemon(s, "one", "%s", "");
	scenario_launch(s, daemon, "--no-listen", "--no-prepared", NULL);
	scenario_await_logged(s, daemon, 1, "agent ready");
	for (int i = 1; i <= 3; i++) {
		scenario_submit(s, 10, "quick");
		scenario_await_finished(s, 10 * i, "completed");
	}
	assert_int_equal(database_int(s->database, "select count(*) from locum.agent where idle"),
			 0);
	scenario_assert_done_once(s, 30);
	scenario_drain(s, daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_lost_reply_loses_no_job_and_repeats_none),
		SCENARIO_TEST(a_pinger_that_loses_its_connection_pings_on),
		SCENARIO_TEST(a_claim_that_goes_back_late_takes_nothing_away),
		SCENARIO_TEST(a_dispatcher_without_descriptors_pings_on),
		SCENARIO_TEST(a_submission_wakes_an_idle_dispatcher),
		SCENARIO_TEST(a_dispatcher_that_has_no_room_is_not_woken),
		SCENARIO_CALM_TEST(polling_alone_is_enough),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
