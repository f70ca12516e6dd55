#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/fleet.h"
#include "tests/support/scenario.h"

/* Runs it, and expects that code, those words on stderr and that on stdout. */
#define expect(d, code, words, output, ...)                                                        \
	do {                                                                                       \
		struct command expected;                                                           \
                                                                                                   \
		cli_run(&expected, d, __VA_ARGS__, NULL);                                          \
		cli_assert(&expected, code, words);                                                \
		assert_string_equal(expected.printed, output);                                     \
		command_fini(&expected);                                                           \
	} while (0)

static void queues_are_made_changed_paused_and_resumed(void **state)
{
	struct database *d = *state;

	expect(d, 0, "", "mail\nslow\n", "queue", "create", "mail", "slow", "--keep-finished", "3d",
	       "--paused");
	expect(d, 1, "there is a queue \"mail\" already", "", "queue", "create", "mail");
	assert_sql(d, "2|t|3 days",
		   "select count(*), bool_and(paused), max(justify_hours(keep_finished)) "
		   "from locum.queue where name <> 'default'");
	expect(d, 0, "", "{\"name\":\"mail\"}\n", "queue", "resume", "mail", "--json");
	expect(d, 0, "", "mail\n", "queue", "set", "mail", "--keep-finished", "none");
	assert_sql(d, "f|00:00:00",
		   "select paused, keep_finished from locum.queue where name = 'mail'");
	expect(d, 0, "", "mail\n", "queue", "pause", "mail");
	expect(d, 0, "", "mail\n", "queue", "pause", "mail");
	assert_sql(d, "t", "select paused from locum.queue where name = 'mail'");
	expect(d, 1, "there is no queue \"nope\"", "default\n", "queue", "pause", "nope",
	       "default");
	expect(d, 0, "", "default\nmail\nslow\n", "queue", "list", "-q");
}

static void a_queue_is_deleted_when_it_has_no_job(void **state)
{
	struct database *d = *state;

	expect(d, 0, "", "mail\nslow\n", "queue", "create", "mail", "slow", "-K", "none");
	fleet_submit(d, "'h', queue => 'mail'");
	expect(d, 1, "the queue \"mail\" has unfinished jobs", "slow\n", "queue", "delete", "mail",
	       "slow");
	database_do(d, "select locum.cancel(1), locum.cancel(locum.submit('h'))");
	expect(d, 1, "the queue \"default\" has finished jobs", "mail\n", "queue", "delete",
	       "default", "mail");
	assert_sql(d, "default", "select name from locum.queue");
}

static void a_queue_that_somebody_submits_to_is_not_deleted_and_not_waited_for(void **state)
{
	struct database *d = *state;
	PGconn *other = database_connection(d);

	expect(d, 0, "", "mail\n", "queue", "create", "mail");
	PQclear(PQexec(other, "begin; select locum.submit('h', queue => 'mail')"));
	expect(d, 75, "somebody submits to the queue \"mail\" at this moment", "", "queue",
	       "delete", "mail");
	PQfinish(other);
	expect(d, 0, "", "mail\n", "queue", "delete", "mail");
}

static void queues_tell_their_depth_by_state_and_the_oldest(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct command command;

	for (int i = 0; i < 4; i++)
		fleet_submit(d, "'h'");
	fleet_submit(d, "'h', delay => '1h'");
	fleet_claim_one(d, dispatcher, NULL);
	database_do(d, "update locum.job set created_at = now() - interval '2h' where id = 2");
	cli_run(&command, d, "queue", "list", NULL);
	assert_non_null(strstr(command.printed, "default       3  2h 0m        1"));
	command_fini(&command);
	cli_run(&command, d, "queue", "list", "--json", NULL);
	assert_non_null(strstr(command.printed,
			       "{\"name\":\"default\",\"paused\":false,\"waiting\":0,"
			       "\"scheduled\":1,\"pending\":3,\"assigned\":1,\"active\":0,"
			       "\"held\":0,\"oldest_pending_at\":\"2"));
	assert_non_null(strstr(command.printed, "\"keep_finished_ms\":604800000,"));
	command_fini(&command);
}

static void after_a_pause_nothing_is_claimed_though_a_dispatcher_does_not_know_of_it(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	int64_t claimed;

	scenario_handler(s, "quick", "", ":");
	scenario_start(s, "one", " ");
	scenario_start(s, "two", " ");
	for (int round = 0; round < 5; round++) {
		scenario_submit(s, 600, "quick");
		scenario_await(s, "select count(*) > %d from locum.finished", round * 50);
		expect(d, 0, "", "default\n", "queue", "pause", "default");
		claimed = database_int(d, "select coalesce(sum(claim_seq), 0) from locum.jobs");
		/* Time enough for many claims: each dispatcher looks at its queues anew. */
		database_do(
			d,
			"insert into locum.queue (name) values ('other') on conflict do nothing");
		scenario_await(s, "select clock_timestamp() > (select max(pinged_at) from "
				  "locum.dispatcher_ping) - interval '1s' and count(*) = 0 "
				  "from locum.job where state in ('assigned', 'active')");
		assert_int_equal(
			database_int(d, "select coalesce(sum(claim_seq), 0) from locum.jobs"),
			claimed);
		expect(d, 0, "", "default\n", "queue", "resume", "default");
	}
	scenario_await_finished(s, 3000, "completed");
}

static void a_dispatcher_drains_on_demand(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	struct scenario_daemon *daemon;
	char id[64];
	char printed[80];

	scenario_gated(s);
	daemon = scenario_start(s, "one", " ");
	scenario_start(s, "two", " ");
	snprintf(id, sizeof(id), "%s",
		 database_text(d, "select id from locum.dispatcher where pid = %d",
			       (int)daemon->pid));
	snprintf(printed, sizeof(printed), "%s\n", id);
	id[13] = '\0';
	expect(d, 0, "", printed, "drain", id, "--wait", "--timeout", "20s");
	assert_int_equal(scenario_exit(s, daemon), 0);
	assert_sql(d, "1", "select count(*) from locum.dispatcher where state = 'running'");
	expect(d, 1, "no living dispatcher's id begins with", "", "drain", id);
}

static void a_wait_for_a_drain_ends_at_its_timeout(void **state)
{
	struct scenario *s = *state;
	struct database *d = s->database;
	struct scenario_daemon *daemon;
	struct command command;

	scenario_gated(s);
	daemon = scenario_start(s, "one", "drain_timeout = \"1h\"");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	cli_run(&command, d, "drain", "--all", "-w", "-t", "300ms", "--json", NULL);
	cli_assert(&command, 124, "1 of 1 dispatchers had not ended after 300ms");
	assert_memory_equal(command.printed, "{\"id\":\"", 7);
	command_fini(&command);
	scenario_let(s, "gate", 1);
	assert_int_equal(scenario_exit(s, daemon), 0);
	expect(d, 0, "no dispatcher is alive", "", "drain", "--all", "--wait");
}

static void workers_tell_what_is_broken_and_who_died(void **state)
{
	struct database *d = *state;
	struct uuid living = fleet_dispatcher(d);
	struct uuid dead = fleet_dispatcher(d);
	struct command command;
	char uuid[UUID_TEXT_SIZE];

	database_do(d,
		    "insert into locum.agent (incarnation, name, size, queues, handlers, broken) "
		    "values ('%s', 'a', 3, '{default}', '{h,i}', '{i}')",
		    uuid_text(living, uuid));
	fleet_submit(d, "'h'");
	fleet_claim_one(d, living, NULL);
	fleet_kill(d, dead);
	cli_run(&command, d, "workers", NULL);
	assert_non_null(strstr(command.printed, "default h, i     i\n"));
	assert_null(strstr(command.printed, "DEATHS"));
	command_fini(&command);
	cli_run(&command, d, "workers", "--json", "--all", NULL);
	assert_non_null(
		strstr(command.printed, "\"claimed\":1,\"active\":0,\"slots\":3,\"deaths\":0,"));
	assert_non_null(strstr(command.printed, "\"deaths\":1,"));
	assert_non_null(strstr(command.printed, "\"broken\":[\"i\"]}]}\n"));
	command_fini(&command);
	expect(d, 0, "", "h\ni\n", "workers", "--handlers");
}

/* --- completion ---------------------------------------------------------------------------------- */

/* What bash offers for the last word of a line, whose words are separated by spaces. */
static void assert_offered(struct database *d, const char *words, const char *expected)
{
	static const char SCRIPT[] =
		"shopt -u extglob; PATH=${1%/*}:$PATH; source <(locum completion bash); "
		"IFS=' ' read -ra COMP_WORDS <<< \"$2\"; [[ $2 == *' ' ]] && COMP_WORDS+=(''); "
		"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _locum; printf '%s ' \"${COMPREPLY[@]}\"";
	struct command command;

	command_init(&command, "/bin/bash");
	command_setenv(&command, "LOCUM_DATABASE_URL", d->conninfo);
	command_add(&command, "-c", SCRIPT, "bash", cli_program("locum"), words, NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 0, "");
	assert_string_equal(command.said, "");
	if (strcmp(command.printed, expected) != 0)
		fail_msg("\"%s\" offers \"%s\"", words, command.printed);
	command_fini(&command);
}

static void bash_completes_verbs_flags_states_and_queues(void **state)
{
	struct database *d = *state;
	char uuid[UUID_TEXT_SIZE];

	fleet_submit(d, "'h', queue => 'mail'");
	database_do(d,
		    "insert into locum.agent (incarnation, name, size, queues, handlers) "
		    "values ('%s', 'a', 3, '{default}', '{thumb,tally}')",
		    uuid_text(fleet_dispatcher(d), uuid));
	assert_offered(d, "locum ca", "cancel ");
	assert_offered(d, "locum help wor", "workers ");
	assert_offered(d, "locum queue p", "pause ");
	assert_offered(d, "locum queue pause ", "default mail ");
	assert_offered(d, "locum list --queue m", "mail ");
	assert_offered(d, "locum list --state c", "completed cancelled ");
	assert_offered(d, "locum list -s fa", "failed ");
	assert_offered(d, "locum cancel --handler t", "tally thumb ");
	assert_offered(d, "locum retry --dr", "--dry-run ");
	assert_offered(d, "locum list --color n", "never ");
	assert_offered(d, "locum wait --an", "--any ");
	assert_offered(d, "locum queue create --kee", "--keep-finished ");
	assert_offered(d, "locum completion b", "bash ");
	assert_offered(d, "locum help queue pa", "pause ");
	assert_offered(d, "locum help chaos c", "check ");
	assert_offered(d, "locum chaos r", "run report ");
	assert_offered(d, "locum chaos run --suite f", "full ");
	assert_offered(d, "locum chaos run --fault job-cr", "job-crashes ");
	assert_offered(d, "locum bench dr", "drain ");
	assert_offered(d, "locum list --state = pe", "pending ");
	assert_offered(d, "locum list --state =",
		       "waiting scheduled pending assigned active held "
		       "completed failed cancelled expired ");
	assert_offered(d, "locum list --state pending,fa", "pending,failed ");
	assert_offered(d, "locum list --columns id,inter", "id,interruptions ");
	assert_offered(d, "locum submit h --then al", "always= ");
	assert_offered(d, "locum submit h --then always = ta", "tally ");
	assert_offered(d, "locum submit h --then = always = ta", "tally ");
}

static void completion_never_runs_what_a_queue_is_called(void **state)
{
	struct database *d = *state;
	char directory[] = "/tmp/locum-tab.XXXXXX";
	char expected[200];
	char made[64];

	assert_non_null(mkdtemp(directory));
	snprintf(made, sizeof(made), "%s/x", directory);
	database_do(d,
		    "insert into locum.queue (name) values ('$(touch %s)'), ('`touch %s`'), "
		    "('two words'), ('o''clock')",
		    made, made);
	snprintf(expected, sizeof(expected),
		 "\\$\\(touch\\ %s\\) \\`touch\\ %s\\` default o\\'clock two\\ words ", made, made);
	assert_offered(d, "locum list --queue ", expected);
	assert_offered(d, "locum list --queue tw", "two\\ words ");
	assert_offered(d, "locum list --queue o\\'c", "o\\'clock ");
	assert_int_equal(access(made, F_OK), -1);
	assert_int_equal(rmdir(directory), 0);
}

static void every_verb_has_help_and_a_man_page(void **state)
{
	static const char *const VERBS[] = { "up",           "down",  "init",      "submit",
					     "list",         "show",  "wait",      "cancel",
					     "retry",        "queue", "workers",   "drain",
					     "handler-test", "bench", "completion" };
	struct database *d = *state;

	for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
		struct command command;
		char start[64];
		char page[64];

		cli_run(&command, d, "help", VERBS[i], NULL);
		snprintf(start, sizeof(start), "Usage: locum %s", VERBS[i]);
		cli_assert(&command, 0, "");
		assert_memory_equal(command.printed, start, strlen(start));
		command_fini(&command);
		snprintf(page, sizeof(page), "doc/man/locum-%s.1.scd", VERBS[i]);
		command_init(&command, "/usr/bin/test");
		command_add(&command, "-s", page, NULL);
		command_run(&command, "", 0);
		if (command.code != 0)
			fail_msg("there is no %s", page);
		command_fini(&command);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(queues_are_made_changed_paused_and_resumed),
		DATABASE_TEST(a_queue_is_deleted_when_it_has_no_job),
		DATABASE_TEST(a_queue_that_somebody_submits_to_is_not_deleted_and_not_waited_for),
		DATABASE_TEST(queues_tell_their_depth_by_state_and_the_oldest),
		DATABASE_TEST(workers_tell_what_is_broken_and_who_died),
		DATABASE_TEST(bash_completes_verbs_flags_states_and_queues),
		DATABASE_TEST(completion_never_runs_what_a_queue_is_called),
		DATABASE_TEST(every_verb_has_help_and_a_man_page),
		SCENARIO_CALM_TEST(a_dispatcher_drains_on_demand),
		SCENARIO_CALM_TEST(a_wait_for_a_drain_ends_at_its_timeout),
		SCENARIO_TEST(
			after_a_pause_nothing_is_claimed_though_a_dispatcher_does_not_know_of_it),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
