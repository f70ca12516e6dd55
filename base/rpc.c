#include "base/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json_text.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/version.h"

#define ENVELOPE "{\"jsonrpc\":\"2.0\","

enum { TIME_SIZE = 40 };

/* --- writing ----------------------------------------------------------------------------------- */

/* A line that is being written: all or nothing. */
struct line {
	struct buffer *out;
	struct error *err;
	size_t before;
	bool failed;
};

static struct line begin(struct buffer *out, struct error *err)
{
	return (struct line){ .out = out, .err = err, .before = buffer_length(out) };
}

static void put_text(struct line *line, const char *key, const char *text, size_t length)
{
	line->failed = line->failed || buffer_append(line->out, key, strlen(key), line->err) != 0 ||
		       json_write_text(line->out, text, length, line->err) != 0;
}

static void put_bytes(struct line *line, const char *key, struct wire_bytes bytes)
{
	if (bytes.bytes != NULL)
		put_text(line, key, bytes.bytes, bytes.length);
}

#define put_format(line, ...)                                                                      \
	((line)->failed = (line)->failed ||                                                        \
			  json_write_format((line)->out, (line)->err, __VA_ARGS__) != 0)

static int finish(struct line *line)
{
	if (!line->failed)
		return 0;
	line->out->end = line->out->start + line->before;
	return -1;
}

int rpc_write_initialize(struct buffer *out, const char *worker, const char *handler,
			 int concurrency, struct error *err)
{
	struct line line = begin(out, err);

	put_format(&line,
		   ENVELOPE "\"id\":\"" RPC_ID_INITIALIZE "\",\"method\":\"initialize\","
			    "\"params\":{\"protocolVersion\":%d,\"host\":\"locum " LOCUM_VERSION
			    "\",\"concurrency\":%d",
		   RPC_PROTOCOL, concurrency);
	put_text(&line, ",\"worker\":", worker, strlen(worker));
	put_text(&line, ",\"handler\":", handler, strlen(handler));
	put_format(&line, "}}\n");
	return finish(&line);
}

static void put_deadline(struct line *line, int64_t deadline_ms)
{
	time_t seconds = (time_t)(deadline_ms / 1000);
	char text[TIME_SIZE];
	struct tm utc;

	if (deadline_ms <= 0)
		return;
	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	put_format(line, ",\"deadline\":\"%s.%03dZ\"", text, (int)(deadline_ms % 1000));
}

int rpc_write_run(struct buffer *out, const struct wire_job *job, int64_t deadline_ms,
		  struct error *err)
{
	struct line line = begin(out, err);
	char claim[UUID_TEXT_SIZE];

	put_format(&line,
		   ENVELOPE "\"id\":%" PRId64 ",\"method\":\"job.run\",\"params\":{\"id\":%" PRId64
			    ",\"attempt\":%" PRId32 ",\"fence\":\"%s\",\"claimSeq\":%" PRId64,
		   job->id, job->id, job->attempt, uuid_text(job->claim_id, claim), job->claim_seq);
	put_bytes(&line, ",\"queue\":", job->queue);
	put_bytes(&line, ",\"handler\":", job->handler);
	put_bytes(&line, ",\"traceparent\":", job->traceparent);
	put_deadline(&line, deadline_ms);
	if (job->checkpoint.bytes != NULL) {
		put_format(&line, ",\"checkpoint\":");
		line.failed = line.failed || json_write_line(out, job->checkpoint.bytes,
							     job->checkpoint.length, err) != 0;
	}
	put_format(&line, ",\"payload\":");
	line.failed = line.failed ||
		      json_write_line(out, job->payload.bytes, job->payload.length, err) != 0;
	put_format(&line, "}}\n");
	return finish(&line);
}

int rpc_write_cancel(struct buffer *out, int64_t job, const char *reason, struct error *err)
{
	return json_write_format(out, err,
				 ENVELOPE "\"method\":\"job.cancel\",\"params\":{\"id\":%" PRId64
					  ",\"reason\":\"%s\"}}\n",
				 job, reason);
}

int rpc_write_ping(struct buffer *out, struct error *err)
{
	return json_write_format(out, err,
				 ENVELOPE "\"id\":\"" RPC_ID_PING "\",\"method\":\"ping\"}\n");
}

int rpc_write_shutdown(struct buffer *out, int64_t grace_ms, struct error *err)
{
	return json_write_format(out, err,
				 ENVELOPE "\"method\":\"shutdown\",\"params\":{\"graceSeconds\":"
					  "%" PRId64 ".%03d}}\n",
				 grace_ms / 1000, (int)(grace_ms % 1000));
}

int rpc_write_refusal(struct buffer *out, struct json_span id, struct error *err)
{
	struct line line = begin(out, err);

	put_format(&line, ENVELOPE "\"id\":");
	line.failed = line.failed || buffer_append(out, id.bytes, id.length, err) != 0;
	put_format(&line,
		   ",\"error\":{\"code\":-32601,\"message\":\"a service requests nothing\"}}\n");
	return finish(&line);
}

/* --- reading ----------------------------------------------------------------------------------- */

static int refuse(struct error *err, const char *what)
{
	return error_set(err, ERROR_INPUT, "%s", what);
}

static bool is_there(struct json_span span)
{
	return span.bytes != NULL;
}

static bool is_id(struct json_span id)
{
	int64_t number;

	return json_scan_is_text(id) || json_scan_int(id, &number);
}

int rpc_read(const char *line, size_t length, struct rpc_message *message, struct error *err)
{
	struct json_member members[] = { { .name = "jsonrpc" },
					 { .name = "id" },
					 { .name = "method" },
					 { .name = "params", .may_be_deep = true },
					 { .name = "result", .may_be_deep = true },
					 { .name = "error", .may_be_deep = true } };
	enum { VERSION, ID, METHOD, PARAMS, RESULT, ERROR, COUNT };
	bool has_id;

	if (json_scan_object((struct json_span){ line, length }, members, COUNT, err) != 0)
		return -1;
	if (!json_text_is(members[VERSION].value, "2.0"))
		return refuse(err, "a message without \"jsonrpc\":\"2.0\"");
	has_id = is_there(members[ID].value);
	if (has_id && !is_id(members[ID].value))
		return refuse(err, "an id that is neither a whole number nor a string");
	message->id = members[ID].value;
	message->method = members[METHOD].value;
	if (is_there(message->method)) {
		if (!json_scan_is_text(message->method) || is_there(members[RESULT].value) ||
		    is_there(members[ERROR].value))
			return refuse(err, "a message that is neither a request nor an answer");
		message->kind = has_id ? RPC_REQUEST : RPC_NOTICE;
		message->body = members[PARAMS].value;
		return 0;
	}
	if (!has_id || is_there(members[RESULT].value) == is_there(members[ERROR].value))
		return refuse(err, "a message that is neither a request nor an answer");
	message->kind = is_there(members[RESULT].value) ? RPC_RESULT : RPC_ERROR;
	message->body = members[message->kind == RPC_RESULT ? RESULT : ERROR].value;
	return 0;
}

int rpc_read_service(struct json_span result, struct rpc_service *service, struct error *err)
{
	struct json_member members[] = { { .name = "concurrency" }, { .name = "pings" } };
	struct rpc_service read = { .concurrency = 0 };

	if (json_scan_object(result, members, 2, err) != 0)
		return error_prefix(err, "the answer to initialize");
	if (is_there(members[0].value) &&
	    (!json_scan_int(members[0].value, &read.concurrency) || read.concurrency < 1))
		return refuse(err, "the answer to initialize: concurrency is no number from 1");
	if (is_there(members[1].value) && !json_scan_bool(members[1].value, &read.pings))
		return refuse(err, "the answer to initialize: pings is neither true nor false");
	*service = read;
	return 0;
}

/* A fence that is no claim's is that of another run. */
static struct rpc_fence read_fence(struct json_span fence)
{
	struct rpc_fence read = { .is_given = is_there(fence) };
	char text[UUID_TEXT_SIZE] = "";

	if (json_scan_is_text(fence) && fence.length == sizeof(text) + 1)
		memcpy(text, fence.bytes + 1, sizeof(text) - 1);
	uuid_read(text, &read.claim_id);
	return read;
}

int rpc_read_value(struct json_span result, struct rpc_value *value, struct error *err)
{
	struct json_member members[] = { { .name = "value", .may_be_deep = true },
					 { .name = "fence" } };

	if (!json_scan_is_null(result)) {
		if (json_scan_object(result, members, 2, err) != 0)
			return error_prefix(err, "the result of a job");
	}
	value->json = members[0].value;
	value->is_deep = members[0].is_deep;
	value->fence = read_fence(members[1].value);
	return 0;
}

/* "retry" unless it is given. */
static int read_outcome(struct json_span outcome, enum verdict *verdict, struct error *err)
{
	static const struct {
		const char *name;
		enum verdict verdict;
	} OUTCOMES[] = { { "retry", VERDICT_RETRY },
			 { "fail", VERDICT_FAIL },
			 { "snooze", VERDICT_SNOOZED } };

	*verdict = VERDICT_RETRY;
	if (!is_there(outcome))
		return 0;
	for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++) {
		if (json_text_is(outcome, OUTCOMES[i].name)) {
			*verdict = OUTCOMES[i].verdict;
			return 0;
		}
	}
	return refuse(err, "the error of a job: outcome is none of retry, fail, snooze");
}

static int read_delay(struct json_span seconds, int64_t *delay_ms, struct error *err)
{
	double number;

	*delay_ms = -1;
	if (!is_there(seconds))
		return 0;
	if (!json_scan_number(seconds, &number) || !(number >= 0))
		return refuse(err, "the error of a job: afterSeconds is no number from 0");
	*delay_ms = number > LIMIT_DELAY_SECONDS ? (int64_t)LIMIT_DELAY_SECONDS * 1000
						 : (int64_t)(number * 1000);
	return 0;
}

int rpc_read_failure(struct json_span error, struct rpc_failure *failure, struct error *err)
{
	struct json_member members[] = { { .name = "message" },
					 { .name = "data", .may_be_deep = true } };
	struct json_member details[] = { { .name = "outcome" },
					 { .name = "afterSeconds" },
					 { .name = "fence" } };
	struct json_span data;

	if (json_scan_object(error, members, 2, err) != 0)
		return error_prefix(err, "the error of a job");
	if (!json_scan_is_text(members[0].value))
		return refuse(err, "the error of a job: it has no message");
	failure->message = members[0].value;
	data = members[1].value;
	if (json_scan_is_object(data) && json_scan_object(data, details, 3, err) != 0)
		return error_prefix(err, "the error of a job");
	failure->fence = read_fence(details[2].value);
	if (read_outcome(details[0].value, &failure->verdict, err) != 0 ||
	    read_delay(details[1].value, &failure->delay_ms, err) != 0)
		return -1;
	if (failure->verdict == VERDICT_SNOOZED && failure->delay_ms < 0)
		return refuse(err, "the error of a job: snooze without afterSeconds");
	return 0;
}

int rpc_read_notice(struct json_span params, struct rpc_notice *notice, struct error *err)
{
	struct json_member members[] = { { .name = "id" },
					 { .name = "percent" },
					 { .name = "level" },
					 { .name = "message" },
					 { .name = "state", .may_be_deep = true },
					 { .name = "fence" } };
	double number;

	if (!is_there(params))
		return refuse(err, "a notification about no job");
	if (json_scan_object(params, members, 6, err) != 0)
		return error_prefix(err, "a notification");
	if (!json_scan_int(members[0].value, &notice->job))
		return refuse(err, "a notification about no job");
	notice->percent = members[1].value;
	notice->level = members[2].value;
	notice->message = members[3].value;
	notice->state = members[4].value;
	notice->state_is_deep = members[4].is_deep;
	notice->fence = read_fence(members[5].value);
	if (is_there(notice->percent) && !json_scan_number(notice->percent, &number))
		return refuse(err, "a notification: percent is no number");
	if ((is_there(notice->level) && !json_scan_is_text(notice->level)) ||
	    (is_there(notice->message) && !json_scan_is_text(notice->message)))
		return refuse(err, "a notification: level and message are no strings");
	return 0;
}
