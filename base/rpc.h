/*
 * The messages between a host and a service (doc/handler-protocol.md): JSON-RPC 2.0, one message per line,
 * down descriptor 3 and up descriptor 4. The host is an agent, or the conformance test.
 *
 * The id of a request is the job's own, so that a service needs no second name for it; the host never has
 * two runs of one job with one process. Any thread.
 */
#ifndef LOCUM_BASE_RPC_H
#define LOCUM_BASE_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_scan.h"
#include "base/uuid.h"
#include "base/wire.h"

enum { RPC_PROTOCOL = 1 };
enum { RPC_ORDERS_FD = 3, RPC_ANSWERS_FD = 4 };
enum { RPC_LINE_MAX = 4 * 1024 * 1024 }; /* without its line break */
enum { RPC_ANSWER_MS = 10000 };          /* for initialize and ping */
enum { RPC_PING_MS = 10000 };            /* of silence before a ping */

#define RPC_ID_INITIALIZE "initialize"
#define RPC_ID_PING "ping"

/* --- host to service: each appends one line ------------------------------------------------------ */

/* worker: the name of the agent. */
int rpc_write_initialize(struct buffer *out, const char *worker, const char *handler,
			 int concurrency, struct error *err);

/* deadline_ms: CLOCK_REALTIME; 0: there is none. ERROR_INPUT when the payload is no JSON. */
int rpc_write_run(struct buffer *out, const struct wire_job *job, int64_t deadline_ms,
		  struct error *err);

/* reason: "cancelled", "timeout", "progress", "lost". */
int rpc_write_cancel(struct buffer *out, int64_t job, const char *reason, struct error *err);
int rpc_write_ping(struct buffer *out, struct error *err);
int rpc_write_shutdown(struct buffer *out, int64_t grace_ms, struct error *err);

/* Refuses a request of the service; id as it came. */
int rpc_write_refusal(struct buffer *out, struct json_span id, struct error *err);

/* --- service to host ----------------------------------------------------------------------------- */

enum rpc_kind {
	RPC_RESULT,  /* the answer to a request: id, body is the result */
	RPC_ERROR,   /* the other answer: id, body is the error */
	RPC_NOTICE,  /* method, body is the params or absent */
	RPC_REQUEST, /* id and method: services have nothing to request */
};

/* Spans point into the line. */
struct rpc_message {
	enum rpc_kind kind;
	struct json_span id;
	struct json_span method;
	struct json_span body;
};

/* Reads a line without its line break. Returns 0, or -1 with ERROR_INPUT. */
int rpc_read(const char *line, size_t length, struct rpc_message *message, struct error *err);

/* The result of initialize. */
struct rpc_service {
	int64_t concurrency; /* 0: it did not say */
	bool pings;
};
int rpc_read_service(struct json_span result, struct rpc_service *service, struct error *err);

/* The run that a message is about, if it says so. */
struct rpc_fence {
	bool is_given;
	struct uuid claim_id;
};

/* The result of job.run. */
struct rpc_value {
	struct json_span json; /* absent when there is none */
	bool is_deep;          /* it has more than JSON_SCAN_DEPTH levels, and was not checked */
	struct rpc_fence fence;
};
int rpc_read_value(struct json_span result, struct rpc_value *value, struct error *err);

/* The error of job.run. */
struct rpc_failure {
	enum verdict verdict;     /* VERDICT_RETRY, VERDICT_FAIL or VERDICT_SNOOZED */
	int64_t delay_ms;         /* -1: not given */
	struct json_span message; /* a string */
	struct rpc_fence fence;
};
int rpc_read_failure(struct json_span error, struct rpc_failure *failure, struct error *err);

/* The params of job.progress, job.log and job.checkpoint. Members that are not there are absent. */
struct rpc_notice {
	int64_t job;
	struct json_span percent; /* a number */
	struct json_span level;   /* strings */
	struct json_span message;
	struct json_span state; /* anything */
	bool state_is_deep;     /* as above */
	struct rpc_fence fence;
};
int rpc_read_notice(struct json_span params, struct rpc_notice *notice, struct error *err);

#endif
