/* The audit trail that trace_file asks for: what a dispatcher knew, and in which order. */
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/database.h"
#include "tests/support/scenario.h"

#define UUID "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

static const struct relay_rule NO_DATABASE = { .client = "locum/", .harm = RELAY_RESET };
static const struct relay_rule NO_PING = { .client = "locum/pinger", .harm = RELAY_RESET };
static const struct relay_rule DROP_ANSWER = { .trigger = "job_complete",
					       .harm = RELAY_CUT_ANSWER,
					       .times = 1 };

static struct scenario_daemon *start_traced(struct scenario *s, const char *name)
{
	return scenario_start(s, name, "trace_file = \"%s/%s.trace\"", s->directory, name);
}

/* The number of the first line behind line `after` that is " KIND …", an extended regular expression; 0: there is none. */
static int find(struct scenario *s, const char *name, int after, const char *pattern)
{
	char path[SCENARIO_PATH];
	char whole[512];
	char *line = NULL;
	size_t size = 0;
	regex_t wanted;
	int number = 0;
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.trace", s->directory, name);
	snprintf(whole, sizeof(whole), "^[0-9]{6,} %s\n$", pattern);
	assert_int_equal(regcomp(&wanted, whole, REG_EXTENDED | REG_NOSUB), 0);
	file = fopen(path, "re");
	assert_non_null(file);
	while (found == 0 && getline(&line, &size, file) > 0)
		if (++number > after && regexec(&wanted, line, 0, NULL, 0) == 0)
			found = number;
	fclose(file);
	free(line);
	regfree(&wanted);
	return found;
}

/* Waits for it. */
static int await(struct scenario *s, const char *name, int after, const char *pattern)
{
	int64_t deadline_ms = scenario_deadline_ms();
	int found;

	while ((found = find(s, name, after, pattern)) == 0)
		if (!scenario_pause(deadline_ms))
			scenario_fail(s, "no \"%s\" in the trace of %s behind line %d", pattern,
				      name, after);
	return found;
}

static void a_trace_tells_the_life_of_a_job(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	struct stat about;
	char path[SCENARIO_PATH];
	int at;

	scenario_handler(s, "quick", "", "note run");
	daemon = start_traced(s, "one");
	scenario_submit(s, 1, "quick");
	scenario_await_finished(s, 1, "completed");
	at = await(s, "one", 0, "register " UUID " " UUID " [0-9]+");
	await(s, "one", at, "ping 1");
	await(s, "one", at, "acked 1");
	at = await(s, "one", at, "claim " UUID " " UUID " 1:1");
	at = await(s, "one", at, "begin " UUID " 1");
	at = await(s, "one", at, "complete " UUID " 1:completed:" UUID);
	at = await(s, "one", at, "answer " UUID " 1:accepted");
	scenario_drain(s, daemon);
	await(s, "one", at, "stop " UUID);
	assert_int_equal(find(s, "one", 0, "(fence|dead|reassigned|unknown) .*"), 0);
	snprintf(path, sizeof(path), "%s/one.trace", s->directory);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_trace_tells_a_reassignment_and_the_end_of_a_life(void **state)
{
	struct scenario *s = *state;
	int at;

	scenario_gate(s, "gate.1");
	scenario_gate(s, "gate.2");
	scenario_handler(s, "slow", "fence = \"finish\"",
			 "begin; gate gate.$LOCUM_CLAIM_SEQ; note end");
	scenario_relay(s);
	start_traced(s, "slow");
	scenario_direct(s);
	scenario_submit(s, 1, "slow");
	scenario_await_active(s, 1);
	relay_set(s->detour.relay, &NO_DATABASE);
	start_traced(s, "sibling");
	scenario_await_noted(s, 1, "start 1 2 ");
	scenario_let(s, "gate.1", 1);
	scenario_await_noted(s, 1, "end 1 1 ");
	at = await(s, "slow", 0, "fence " UUID);
	relay_set(s->detour.relay, &NO_PING);
	at = await(s, "slow", at, "complete " UUID " 1:completed:" UUID);
	at = await(s, "slow", at, "answer " UUID " 1:lost");
	at = await(s, "slow", at, "reassigned 1 " UUID);
	relay_set(s->detour.relay, &DETOUR_PASS);
	at = await(s, "slow", at, "dead " UUID);
	await(s, "slow", at, "register " UUID " " UUID " [0-9]+");
	scenario_let(s, "gate.2", 1);
	at = await(s, "sibling", 0, "claim " UUID " " UUID " 1:2");
	await(s, "sibling", at, "answer " UUID " 1:accepted");
	assert_int_equal(find(s, "slow", 0, "answer " UUID " 1:accepted"), 0);
}

static void a_trace_outlives_a_kill_and_its_successor_goes_on_in_it(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;
	int at;

	scenario_gated(s);
	daemon = start_traced(s, "one");
	scenario_submit(s, 1, "gated");
	scenario_await_active(s, 1);
	scenario_kill(s, daemon);
	at = await(s, "one", 0, "begin " UUID " 1");
	assert_int_equal(find(s, "one", at, "complete .*"), 0);
	scenario_run(s, daemon);
	at = await(s, "one", at, "register " UUID " " UUID " [0-9]+");
	at = await(s, "one", at, "claim " UUID " " UUID " 1:2");
	scenario_let(s, "gate", 1);
	await(s, "one", at, "answer " UUID " 1:accepted");
}

static void a_trace_tells_an_answer_that_was_lost_and_found(void **state)
{
	struct scenario *s = *state;
	int at;

	scenario_handler(s, "quick", "", "note run");
	scenario_relay(s);
	start_traced(s, "one");
	relay_set(s->detour.relay, &DROP_ANSWER);
	scenario_submit(s, 1, "quick");
	at = await(s, "one", 0, "complete " UUID " 1:completed:" UUID);
	at = await(s, "one", at, "unknown " UUID);
	at = await(s, "one", at, "complete " UUID " 1:completed:" UUID);
	await(s, "one", at, "answer " UUID " 1:mine");
}

static void a_trace_that_cannot_be_kept_is_refused_at_the_start(void **state)
{
	struct scenario *s = *state;
	struct scenario_daemon *daemon;

	scenario_handler(s, "quick", "", "note run");
	daemon = scenario_daemon(s, "one", "trace_file = \"/dev/null\"");
	scenario_launch(s, daemon, NULL);
	assert_int_equal(scenario_exit(s, daemon), 78);
	assert_int_equal(scenario_logged(s, daemon, "trace_file /dev/null is not a regular file"),
			 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO_TEST(a_trace_tells_the_life_of_a_job),
		SCENARIO_TEST(a_trace_tells_a_reassignment_and_the_end_of_a_life),
		SCENARIO_TEST(a_trace_outlives_a_kill_and_its_successor_goes_on_in_it),
		SCENARIO_TEST(a_trace_tells_an_answer_that_was_lost_and_found),
		SCENARIO_CALM_TEST(a_trace_that_cannot_be_kept_is_refused_at_the_start),
	};

	return cmocka_run_group_tests(tests, database_open, database_close);
}
