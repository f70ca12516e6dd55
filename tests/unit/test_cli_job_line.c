#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/locum/job_line.h"

static const struct submission_job NO_DEFAULTS = { .priority = SUBMISSION_PRIORITY_NONE };

static void assert_text(struct args_text text, const char *expected)
{
	if (expected == NULL) {
		assert_null(text.bytes);
		return;
	}
	assert_non_null(text.bytes);
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.bytes, expected, text.length);
}

static void read_line(struct job_line *line, const char *text)
{
	struct error err = { .kind = ERROR_NONE };

	if (job_line_read(line, text, strlen(text), &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void what_has_an_array_goes_there_and_the_rest_to_the_options(void **state)
{
	struct job_line line;

	(void)state;
	job_line_init(&line, &NO_DEFAULTS);
	read_line(&line, " {\"handler\":\"h\", \"payload\" : { \"a\":[1, 2] } ,\"queue\":\"q\","
			 "\"priority\":3,\"key\":\"k\",\"delay\": \"1h\",\"labels\":{\"a\":1}} ");
	assert_text(line.job.handler, "h");
	assert_text(line.job.payload, "{ \"a\":[1, 2] }");
	assert_text(line.job.queue, "q");
	assert_text(line.job.key, "k");
	assert_int_equal(line.job.priority, 3);
	assert_text(line.job.options, "{\"delay\":\"1h\",\"labels\":{\"a\":1}}");
	read_line(&line, "{\"handler\":\"h\"}");
	assert_text(line.job.payload, NULL);
	assert_text(line.job.options, NULL);
	job_line_fini(&line);
}

/* The server knows best what a text with escapes or a number in quotes is. */
static void what_is_not_as_usual_goes_to_the_options_whole(void **state)
{
	static const struct submission_job DEFAULTS = { .handler = { "other", 5 }, .priority = 9 };
	struct job_line line;

	(void)state;
	job_line_init(&line, &DEFAULTS);
	read_line(
		&line,
		"{\"handler\":\"\\u0068\",\"priority\":\"3\",\"queue\":\"\\u0037\",\"payload\":null}");
	assert_text(line.job.handler, NULL);
	assert_text(line.job.queue, NULL);
	assert_text(line.job.payload, "null");
	assert_int_equal(line.job.priority, SUBMISSION_PRIORITY_NONE);
	assert_text(line.job.options,
		    "{\"handler\":\"\\u0068\",\"priority\":\"3\",\"queue\":\"\\u0037\"}");
	job_line_fini(&line);
}

static void a_null_leaves_the_default_and_a_value_wins_over_it(void **state)
{
	static const struct submission_job DEFAULTS = {
		.handler = { "h", 1 },
		.queue = { "q", 1 },
		.options = { "{\"delay\":\"1h\",\"key\":1}", 22 },
		.priority = 1,
	};
	struct job_line line;

	(void)state;
	job_line_init(&line, &DEFAULTS);
	read_line(&line, "{\"queue\":null,\"delay\":null,\"handler\":\"own\",\"priority\":2}");
	assert_text(line.job.handler, "own");
	assert_text(line.job.queue, "q");
	assert_int_equal(line.job.priority, 2);
	assert_text(line.job.options, "{\"delay\":\"1h\",\"key\":1}");
	read_line(&line, "{\"delay\":\"2h\"}");
	assert_text(line.job.options, "{\"delay\":\"2h\",\"key\":1}");
	job_line_fini(&line);
}

static void a_wrong_line_is_refused_with_the_place(void **state)
{
	static const char *const WRONG[][2] = {
		{ "x", "it is not JSON: column 1" },
		{ "{\"handler\":\"h\"", "it is not JSON: column" },
		{ "[{}]", "a job must be a JSON object" },
		{ "\"{\"", "a job must be a JSON object" },
		{ "{\"key\":\"a\",\"key\":\"b\"}", "a member that comes twice" },
		{ "{\"delay\":\"1s\",\"delay\":\"2s\"}", "a member that comes twice" },
		{ "{\"delay\":null,\"delay\":\"2s\"}", "a member that comes twice" },
		{ "{\"delay\":\"1s\",\"d\\u0065lay\":\"2s\"}", "a member that comes twice" },
		{ "{\"handler\":{\"a\":1}}", "a \"handler\" that is no string" },
		{ "{\"queue\":7}", "a \"queue\" that is no string" },
		{ "{\"key\":[]}", "a \"key\" that is no string" },
		{ "{\"delay\":5}", "a \"delay\" that is no string" },
		{ "{} {}", "it is not JSON: column" },
	};
	struct job_line line;
	struct error err;

	(void)state;
	job_line_init(&line, &NO_DEFAULTS);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		assert_int_equal(job_line_read(&line, WRONG[i][0], strlen(WRONG[i][0]), &err), -1);
		assert_int_equal(err.kind, ERROR_INPUT);
		if (strstr(err.text, WRONG[i][1]) == NULL)
			fail_msg("%s: %s", WRONG[i][0], err.text);
	}
	job_line_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_an_array_goes_there_and_the_rest_to_the_options),
		cmocka_unit_test(what_is_not_as_usual_goes_to_the_options_whole),
		cmocka_unit_test(a_null_leaves_the_default_and_a_value_wins_over_it),
		cmocka_unit_test(a_wrong_line_is_refused_with_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
