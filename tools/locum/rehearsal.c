#include "tools/locum/rehearsal.h"

#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/json_write.h"
#include "base/limits.h"

enum { ORDERS_BYTES_MAX = 64 * 1024 * 1024, SILENCE_MS = 300 };

/* --- beginning --------------------------------------------------------------------------------- */

int rehearsal_start(struct rehearsal *rehearsal, struct conformance *conformance, struct error *err)
{
	memset(rehearsal, 0, sizeof(*rehearsal));
	rehearsal->conformance = conformance;
	buffer_init(&rehearsal->orders, ORDERS_BYTES_MAX);
	return subject_start(&rehearsal->subject, conformance->argv, err);
}

void rehearsal_end(struct rehearsal *rehearsal)
{
	subject_end(&rehearsal->subject);
	buffer_free(&rehearsal->orders);
}

/* --- answers ----------------------------------------------------------------------------------- */

static int take_greeting(struct rehearsal *rehearsal, const struct rpc_message *message,
			 struct error *err)
{
	struct conformance *conformance = rehearsal->conformance;
	struct rpc_service service;

	if (rehearsal->greeted)
		return error_set(err, ERROR_INPUT, "initialize is answered twice");
	if (message->kind == RPC_ERROR)
		return error_set(err, ERROR_INPUT, "it refuses initialize: %.*s",
				 (int)(message->body.length > 200 ? 200 : message->body.length),
				 message->body.bytes);
	if (rpc_read_service(message->body, &service, err) != 0)
		return -1;
	rehearsal->greeted = true;
	conformance->known = true;
	conformance->pings = service.pings;
	conformance->concurrency = REHEARSAL_JOBS_MAX;
	if (service.concurrency > 0 && service.concurrency < REHEARSAL_JOBS_MAX)
		conformance->concurrency = (int)service.concurrency;
	return 0;
}

static int check_body(const struct rpc_message *message, struct error *err)
{
	struct rpc_failure failure;
	struct rpc_value value;

	if (message->kind == RPC_ERROR)
		return rpc_read_failure(message->body, &failure, err);
	if (rpc_read_value(message->body, &value, err) != 0)
		return -1;
	if (value.is_deep)
		return error_set(err, ERROR_INPUT, "a value of more than %d levels",
				 JSON_SCAN_DEPTH);
	if (value.json.length > LIMIT_RESULT_BYTES)
		return error_set(err, ERROR_INPUT, "a value of more than %d bytes",
				 LIMIT_RESULT_BYTES);
	return 0;
}

static int take_answer(struct rehearsal *rehearsal, const struct rpc_message *message,
		       struct error *err)
{
	int64_t id;

	if (json_text_is(message->id, RPC_ID_INITIALIZE))
		return take_greeting(rehearsal, message, err);
	if (json_text_is(message->id, RPC_ID_PING) && rehearsal->pinged) {
		rehearsal->pinged = false;
		return 0;
	}
	if (!json_scan_int(message->id, &id) || id < 1 || id > rehearsal->given)
		return error_set(err, ERROR_INPUT, "an answer to nothing that was asked, id %.*s",
				 (int)(message->id.length > 40 ? 40 : message->id.length),
				 message->id.bytes);
	if (rehearsal->is_answered[id])
		return error_set(err, ERROR_INPUT, "job %d is answered twice", (int)id);
	if (check_body(message, err) != 0)
		return -1;
	rehearsal->is_answered[id] = true;
	rehearsal->answered++;
	return 0;
}

static int take_notice(const struct rpc_message *message, struct error *err)
{
	struct rpc_notice notice;

	if (!json_text_is(message->method, "job.log") &&
	    !json_text_is(message->method, "job.progress") &&
	    !json_text_is(message->method, "job.checkpoint"))
		return 0;
	return rpc_read_notice(message->body, &notice, err);
}

/* As subject_read; the message has been counted. */
static int take_one(struct rehearsal *rehearsal, int64_t timeout_ms, struct error *err)
{
	struct rpc_message message;
	int got = subject_read(&rehearsal->subject, timeout_ms, &message, err);

	if (got != 1)
		return got;
	switch (message.kind) {
	case RPC_RESULT:
	case RPC_ERROR:
		return take_answer(rehearsal, &message, err) == 0 ? 1 : -1;
	case RPC_NOTICE:
		return take_notice(&message, err) == 0 ? 1 : -1;
	case RPC_REQUEST:
		break;
	}
	return error_set(err, ERROR_INPUT, "it requests something of its host");
}

static int expect_one(struct rehearsal *rehearsal, const char *what, struct error *err)
{
	int got = take_one(rehearsal, rehearsal->conformance->timeout_ms, err);

	if (got == 0)
		return error_set(err, ERROR_INPUT, "descriptor 4 ended before %s", what);
	if (got < 0 && err->kind == ERROR_RETRY)
		return error_set(err, ERROR_INPUT, "%s did not come in %d ms", what,
				 (int)rehearsal->conformance->timeout_ms);
	return got < 0 ? -1 : 0;
}

int rehearsal_await(struct rehearsal *rehearsal, struct error *err)
{
	while (rehearsal->answered < rehearsal->given) {
		if (expect_one(rehearsal, "an answer to each job", err) != 0)
			return error_prefix(err, "%d of %d jobs were answered", rehearsal->answered,
					    rehearsal->given);
	}
	return 0;
}

int rehearsal_await_ping(struct rehearsal *rehearsal, struct error *err)
{
	rehearsal->pinged = true;
	while (rehearsal->pinged) {
		if (expect_one(rehearsal, "the answer to ping", err) != 0)
			return -1;
	}
	return 0;
}

int rehearsal_expect_silence(struct rehearsal *rehearsal, struct error *err)
{
	int got;

	do {
		int before = rehearsal->answered + rehearsal->greeted;

		got = take_one(rehearsal, SILENCE_MS, err);
		if (got == 1 && rehearsal->answered + rehearsal->greeted != before)
			return error_set(err, ERROR_INPUT, "an answer came too soon");
	} while (got == 1);
	if (got == 0)
		return error_set(err, ERROR_INPUT, "descriptor 4 ended");
	return err->kind == ERROR_RETRY ? 0 : -1;
}

/* --- orders ------------------------------------------------------------------------------------ */

int rehearsal_greet(struct rehearsal *rehearsal, struct conformance *conformance, struct error *err)
{
	if (rehearsal_start(rehearsal, conformance, err) != 0 ||
	    rpc_write_initialize(&rehearsal->orders, "handler-test", "test", REHEARSAL_JOBS_MAX,
				 err) != 0 ||
	    rehearsal_write(rehearsal, err) != 0)
		return -1;
	while (!rehearsal->greeted) {
		if (expect_one(rehearsal, "the answer to initialize", err) != 0)
			return -1;
	}
	return 0;
}

int rehearsal_job(struct rehearsal *rehearsal, const char *payload, const char *extra,
		  struct error *err)
{
	const char *json = payload == NULL ? rehearsal->conformance->payload : payload;
	int id = ++rehearsal->given;

	if (json_write_format(&rehearsal->orders, err,
			      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"job.run\",\"params\":{"
			      "\"id\":%d,\"attempt\":1,\"fence\":"
			      "\"00000000-0000-4000-8000-%012d\",\"claimSeq\":1,"
			      "\"queue\":\"default\",\"handler\":\"test\",%s\"payload\":",
			      id, id, id, extra == NULL ? "" : extra) != 0 ||
	    buffer_append(&rehearsal->orders, json, strlen(json), err) != 0)
		return -1;
	return json_write_format(&rehearsal->orders, err, "}}\n");
}

int rehearsal_say(struct rehearsal *rehearsal, const char *line, struct error *err)
{
	return json_write_format(&rehearsal->orders, err, "%s\n", line);
}

int rehearsal_write_part(struct rehearsal *rehearsal, size_t length, struct error *err)
{
	struct buffer *orders = &rehearsal->orders;

	if (subject_write(&rehearsal->subject, buffer_bytes(orders), length,
			  rehearsal->conformance->timeout_ms, err) != 0)
		return -1;
	buffer_consume(orders, length);
	return 0;
}

int rehearsal_write(struct rehearsal *rehearsal, struct error *err)
{
	return rehearsal_write_part(rehearsal, buffer_length(&rehearsal->orders), err);
}

/* --- ending ------------------------------------------------------------------------------------ */

int rehearsal_await_exit(struct rehearsal *rehearsal, struct error *err)
{
	int got = 1;

	if (subject_await_exit(&rehearsal->subject, rehearsal->conformance->timeout_ms, err) != 0)
		return -1;
	while (got == 1)
		got = take_one(rehearsal, SILENCE_MS, err);
	/* What holds descriptor 4 open is no answer; the host kills it. */
	return got < 0 && err->kind != ERROR_RETRY ? -1 : 0;
}

int rehearsal_finish(struct rehearsal *rehearsal, struct error *err)
{
	const struct subject *subject = &rehearsal->subject;

	if (rpc_write_shutdown(&rehearsal->orders, rehearsal->conformance->timeout_ms, err) != 0 ||
	    rehearsal_write(rehearsal, err) != 0)
		return -1;
	subject_close_orders(&rehearsal->subject);
	if (rehearsal_await_exit(rehearsal, err) != 0)
		return error_prefix(err, "after shutdown");
	if (subject->by_signal || subject->status != 0)
		return error_set(err, ERROR_INPUT, "after shutdown it ended with %s %d",
				 subject->by_signal ? "signal" : "code", subject->status);
	return 0;
}
