#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rpc.h"

enum { MUTATIONS = 200000, BUFFER_MAX = 1024 * 1024 };

#define MESSAGE(members) "{\"jsonrpc\":\"2.0\"," members "}"

static int read_line(const char *line, struct rpc_message *message)
{
	return rpc_read(line, strlen(line), message, NULL);
}

static struct rpc_message read_good(const char *line)
{
	struct rpc_message message;

	if (read_line(line, &message) != 0)
		fail_msg("refused: %s", line);
	return message;
}

static struct json_span span(const char *text)
{
	return (struct json_span){ text, strlen(text) };
}

/* --- reading ----------------------------------------------------------------------------------- */

static void each_shape_is_known(void **state)
{
	(void)state;
	assert_int_equal(read_good(MESSAGE("\"id\":1,\"result\":null")).kind, RPC_RESULT);
	assert_int_equal(read_good(MESSAGE("\"id\":\"x\",\"error\":{}")).kind, RPC_ERROR);
	assert_int_equal(read_good(MESSAGE("\"method\":\"m\"")).kind, RPC_NOTICE);
	assert_int_equal(read_good(MESSAGE("\"method\":\"m\",\"params\":[]")).kind, RPC_NOTICE);
	assert_int_equal(read_good(MESSAGE("\"method\":\"m\",\"id\":1")).kind, RPC_REQUEST);
	assert_int_equal(
		read_good(" {\"result\" : {} , \"more\":1, \"id\":-1,\"jsonrpc\":\"2.0\"} ").kind,
		RPC_RESULT);
}

static void other_shapes_are_refused(void **state)
{
	static const char *const LINES[] = {
		"",
		"[]",
		"{}",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}",
		"{\"jsonrpc\":2.0,\"id\":1,\"result\":{}}",
		MESSAGE("\"id\":1"),
		MESSAGE("\"result\":{}"),
		MESSAGE("\"id\":1,\"result\":{},\"error\":{}"),
		MESSAGE("\"id\":null,\"result\":{}"),
		MESSAGE("\"id\":1.5,\"result\":{}"),
		MESSAGE("\"id\":{},\"result\":{}"),
		MESSAGE("\"method\":1"),
		MESSAGE("\"method\":\"m\",\"result\":{}"),
		MESSAGE("\"id\":1,\"id\":1,\"result\":{}"),
	};
	struct rpc_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
		if (read_line(LINES[i], &message) == 0)
			fail_msg("accepted: %s", LINES[i]);
}

static void a_failure_is_a_retry_unless_it_says_more(void **state)
{
	struct rpc_failure failure;

	(void)state;
	assert_int_equal(rpc_read_failure(span("{\"code\":1,\"message\":\"m\"}"), &failure, NULL),
			 0);
	assert_int_equal(failure.verdict, VERDICT_RETRY);
	assert_int_equal(failure.delay_ms, -1);
	assert_int_equal(
		rpc_read_failure(span("{\"message\":\"m\",\"data\":null}"), &failure, NULL), 0);
	assert_int_equal(rpc_read_failure(span("{\"message\":\"m\",\"data\":"
					       "{\"outcome\":\"snooze\",\"afterSeconds\":0}}"),
					  &failure, NULL),
			 0);
	assert_int_equal(failure.verdict, VERDICT_SNOOZED);
	assert_int_equal(failure.delay_ms, 0);
	assert_int_equal(rpc_read_failure(span("{\"message\":\"m\",\"data\":"
					       "{\"outcome\":\"retry\",\"afterSeconds\":1e300}}"),
					  &failure, NULL),
			 0);
	assert_int_equal(failure.delay_ms, LIMIT_DELAY_SECONDS * 1000LL);
}

static void failures_of_another_shape_are_refused(void **state)
{
	static const char *const ERRORS[] = {
		"{}",
		"null",
		"\"m\"",
		"{\"message\":1}",
		"{\"message\":\"m\",\"data\":{\"outcome\":\"later\"}}",
		"{\"message\":\"m\",\"data\":{\"outcome\":1}}",
		"{\"message\":\"m\",\"data\":{\"outcome\":\"snooze\"}}",
		"{\"message\":\"m\",\"data\":{\"afterSeconds\":-1}}",
		"{\"message\":\"m\",\"data\":{\"afterSeconds\":\"1\"}}",
	};
	struct rpc_failure failure;

	(void)state;
	for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
		if (rpc_read_failure(span(ERRORS[i]), &failure, NULL) == 0)
			fail_msg("accepted: %s", ERRORS[i]);
}

/* --- writing ----------------------------------------------------------------------------------- */

static void what_is_written_is_read_back(void **state)
{
	struct wire_job job = {
		.id = 7,
		.attempt = 1,
		.queue = { "a\"b\n", 4 },
		.handler = { "h", 1 },
		.payload = { "{\n}", 3 },
	};
	struct rpc_message message;
	struct buffer out;
	const char *line;

	(void)state;
	buffer_init(&out, BUFFER_MAX);
	assert_int_equal(rpc_write_run(&out, &job, 1700000000123, NULL), 0);
	assert_int_equal(rpc_write_cancel(&out, 7, "lost", NULL), 0);
	assert_int_equal(rpc_write_initialize(&out, "w\"", "h", 3, NULL), 0);
	assert_int_equal(rpc_write_ping(&out, NULL), 0);
	assert_int_equal(rpc_write_shutdown(&out, 1500, NULL), 0);
	assert_int_equal(rpc_write_refusal(&out, span("\"q\""), NULL), 0);
	assert_int_equal(buffer_append(&out, "", 1, NULL), 0);
	assert_non_null(strstr(buffer_bytes(&out), "\"deadline\":\"2023-11-14T22:13:20.123Z\""));
	for (line = buffer_bytes(&out); *line != '\0'; line = strchr(line, '\n') + 1)
		assert_int_equal(
			rpc_read(line, (size_t)(strchr(line, '\n') - line), &message, NULL), 0);
	buffer_free(&out);
}

static void a_payload_that_is_no_json_leaves_nothing_behind(void **state)
{
	struct wire_job job = { .payload = { "\"a\nb\"", 5 } };
	struct buffer out;
	struct error err;

	(void)state;
	buffer_init(&out, BUFFER_MAX);
	assert_int_equal(rpc_write_run(&out, &job, 0, &err), -1);
	assert_int_equal(err.kind, ERROR_INPUT);
	assert_int_equal(buffer_length(&out), 0);
	buffer_free(&out);
}

/* --- mutations --------------------------------------------------------------------------------- */

static const char *const SEEDS[] = {
	MESSAGE("\"id\":\"initialize\",\"result\":{\"concurrency\":8,\"pings\":true}"),
	MESSAGE("\"id\":7,\"result\":{\"value\":[1,{\"a\":\"b\"}]}"),
	MESSAGE("\"id\":7,\"error\":{\"message\":\"m\",\"data\":{\"outcome\":\"snooze\",\"afterSeconds\":1}}"),
	MESSAGE("\"method\":\"job.log\",\"params\":{\"id\":7,\"level\":\"i\",\"message\":\"\\u0041\"}"),
	MESSAGE("\"method\":\"job.progress\",\"params\":{\"id\":7,\"percent\":1.5}"),
};

static uint32_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void assert_inside(struct json_span found, const char *line, size_t length)
{
	if (found.bytes != NULL)
		assert_true(found.bytes >= line && found.bytes + found.length <= line + length);
}

static void read_whole(const char *line, size_t length)
{
	struct rpc_message message;
	struct rpc_service service;
	struct rpc_failure failure;
	struct rpc_notice notice;
	struct rpc_value value;

	if (rpc_read(line, length, &message, NULL) != 0)
		return;
	assert_inside(message.id, line, length);
	assert_inside(message.body, line, length);
	if (message.body.bytes == NULL)
		return;
	rpc_read_service(message.body, &service, NULL);
	if (rpc_read_value(message.body, &value, NULL) == 0)
		assert_inside(value.json, line, length);
	if (rpc_read_failure(message.body, &failure, NULL) == 0)
		assert_inside(failure.message, line, length);
	if (rpc_read_notice(message.body, &notice, NULL) == 0)
		assert_inside(notice.message, line, length);
}

static void nothing_that_comes_leads_outside_of_its_line(void **state)
{
	static const char PIECES[] = "{}[]\",:\\u0 e-.1ntf\xc3\xa4\xff";
	uint64_t seed = 20240301;

	(void)state;
	for (int i = 0; i < MUTATIONS; i++) {
		const char *start = SEEDS[draw(&seed) % (sizeof(SEEDS) / sizeof(SEEDS[0]))];
		size_t length = strlen(start);
		char *line = malloc(length + 1);

		memcpy(line, start, length);
		for (uint32_t n = draw(&seed) % 4; n > 0; n--)
			line[draw(&seed) % length] = PIECES[draw(&seed) % (sizeof(PIECES) - 1)];
		if (draw(&seed) % 4 == 0)
			length = draw(&seed) % length;
		line = realloc(line, length > 0 ? length : 1); /* exact, for a sanitizer */
		read_whole(line, length);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape_is_known),
		cmocka_unit_test(other_shapes_are_refused),
		cmocka_unit_test(a_failure_is_a_retry_unless_it_says_more),
		cmocka_unit_test(failures_of_another_shape_are_refused),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_payload_that_is_no_json_leaves_nothing_behind),
		cmocka_unit_test(nothing_that_comes_leads_outside_of_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
