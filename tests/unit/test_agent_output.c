#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/output.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/support/agent_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* --- the ring ---------------------------------------------------------------------------------- */

static void assert_text(const struct output *output, const char *wanted)
{
	size_t length = 0;
	char *text = output_text(output, &length);

	assert_non_null(text);
	assert_string_equal(text, wanted);
	assert_int_equal(length, strlen(wanted));
	free(text);
}

static void no_output_is_no_text(void **state)
{
	struct output output = { 0 };
	size_t length;

	(void)state;
	assert_null(output_text(&output, &length));
	output_free(&output);
}

static void short_output_is_kept_whole(void **state)
{
	struct output output = { 0 };

	(void)state;
	output_add(&output, "one\n", 4);
	output_add(&output, "", 0);
	output_add(&output, "two", 3);
	assert_text(&output, "one\ntwo");
	assert_true(output.size < LIMIT_LOG_BYTES);
	output_free(&output);
}

static void bytes_that_are_no_text_are_written_out(void **state)
{
	struct output output = { 0 };

	(void)state;
	output_add(&output, "a\0b\xff\xc3", 5);
	output_add(&output, "\xa4", 1);
	assert_text(&output, "a\\x00b\\xff\xc3\xa4");
	output_free(&output);
}

/* What is kept of `total` bytes that count up in lines of 10, written in pieces of `piece`. */
static void check_tail(size_t total, size_t piece)
{
	struct output output = { 0 };
	char *all = malloc(total + 32);
	size_t length;
	size_t dropped;
	char *text;
	char *body;

	assert_non_null(all);
	for (size_t at = 0; at < total; at += 10)
		snprintf(all + at, 32, "%09zu\n", at / 10);
	for (size_t at = 0; at < total; at += piece)
		output_add(&output, all + at, total - at < piece ? total - at : piece);
	text = output_text(&output, &length);
	assert_non_null(text);
	assert_true(length <= LIMIT_LOG_BYTES);
	assert_true(length > LIMIT_LOG_BYTES - 100);
	assert_int_equal(sscanf(text, "[%zu earlier bytes dropped]", &dropped), 1);
	body = strchr(text, '\n') + 1;
	assert_int_equal(dropped + strlen(body), total);
	assert_memory_equal(body, all + dropped, total - dropped);
	free(text);
	free(all);
	output_free(&output);
}

static void long_output_keeps_its_tail_and_says_what_is_missing(void **state)
{
	static const size_t TOTALS[] = { LIMIT_LOG_BYTES + 1, 70000, 131072, 131073, 1000000 };
	static const size_t PIECES[] = { 1, 7, 4096, 65536, 65537, 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof(TOTALS) / sizeof(TOTALS[0]); i++) {
		for (size_t j = 0; j < sizeof(PIECES) / sizeof(PIECES[0]); j++)
			check_tail(TOTALS[i], PIECES[j]);
	}
}

static void output_of_exactly_the_limit_is_whole(void **state)
{
	struct output output = { 0 };
	char *bytes = malloc(LIMIT_LOG_BYTES);
	size_t length;
	char *text;

	(void)state;
	memset(bytes, 'x', LIMIT_LOG_BYTES);
	output_add(&output, bytes, LIMIT_LOG_BYTES);
	text = output_text(&output, &length);
	assert_int_equal(length, LIMIT_LOG_BYTES);
	assert_memory_equal(text, bytes, LIMIT_LOG_BYTES);
	free(text);
	free(bytes);
	output_free(&output);
}

static void the_tail_never_begins_inside_a_character(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 8; extra++) {
		struct output output = { 0 };
		size_t length;
		char *text;

		for (size_t i = 0; i < extra; i++)
			output_add(&output, "x", 1);
		for (size_t i = 0; i < LIMIT_LOG_BYTES / 2; i++)
			output_add(&output, "\xf0\x9f\x90\x98", 4);
		text = output_text(&output, &length);
		assert_non_null(text);
		assert_int_equal(text_valid(text, length), length);
		assert_null(strstr(text, "\\x"));
		free(text);
		output_free(&output);
	}
}

static void what_grows_by_cleaning_still_keeps_the_limit(void **state)
{
	struct output output = { 0 };
	char zeros[4096] = { 0 };
	size_t length;
	size_t dropped;
	char *text;

	(void)state;
	for (int i = 0; i < 10; i++)
		output_add(&output, zeros, sizeof(zeros));
	output_add(&output, "end", 3);
	text = output_text(&output, &length);
	assert_true(length <= LIMIT_LOG_BYTES);
	assert_int_equal(sscanf(text, "[%zu earlier bytes dropped]", &dropped), 1);
	assert_int_equal(strlen(strchr(text, '\n') + 1), (10 * 4096 - dropped) * 4 + 3);
	assert_string_equal(text + length - 3, "end");
	free(text);
	output_free(&output);
}

/* --- of a handler ------------------------------------------------------------------------------ */

static void stdout_and_stderr_are_one_log(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "talk", "echo one; echo two >&2; echo three");
	agent_fixture_start(agent);
	assert_true(agent_fixture_is(agent_fixture_finish(agent, 1, "talk", "{}").log,
				     "one\ntwo\nthree\n"));
}

static void output_of_a_killed_handler_is_kept(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "talk", "echo last words; kill -9 $$");
	agent_fixture_start(agent);
	assert_true(
		agent_fixture_is(agent_fixture_finish(agent, 1, "talk", "{}").log, "last words\n"));
}

static void a_handler_that_closes_its_output_runs_on(void **state)
{
	struct agent_fixture *agent = *state;

	agent_fixture_script(agent, "closes",
			     "exec > /dev/null 2>&1; echo '{}' >&3; exec 3>&-; exit 7");
	agent_fixture_start(agent);
	agent_fixture_finish(agent, 1, "closes", "{}");
	assert_int_equal(agent_fixture_finish(agent, 2, "closes", "{}").exit_code, 7);
}

static void a_gigabyte_of_output_needs_no_memory(void **state)
{
	struct agent_fixture *agent = *state;
	struct wire_outcome outcome;

	agent_fixture_script(agent, "flood",
			     SANITIZED ? "head -c 50000000 /dev/zero; echo end"
				       : "head -c 1000000000 /dev/zero; echo end");
	agent_fixture_start(agent);
	outcome = agent_fixture_finish(agent, 1, "flood", "{}");
	agent_fixture_assert_outcome(outcome, VERDICT_DONE, NULL);
	assert_true(outcome.log.length <= LIMIT_LOG_BYTES);
	assert_true(agent_fixture_holds(outcome.log, "earlier bytes dropped]\n\\x00"));
	assert_memory_equal(outcome.log.bytes + outcome.log.length - 4, "end\n", 4);
	if (!SANITIZED)
		assert_true(agent_fixture_status(agent, "VmHWM") < 16 * 1024);
}

static void a_hundred_floods_at_once_stay_within_bounds(void **state)
{
	enum { COUNT = 100 };
	struct agent_fixture *agent = *state;

	agent->slots = COUNT;
	agent_fixture_script(agent, "flood",
			     "head -c 300000 /dev/zero; exec 9> $FIFO; "
			     "echo full >&9; cat $FIFO.go > /dev/null");
	agent_fixture_start(agent);
	for (int64_t id = 1; id <= COUNT; id++)
		agent_fixture_run(agent, id, "flood", "{}");
	for (int64_t id = 1; id <= COUNT; id++)
		fifo_await(&agent->fifo, "full");
	if (!SANITIZED)
		assert_true(agent_fixture_status(agent, "VmHWM") < 64 * 1024);
}

static void a_hundred_idle_slots_cost_next_to_nothing(void **state)
{
	struct agent_fixture *agent = *state;

	agent->slots = 100;
	agent_fixture_command(agent, "true", "/bin/true", NULL);
	agent_fixture_start(agent);
	agent_fixture_finish(agent, 1, "true", "{}");
	if (!SANITIZED)
		assert_true(agent_fixture_status(agent, "VmRSS") < 8 * 1024);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, agent_fixture_set_up, agent_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_output_is_no_text),
		cmocka_unit_test(short_output_is_kept_whole),
		cmocka_unit_test(bytes_that_are_no_text_are_written_out),
		cmocka_unit_test(long_output_keeps_its_tail_and_says_what_is_missing),
		cmocka_unit_test(output_of_exactly_the_limit_is_whole),
		cmocka_unit_test(the_tail_never_begins_inside_a_character),
		cmocka_unit_test(what_grows_by_cleaning_still_keeps_the_limit),
		TEST(stdout_and_stderr_are_one_log),
		TEST(output_of_a_killed_handler_is_kept),
		TEST(a_handler_that_closes_its_output_runs_on),
		TEST(a_gigabyte_of_output_needs_no_memory),
		TEST(a_hundred_floods_at_once_stay_within_bounds),
		TEST(a_hundred_idle_slots_cost_next_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
