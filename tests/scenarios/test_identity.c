/* Who a dispatcher is, and what it is refused at its own door. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "tests/support/database.h"
#include "tests/support/scenario.h"

/* --- two of one -------------------------------------------------------------------------------- */

static void a_second_dispatcher_with_the_same_state_is_refused(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *first;
	struct scenario_daemon *second;
	char sentence[SCENARIO_PATH * 2];

	scenario_gated(s);
	first = scenario_start(s, "first", "%s", "");
	second = scenario_daemon(s, "second", "%s", "");
	scenario_launch(s, second, "--state-dir", first->state_dir, NULL);
	assert_int_equal(scenario_exit(s, second), EX_CONFIG);
	snprintf(
		sentence, sizeof(sentence),
		"locumd: another dispatcher runs with this state: process %d holds %s/dispatcher\n",
		(int)first->pid, first->state_dir);
	assert_int_equal(scenario_logged(s, second, ""), 1);
	assert_string_equal(s->text, sentence);
	scenario_submit(s, 3, "quick");
	scenario_await_finished(s, 3, "completed");
	assert_sql(s->database, "1|running", "select count(*), min(state) from locum.dispatcher");
}

/* The database keeps the first from registering. */
static void a_second_dispatcher_is_refused_before_the_first_is_registered(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *first;
	struct scenario_daemon *second;
	char words[SCENARIO_PATH];
	PGconn *lock;

	scenario_gated(s);
	first = scenario_daemon(s, "first", "%s", "");
	second = scenario_daemon(s, "second", "%s", "");
	lock = database_connection(s->database);
	PQclear(PQexec(lock, "begin; lock table locum.dispatcher"));
	scenario_launch(s, first, NULL);
	scenario_await(s, "select count(*) = 1 from pg_stat_activity where wait_event_type = "
			  "'Lock' and application_name like 'locum/pinger/%%'");
	scenario_launch(s, second, "--state-dir", first->state_dir, NULL);
	assert_int_equal(scenario_exit(s, second), EX_CONFIG);
	snprintf(words, sizeof(words), "another dispatcher runs with this state: process %d holds ",
		 (int)first->pid);
	assert_int_equal(scenario_logged(s, second, words), 1);
	PQfinish(lock);
	scenario_await_logged(s, first, 1, "dispatcher registered");
	scenario_drain(s, first);
}

/* --- a full state folder ------------------------------------------------------------------------- */

/* Makes its state folder a small file system of its own, seen by this program and what it starts; skips the test where
 * that is not allowed. */
static void mount_small(const struct scenario_daemon *daemon)
{
	assert_int_equal(mkdir(daemon->state_dir, 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", daemon->state_dir, "tmpfs", 0, "size=64k,mode=700") != 0)
		skip();
}

/* Takes the state file's own room away, too. */
static void fill(const struct scenario_daemon *daemon, char path[static SCENARIO_PATH * 2])
{
	char page[4096] = "";
	int fd;

	snprintf(path, SCENARIO_PATH * 2, "%s/dispatcher", daemon->state_dir);
	assert_int_equal(truncate(path, 0), 0);
	snprintf(path, SCENARIO_PATH * 2, "%s/other", daemon->state_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void a_state_folder_that_is_full_costs_no_further_life(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	char other[SCENARIO_PATH * 2];

	scenario_gated(s);
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	daemon = scenario_daemon(s, "one", "%s", "");
	mount_small(daemon);
	scenario_run(s, daemon);
	fill(daemon, other);
	scenario_freeze(s, daemon);
	scenario_await(s, "select count(*) = 1 from locum.death");
	scenario_thaw(s, daemon);
	scenario_await_logged(s, daemon, 2, "dispatcher registered");
	scenario_await_logged(s, daemon, 1,
			      "warning a restart will not take its jobs back at once");
	assert_non_null(strstr(s->text, "No space left on device"));
	/* It lives and works on. */
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	scenario_await(s, "select min(seq) > %d from locum.dispatcher_ping",
		       2 * SCENARIO_DEATH_MS / SCENARIO_PING_MS);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 1);
	assert_int_equal(unlink(other), 0);
	scenario_await_logged(s, daemon, 1, "the state file is written again");
	scenario_drain(s, daemon);
}

/* Makes a state folder with a copy of another one's file. */
static void copy_file(const char *from, const char *to)
{
	char path[SCENARIO_PATH * 2];
	char text[1024];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/dispatcher", from);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(mkdir(to, 0700), 0);
	snprintf(path, sizeof(path), "%s/dispatcher", to);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	fclose(file);
}

/* Registers a life of this identity on another machine, and writes the state file that names it. */
static void live_elsewhere(struct scenario *s, const struct scenario_daemon *daemon)
{
	char path[SCENARIO_PATH * 2];
	char id[UUID_TEXT_SIZE];
	char incarnation[UUID_TEXT_SIZE];
	FILE *file;

	uuid_text(uuid_make(), id);
	uuid_text(uuid_make(), incarnation);
	database_do(
		s->database,
		"insert into locum.dispatcher (incarnation, id, host, pid, machine_id, version) "
		"values ('%s', '%s', 'elsewhere', 4711, 'another machine', '1'); "
		"insert into locum.dispatcher_ping (incarnation, dispatcher_id, death_interval_ms) "
		"values ('%s', '%s', %d)",
		incarnation, id, incarnation, id, SCENARIO_DEATH_MS);
	assert_int_equal(mkdir(daemon->state_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/dispatcher", daemon->state_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "id %s\nincarnation %s\npid 4711\n", id, incarnation);
	fclose(file);
}

static void a_copied_state_beside_the_living_is_refused_with_its_host_and_pid(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct scenario_daemon *copy;
	char words[SCENARIO_PATH];

	scenario_gated(s);
	one = scenario_start(s, "one", "%s", "");
	copy = scenario_daemon(s, "copy", "%s", "");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	copy_file(one->state_dir, copy->state_dir);
	scenario_launch(s, copy, NULL);
	scenario_await_logged(s, copy, 1,
			      "another dispatcher lives under this id; waiting for its death");
	assert_int_equal(scenario_exit(s, copy), EX_CONFIG);
	assert_int_equal(scenario_logged(s, copy, "another dispatcher runs under this id"), 1);
	snprintf(words, sizeof(words), " pid=%d", (int)one->pid);
	assert_non_null(strstr(s->text, words));
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 0);
	scenario_drain(s, one);
}

/* It slept, was declared dead, and another process lives under its id by now. */
static void one_that_wakes_and_finds_another_under_its_id_goes(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	struct scenario_daemon *copy;
	char words[SCENARIO_PATH];

	scenario_gated(s);
	one = scenario_start(s, "one", "%s", "");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	copy = scenario_daemon(s, "copy", "ping_death_interval = \"1h\"");
	copy_file(one->state_dir, copy->state_dir);
	scenario_freeze(s, one);
	scenario_launch(s, copy, NULL);
	scenario_await_logged(s, copy, 1, "dispatcher registered");
	scenario_thaw(s, one);
	assert_int_equal(scenario_exit(s, one), EX_CONFIG);
	assert_int_equal(scenario_logged(s, one, "this dispatcher was declared dead"), 1);
	assert_int_equal(scenario_logged(s, one, "another dispatcher runs under this id"), 1);
	snprintf(words, sizeof(words), " pid=%d", (int)copy->pid);
	assert_non_null(strstr(s->text, words));
	scenario_await_noted(s, 2, "start ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	assert_int_equal(database_int(s->database, "select count(*) from locum.death"), 1);
	scenario_drain(s, copy);
}

static void a_copied_state_waits_for_the_death_of_the_other(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *copy;

	scenario_gated(s);
	scenario_start(s, "sibling", "agent \"main\" { queues = {\"other\"} }");
	copy = scenario_daemon(s, "copy", "%s", "");
	live_elsewhere(s, copy);
	scenario_submit(s, 1, "quick");
	scenario_launch(s, copy, NULL);
	scenario_await_logged(s, copy, 1,
			      "another dispatcher lives under this id; waiting for its death "
			      "host=\"elsewhere\" pid=4711");
	assert_sql(s->database, "running",
		   "select state from locum.dispatcher "
		   "where machine_id = 'another machine'");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "t|-",
		   "select declared_at - last_ping > interval '%d ms', evidence ->> 'own_corpse' "
		   "from locum.death",
		   SCENARIO_DEATH_MS);
	scenario_drain(s, copy);
}

static void a_copied_state_that_is_alone_waits_for_the_death_of_the_other(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *copy;

	scenario_gated(s);
	copy = scenario_daemon(s, "copy", "%s", "");
	live_elsewhere(s, copy);
	scenario_submit(s, 1, "quick");
	scenario_launch(s, copy, NULL);
	scenario_await_logged(s, copy, 1, "another dispatcher lives under this id");
	scenario_await_finished(s, 1, "completed");
	assert_sql(s->database, "t",
		   "select declared_at - last_ping > interval '%d ms' from locum.death",
		   SCENARIO_DEATH_MS);
	scenario_drain(s, copy);
}

/* --- one's own ---------------------------------------------------------------------------------- */

/* An agent program that waits at the gate "agent" first. */
static void write_agent(struct scenario *s, char path[static SCENARIO_PATH * 2])
{
	FILE *script;

	snprintf(path, SCENARIO_PATH * 2, "%s/late-agent", s->directory);
	script = fopen(path, "we");
	assert_non_null(script);
	fprintf(script, "#!/bin/sh\nread -r pass < %s/agent\nexec %s/locum-agent\n", s->directory,
		getenv("LOCUM_TEST_BIN"));
	assert_int_equal(fchmod(fileno(script), 0755), 0);
	fclose(script);
}

/* The sibling would have room for them. */
static void a_restart_takes_nothing_back_before_an_agent_has_ended_what_was_left(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *one;
	char agent[SCENARIO_PATH * 2];
	int64_t pings;

	scenario_gated(s);
	scenario_gate(s, "agent");
	write_agent(s, agent);
	one = scenario_daemon(s, "one", "ping_death_interval = \"1h\" agent_program = \"%s\"",
			      agent);
	scenario_let(s, "agent", 1);
	scenario_run(s, one);
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_start(s, "sibling", "ping_death_interval = \"1h\"");
	scenario_kill(s, one);
	scenario_launch(s, one, NULL);
	scenario_await(s, "select count(*) = 2 from pg_stat_activity where datname = "
			  "current_database() and application_name like 'locum/pinger/%%'");
	pings = database_int(s->database, "select sum(seq) from locum.dispatcher_ping");
	scenario_await(s, "select sum(seq) > %lld from locum.dispatcher_ping",
		       (long long)pings + 5);
	assert_sql(s->database, "active|0",
		   "select state, (select count(*) from locum.death) from locum.job");
	scenario_let(s, "agent", 1);
	scenario_await_noted(s, 2, "start ");
	scenario_let(s, "gate", 1);
	scenario_await_finished(s, 1, "completed");
	scenario_assert_done_once(s, 1);
	scenario_drain(s, one);
}

/* --- the door ---------------------------------------------------------------------------------- */

/* It ends with this exit code and one sentence on stderr, which holds these words, and leaves no trace. */
static void assert_refused_with(struct scenario *s, struct scenario_daemon *daemon, int code,
				const char *words)
{
	int status = scenario_exit(s, daemon);

	if (status != code || scenario_logged(s, daemon, "") != 1 ||
	    strncmp(s->text, "locumd: ", 8) != 0 || strstr(s->text, words) == NULL)
		scenario_fail(s, "it ended with %d, not %d and \"%s\"", status, code, words);
	assert_int_equal(database_int(s->database, "select count(*) from locum.dispatcher"), 0);
}

static void assert_settings_refused(struct scenario *s, const char *name, const char *settings,
				    const char *words)
{
	struct scenario_daemon *daemon = scenario_daemon(s, name, "%s", settings);

	scenario_launch(s, daemon, NULL);
	assert_refused_with(s, daemon, EX_CONFIG, words);
}

static void a_wrong_setting_is_refused_with_its_place(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	assert_settings_refused(s, "unknown", "pong_interval = \"1s\"",
				"unknown.conf:10: unknown setting");
	assert_settings_refused(s, "short", "ping_death_interval = \"999ms\"",
				"ping_death_interval 999ms is too short: it must be at least 3 × "
				"ping_interval 200ms + kill_grace 200ms + fence_margin 200ms = 1s");
	daemon = scenario_daemon(s, "place", "%s", "");
	scenario_launch(s, daemon, "--state-dir", "/dev/null/state", NULL);
	assert_refused_with(s, daemon, EX_CONFIG, "/dev/null/state");
	assert_settings_refused(s, "agent", "agent_program = \"/no/such/agent\"", "/no/such/agent");
}

static void a_wrong_option_is_a_wrong_usage(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_daemon(s, "option", "%s", "");
	scenario_launch(s, daemon, "--pong-interval", "1s", NULL);
	assert_refused_with(s, daemon, EX_USAGE, "pong-interval");
}

static void a_database_that_does_not_answer_is_unavailable(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_daemon(s, "nobody", "%s", "");
	scenario_launch(s, daemon, "-d", "host=/no/such/folder", NULL);
	assert_refused_with(s, daemon, EX_UNAVAILABLE, "cannot connect to the database");
}

static void another_schema_is_refused(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_gated(s);
	daemon = scenario_daemon(s, "newer", "%s", "");
	database_do(s->database, "insert into locum.migration (version, name) values (9999, 'x')");
	scenario_launch(s, daemon, NULL);
	assert_refused_with(s, daemon, EX_CONFIG, "9999");
	database_do(s->database, "delete from locum.migration where version = 9999");
	daemon = scenario_daemon(s, "none", "%s", "");
	scenario_launch(s, daemon, "-d", getenv("LOCUM_TEST_CONNINFO"), NULL);
	assert_refused_with(s, daemon, EX_CONFIG, "locum init");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_CALM_TEST(a_second_dispatcher_with_the_same_state_is_refused),
		SCENARIO_TEST(a_second_dispatcher_is_refused_before_the_first_is_registered),
		SCENARIO_TEST(a_state_folder_that_is_full_costs_no_further_life),
		SCENARIO_TEST(a_copied_state_beside_the_living_is_refused_with_its_host_and_pid),
		SCENARIO_TEST(one_that_wakes_and_finds_another_under_its_id_goes),
		SCENARIO_TEST(a_copied_state_waits_for_the_death_of_the_other),
		SCENARIO_TEST(a_copied_state_that_is_alone_waits_for_the_death_of_the_other),
		SCENARIO_TEST(a_restart_takes_nothing_back_before_an_agent_has_ended_what_was_left),
		SCENARIO_TEST(a_wrong_setting_is_refused_with_its_place),
		SCENARIO_CALM_TEST(a_wrong_option_is_a_wrong_usage),
		SCENARIO_TEST(a_database_that_does_not_answer_is_unavailable),
		SCENARIO_CALM_TEST(another_schema_is_refused),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
