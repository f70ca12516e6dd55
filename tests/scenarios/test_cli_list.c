#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cli.h"
#include "tests/support/fleet.h"

/* Seven jobs: 1 and 2 failed, 3 completed, 4 cancelled, 5 pending, 6 scheduled, 7 active. */
static void fill(struct database *d)
{
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome failure = { .outcome = "failed", .error = "Disk FULL on /dev/sdb" };
	struct fleet_outcome other = { .outcome = "failed", .error = "exit status 3" };
	struct fleet_outcome success = { .outcome = "completed", .result = "[1]" };
	struct uuid claim;

	failure.id = fleet_submit(d, "'h', labels => '{\"env\": \"prod\", \"tenant\": 7}'");
	fleet_claim_one(d, dispatcher, &failure.claim_id);
	fleet_complete(d, dispatcher, &failure);
	other.id = fleet_submit(d, "'h', labels => '{\"env\": \"test\"}', key => 'same'");
	fleet_claim_one(d, dispatcher, &other.claim_id);
	fleet_complete(d, dispatcher, &other);
	success.id = fleet_submit(d, "'h', submitted_by => 'ann'");
	fleet_claim_one(d, dispatcher, &success.claim_id);
	fleet_complete(d, dispatcher, &success);
	database_do(d, "select locum.cancel(%d)", (int)fleet_submit(d, "'gone', queue => 'mail'"));
	fleet_submit(d, "'other', queue => 'mail', key => 'same'");
	fleet_submit(d, "'h', delay => '1h', labels => '{\"env\": \"prod\"}'");
	assert_int_equal(fleet_submit(d, "'h', priority => 0"), 7);
	fleet_claim_one(d, dispatcher, &claim);
	fleet_start(d, 7, claim);
	database_do(d, "update locum.job set created_at = now() - interval '3 days' where id = 5");
	database_do(
		d, "update locum.finished set created_at = now() - interval '2 days' where id = 1");
}

static void assert_listed(struct database *d, const char *expected, const char *const *options)
{
	struct command command;

	cli_init(&command, d);
	command_add(&command, "list", "-q", NULL);
	for (; *options != NULL; options++)
		command_add(&command, *options, NULL);
	command_run(&command, "", 0);
	cli_assert(&command, 0, "");
	assert_string_equal(command.printed, expected);
	command_fini(&command);
}

#define listed(d, expected, ...)                                                                   \
	assert_listed(d, expected, (const char *const[]){ __VA_ARGS__, NULL })

static void jobs_are_found_by_each_filter(void **state)
{
	struct database *d = *state;

	fill(d);
	listed(d, "2\n1\n", "--state", "failed");
	listed(d, "7\n4\n2\n1\n", "--state", "failed,cancelled", "-s", "active");
	listed(d, "7\n", "-s", "active,assigned");
	listed(d, "5\n4\n", "--queue", "mail");
	listed(d, "7\n6\n5\n4\n3\n2\n1\n", "-Q", "mail", "-Q", "default");
	listed(d, "5\n4\n", "-H", "other", "--handler", "gone");
	listed(d, "6\n1\n", "--label", "env=prod");
	listed(d, "1\n", "-l", "env=prod", "-l", "tenant=7");
	listed(d, "1\n", "--error", "disk full");
	listed(d, "5\n2\n", "--key", "same");
	listed(d, "3\n", "--submitted-by", "ann");
	listed(d, "7\n6\n4\n3\n2\n", "--since", "1h");
	listed(d, "5\n1\n", "--until", "1h");
	listed(d, "1\n", "--since", "60h", "--until", "1d");
	listed(d, "4\n3\n2\n1\n", "--since", "1h", "--time", "finished");
	listed(d, "", "--since", "2090-01-02T03:04:05Z");
	listed(d, "2\n", "-s", "failed", "-Q", "default", "-k", "same", "-l", "env=test");
	listed(d, "", "-Q", "nosuchqueue");
}

static void json_has_these_members_in_this_order(void **state)
{
	struct database *d = *state;
	struct command command;
	static const char START[] =
		"{\"id\":1,\"state\":\"failed\",\"queue\":\"default\",\"handler\":\"h\",\"priority\":5,"
		"\"attempt\":1,\"max_attempts\":5,\"interruptions\":0,\"key\":null,"
		"\"labels\":{\"env\": \"prod\", \"tenant\": \"7\"},\"submitted_by\":\"postgres\","
		"\"created_at\":\"2";

	fill(d);
	cli_run(&command, d, "list", "--json", "-e", "disk", NULL);
	assert_memory_equal(command.printed, START, strlen(START));
	assert_non_null(strstr(command.printed, "\"error\":\"Disk FULL on /dev/sdb\","
						"\"payload\":{},\"result\":null}\n"));
	command_fini(&command);
	cli_run(&command, d, "list", "--json", "-o", "state,id,retry_of,follows", "-n", "1", NULL);
	assert_string_equal(command.printed, "{\"state\":\"active\",\"id\":7,\"retry_of\":null,"
					     "\"follows\":null}\n");
	cli_assert(&command, 0, "only the newest 1 are shown");
	command_fini(&command);
}

static void columns_are_those_that_were_asked_for(void **state)
{
	struct database *d = *state;
	struct command command;

	fill(d);
	cli_run(&command, d, "list", "-s", "completed", "-o", "id,result,labels,key", NULL);
	assert_string_equal(command.printed, "ID RESULT LABELS KEY\n 3 [1]           \n");
	command_fini(&command);
	cli_run(&command, d, "list", "-k", "same", "-o", "labels", NULL);
	assert_string_equal(command.printed, "LABELS\n\nenv=test\n");
	command_fini(&command);
}

/* An old job behind more than a search looks at in vain. */
static void a_search_that_gives_up_says_where(void **state)
{
	struct database *d = *state;
	struct command command;

	database_do(d, "alter table locum.job disable trigger edges");
	fleet_submit(d, "'rare', key => 'k', labels => '{\"a\": \"b\"}'");
	database_do(d, "insert into locum.job (queue_id, state, lane, handler) "
		       "select 1, 'pending', 1, 'h' from generate_series(1, 510000)");
	database_do(d, "alter table locum.job enable trigger edges");
	cli_run(&command, d, "list", "-q", "-H", "rare", NULL);
	cli_assert(&command, 1, "were not looked at; --until goes on there, --all looks at all");
	assert_string_equal(command.printed, "");
	command_fini(&command);
	listed(d, "1\n", "-H", "rare", "--all");
	listed(d, "1\n", "-H", "rare", "-k", "k");
	listed(d, "1\n", "-H", "rare", "-l", "a=b");
	cli_run(&command, d, "cancel", "-q", "-y", "-H", "rare", NULL);
	assert_string_equal(command.printed, "1\n");
	command_fini(&command);
}

static void names_are_told_whole_whatever_the_locale_but_for_what_turns_them(void **state)
{
	struct database *d = *state;
	struct command command;

	fleet_submit(d, "'h', queue => 'größe'");
	fleet_submit(d, "'h', queue => U&'a\\202Eb'");
	cli_init(&command, d);
	command_setenv(&command, "LC_ALL", "C");
	command_add(&command, "list", "-o", "queue", NULL);
	command_run(&command, "", 0);
	assert_string_equal(command.printed, "QUEUE\na<U+202E>b\ngröße\n");
	command_fini(&command);
}

/* More of them than a search looks at in vain. */
static void a_failure_is_found_behind_jobs_that_were_cancelled(void **state)
{
	struct database *d = *state;
	struct fleet_outcome failure = { .outcome = "failed", .error = "no" };
	struct uuid dispatcher = fleet_dispatcher(d);

	failure.id = fleet_submit(d, "'h'");
	fleet_claim_one(d, dispatcher, &failure.claim_id);
	fleet_complete(d, dispatcher, &failure);
	database_do(d, "set session_replication_role = replica");
	database_do(d, "insert into locum.finished select copy.* from locum.finished, "
		       "generate_series(2, 30000) as n, jsonb_populate_record(finished, "
		       "jsonb_build_object('id', n, 'state', 'cancelled')) as copy");
	database_do(d, "reset session_replication_role");
	listed(d, "1\n", "-s", "failed", "-H", "h");
}

static void colours_come_when_they_are_wanted(void **state)
{
	struct database *d = *state;
	struct command command;

	fill(d);
	cli_run(&command, d, "list", "-s", "failed", NULL);
	assert_null(strchr(command.printed, '\033'));
	command_fini(&command);
	cli_run(&command, d, "list", "-s", "failed", "--color=always", NULL);
	assert_non_null(strstr(command.printed, "\033[31mfailed"));
	command_fini(&command);
	cli_run(&command, d, "show", "3", "--color=always", NULL);
	assert_non_null(strstr(command.printed, "job 3: \033[32mcompleted\033[0m\n"));
	command_fini(&command);
}

/* On a terminal of that many columns, with one more variable or NULL. */
static void list_on_terminal(struct command *command, struct database *d, int columns,
			     const char *variable)
{
	static char line[2048];

	command_init(command, "/usr/bin/script");
	command_setenv(command, "LOCUM_DATABASE_URL", d->conninfo);
	command_setenv(command, "TERM", "xterm");
	if (variable != NULL)
		command_setenv(command, variable, strcmp(variable, "TERM") == 0 ? "dumb" : "1");
	snprintf(line, sizeof(line), "stty cols %d; exec %s list", columns, cli_program("locum"));
	command_add(command, "-qec", line, "/dev/null", NULL);
	command_run(command, "", 0);
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, "\r\n");

		longest = length > longest ? length : longest;
		text += length + strspn(text + length, "\r\n");
	}
	return longest;
}

static void a_terminal_gets_colours_and_lines_that_fit(void **state)
{
	struct database *d = *state;
	struct command command;

	fill(d);
	list_on_terminal(&command, d, 60, NULL);
	assert_non_null(strstr(command.printed, "\033[31mfailed"));
	command_fini(&command);
	list_on_terminal(&command, d, 60, "NO_COLOR");
	assert_null(strchr(command.printed, '\033'));
	assert_in_range(longest_line(command.printed), 40, 60);
	command_fini(&command);
	list_on_terminal(&command, d, 200, "NO_COLOR");
	assert_non_null(strstr(command.printed, "Disk FULL on /dev/sdb"));
	command_fini(&command);
}

static void end_connections(struct database *d)
{
	assert_int_equal(database_int(d, "select count(pg_terminate_backend(pid)) from "
					 "pg_stat_activity where application_name = 'locum/cli' "
					 "and datname = current_database()"),
			 1);
}

static void a_watch_and_a_wait_survive_the_loss_of_their_connection(void **state)
{
	struct database *d = *state;
	struct command watch;
	struct command wait;

	fleet_submit(d, "'h'");
	cli_init(&watch, d);
	command_add(&watch, "list", "--json", "-o", "id,state", "--watch=0.1", NULL);
	command_start(&watch);
	command_await_printed(&watch, "\"pending\"");
	end_connections(d);
	command_await_said(&watch, "locum: ");
	database_do(d, "select locum.cancel(1)");
	command_await_printed(&watch, "\"cancelled\"");
	assert_int_equal(kill(watch.pid, SIGINT), 0);
	command_finish(&watch);
	cli_assert(&watch, 130, "");
	command_fini(&watch);

	fleet_submit(d, "'h'");
	cli_init(&wait, d);
	command_add(&wait, "wait", "2", NULL);
	command_start(&wait);
	while (database_int(d, "select count(*) from pg_stat_activity where application_name = "
			       "'locum/cli' and datname = current_database() and query like "
			       "'%%job_states%%'") == 0) {
	}
	end_connections(d);
	database_do(d, "select locum.cancel(2)");
	command_finish(&wait);
	cli_assert(&wait, 1, "");
	assert_string_equal(wait.printed, "2 cancelled\n");
	command_fini(&wait);
}

static void a_watch_goes_on_until_it_is_interrupted(void **state)
{
	struct database *d = *state;
	struct command command;

	fleet_submit(d, "'h'");
	cli_init(&command, d);
	command_add(&command, "list", "--json", "-o", "id,state", "--watch=0.1", NULL);
	command_start(&command);
	command_await_printed(&command, "{\"id\":1,\"state\":\"pending\"}\n"
					"{\"id\":1,\"state\":\"pending\"}\n");
	database_do(d, "select locum.cancel(1)");
	command_await_printed(&command, "{\"id\":1,\"state\":\"cancelled\"}\n");
	kill(command.pid, SIGINT);
	command_finish(&command);
	cli_assert(&command, 130, "");
	command_fini(&command);
}

static void show_tells_the_policy_labels_and_what_follows(void **state)
{
	struct database *d = *state;
	struct uuid dispatcher = fleet_dispatcher(d);
	struct fleet_outcome end = { .id = 1, .outcome = "completed" };
	struct command command;

	fleet_submit(d, "'h', labels => '{\"a\": \"b\"}', \"then\" => '{\"success\": \"next\"}', "
			"retry_delay => '2s', retry_cap => '1m', retry_backoff => 'linear', "
			"timeout => '90s'");
	fleet_claim_one(d, dispatcher, &end.claim_id);
	fleet_complete(d, dispatcher, &end);
	cli_run(&command, d, "show", "1", NULL);
	assert_non_null(strstr(command.printed, "linear from 2s, at most 1m\n"));
	assert_non_null(strstr(command.printed, "timeout     1m30s\n"));
	assert_non_null(strstr(command.printed, "labels      a=b\n"));
	assert_non_null(strstr(command.printed, "followed by:\n  job 2: pending, handler next"));
	command_fini(&command);
	cli_run(&command, d, "show", "2", "1", "--json", NULL);
	assert_non_null(strstr(command.printed, "\"follows\":1,\"then\":null"));
	assert_non_null(strstr(command.printed,
			       "\"retry_delay_ms\":2000,\"retry_cap_ms\":60000,"
			       "\"retry_backoff\":\"linear\",\"timeout_ms\":90000"));
	assert_non_null(strstr(command.printed, "\"follow_ups\":[{\"id\":2,\"state\":\"pending\","
						"\"queue\":\"default\",\"handler\":\"next\"}]}\n"));
	command_fini(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATABASE_TEST(jobs_are_found_by_each_filter),
		DATABASE_TEST(json_has_these_members_in_this_order),
		DATABASE_TEST(columns_are_those_that_were_asked_for),
		DATABASE_TEST(a_search_that_gives_up_says_where),
		DATABASE_TEST(names_are_told_whole_whatever_the_locale_but_for_what_turns_them),
		DATABASE_TEST(a_failure_is_found_behind_jobs_that_were_cancelled),
		DATABASE_TEST(colours_come_when_they_are_wanted),
		DATABASE_TEST(a_terminal_gets_colours_and_lines_that_fit),
		DATABASE_TEST(a_watch_and_a_wait_survive_the_loss_of_their_connection),
		DATABASE_TEST(a_watch_goes_on_until_it_is_interrupted),
		DATABASE_TEST(show_tells_the_policy_labels_and_what_follows),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
