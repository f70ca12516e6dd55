#include "agent/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guest.h"
#include "agent/guest_log.h"
#include "agent/guest_note.h"
#include "agent/server_end.h"
#include "agent/server_orders.h"
#include "agent/shim.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/limits.h"

enum { IN_BYTES_MAX = RPC_LINE_MAX + 2 * RUN_SCRATCH_BYTES };
enum { OUT_BYTES_FULL = 8 * 1024 * 1024 }; /* no job is given while more waits to be written */
enum { REQUESTS_MAX = 100 };
enum { OUT_BYTES_MAX = 2 * OUT_BYTES_FULL };
enum { BUCKETS_MIN = 16 };
enum { DEAF_MS = 200 }; /* for a process that is about to exit to do so */

/* --- faults ------------------------------------------------------------------------------------ */

/* It broke the rules: what follows is not read, its process is killed. */
void server_fail(struct server *server, const char *fault)
{
	if (server->fault[0] != '\0' || server->state == SERVER_GONE)
		return;
	snprintf(server->fault, sizeof(server->fault), "%.500s", fault);
	server->state = SERVER_LEAVING;
	run_kill(server->run, RUN_FAULTY);
}

static void on_timer(uv_timer_t *handle)
{
	struct server *server = handle->data;
	struct error err;

	guard_check(&server->run->shared->guard);
	if (server->is_deaf) {
		server_fail(server, "the service closed a descriptor of its protocol");
	} else if (server->state == SERVER_STARTING) {
		server_fail(server, "the service did not answer initialize in time");
	} else if (server->pinged) {
		server_fail(server, "the service did not answer a ping in time");
	} else if (server->state == SERVER_READY) {
		server->pinged = rpc_write_ping(&server->out, &err) == 0;
		uv_timer_start(&server->timer, on_timer, RPC_ANSWER_MS, 0);
	}
}

static void wake_in(struct server *server, int64_t ms)
{
	uv_update_time(server->run->shared->loop);
	uv_timer_start(&server->timer, on_timer, (uint64_t)ms, 0);
}

/* A process that exits closes its descriptors first: how it exits says more. */
static void be_deaf(struct server *server)
{
	if (server->is_deaf || server->run->state >= RUN_TERMINATING)
		return;
	server->is_deaf = true;
	server->state = SERVER_LEAVING;
	wake_in(server, DEAF_MS);
}

void server_hung_up(struct server *server)
{
	be_deaf(server);
}

/* --- guests ------------------------------------------------------------------------------------ */

static struct roster_bucket *bucket_of(const struct server *server, int64_t job)
{
	return &server->guests[(uint64_t)job % server->bucket_count];
}

static struct run *find_guest(const struct server *server, int64_t job)
{
	struct run *guest;

	for (guest = SLIST_FIRST(bucket_of(server, job)); guest != NULL;
	     guest = SLIST_NEXT(guest, by_pid)) {
		if (guest->job.id == job)
			return guest;
	}
	return NULL;
}

/* NULL also when the message is about another run of this job than the one that is here. */
static struct run *find_claim(const struct server *server, int64_t job,
			      const struct rpc_fence *fence)
{
	struct run *guest = find_guest(server, job);

	if (guest != NULL && fence->is_given && !uuid_same(fence->claim_id, guest->job.claim_id))
		return NULL;
	return guest;
}

bool server_can_take(const struct server *server, int64_t job)
{
	return server->state == SERVER_READY && server->run->state == RUN_RUNNING &&
	       server->guest_count < server->credit &&
	       buffer_length(&server->out) < OUT_BYTES_FULL && find_guest(server, job) == NULL;
}

int server_give(struct server *server, struct run *guest, struct error *err)
{
	int64_t own_ms = guest->job.timeout_ms;

	guest->timeout_ms = own_ms > 0 ? own_ms : guest->program->handler->timeout_ms;
	if (rpc_write_run(&server->out, &guest->job, guest_deadline_ms(guest), err) != 0)
		return -1;
	guest->server = server;
	guest_begin(guest);
	SLIST_INSERT_HEAD(bucket_of(server, guest->job.id), guest, by_pid);
	server->guest_count++;
	server->given++;
	roster_add(server->roster, guest);
	return 0;
}

/* Its server has nothing to do with it any more. */
static void let_go(struct server *server, struct run *guest)
{
	SLIST_REMOVE(bucket_of(server, guest->job.id), guest, run, by_pid);
	server->guest_count--;
	guest->server = NULL;
	roster_move(server->roster, guest);
}

void server_cancel(struct server *server, int64_t job, const char *reason)
{
	/* What cannot be said any more ends with the grace that follows. */
	if (!server->orders_end)
		rpc_write_cancel(&server->out, job, reason, NULL);
}

/* --- answers ----------------------------------------------------------------------------------- */

static void refuse_start(struct server *server, struct json_span error)
{
	struct rpc_failure failure;
	char fault[sizeof(server->fault)];

	if (rpc_read_failure(error, &failure, NULL) != 0)
		failure.message = error;
	snprintf(fault, sizeof(fault), "the service refused initialize: %.*s",
		 (int)(failure.message.length > 300 ? 300 : failure.message.length),
		 failure.message.bytes);
	server_fail(server, fault);
}

static int be_ready(struct server *server, struct json_span result, struct error *err)
{
	struct rpc_service service;

	if (rpc_read_service(result, &service, err) != 0)
		return -1;
	server->credit = server->concurrency;
	if (service.concurrency > 0 && service.concurrency < server->credit)
		server->credit = (int)service.concurrency;
	server->pings = service.pings;
	if (server->state == SERVER_STARTING)
		server->state = SERVER_READY;
	uv_timer_stop(&server->timer);
	if (server->pings)
		wake_in(server, RPC_PING_MS);
	return 0;
}

static int take_own_answer(struct server *server, const struct rpc_message *message,
			   struct error *err)
{
	if (json_text_is(message->id, RPC_ID_PING)) {
		server->pinged = false;
		return 0;
	}
	if (!json_text_is(message->id, RPC_ID_INITIALIZE) || server->credit > 0) {
		server->stale++;
		return 0;
	}
	if (message->kind == RPC_RESULT)
		return be_ready(server, message->body, err);
	refuse_start(server, message->body);
	return 0;
}

static int take_answer(struct server *server, const struct rpc_message *message, struct error *err)
{
	struct rpc_failure failure;
	struct rpc_value value;
	struct run *guest;
	int64_t job;

	if (!json_scan_int(message->id, &job))
		return take_own_answer(server, message, err);
	if (message->kind == RPC_RESULT) {
		if (rpc_read_value(message->body, &value, err) != 0)
			return -1;
		guest = find_claim(server, job, &value.fence);
		if (guest != NULL)
			guest_answer(guest, &value);
	} else {
		if (rpc_read_failure(message->body, &failure, err) != 0)
			return -1;
		guest = find_claim(server, job, &failure.fence);
		if (guest != NULL)
			guest_fail(guest, &failure);
	}
	if (guest == NULL) {
		server->stale++;
		return 0;
	}
	server->successes++;
	let_go(server, guest);
	return 0;
}

/* --- notifications ----------------------------------------------------------------------------- */

static int take_notice(struct server *server, const struct rpc_message *message, struct error *err)
{
	bool is_progress = json_text_is(message->method, "job.progress");
	bool is_log = json_text_is(message->method, "job.log");
	struct rpc_notice notice;
	struct run *guest;

	if (!is_progress && !is_log && !json_text_is(message->method, "job.checkpoint"))
		return 0;
	if (rpc_read_notice(message->body, &notice, err) != 0)
		return -1;
	guest = find_claim(server, notice.job, &notice.fence);
	if (guest == NULL) {
		server->stale++;
		return 0;
	}
	guest_progress(guest);
	if (is_log)
		guest_log_add(guest, "", &notice);
	else
		guest_note_take(guest, &notice, is_progress);
	return 0;
}

/* --- lines ------------------------------------------------------------------------------------- */

/* A service that asks again and again does not listen to the answer. */
static int refuse_request(struct server *server, const struct rpc_message *message,
			  struct error *err)
{
	if (++server->requests > REQUESTS_MAX)
		return error_set(err, ERROR_INPUT, "more than %d requests", REQUESTS_MAX);
	if (!server->orders_end)
		rpc_write_refusal(&server->out, message->id, NULL);
	return 0;
}

static int take_message(struct server *server, const struct rpc_message *message, struct error *err)
{
	switch (message->kind) {
	case RPC_RESULT:
	case RPC_ERROR:
		return take_answer(server, message, err);
	case RPC_NOTICE:
		return take_notice(server, message, err);
	case RPC_REQUEST:
		return refuse_request(server, message, err);
	}
	return 0;
}

static bool is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	}
	return true;
}

static void take_line(struct server *server, const char *line, size_t length)
{
	struct rpc_message message;
	struct error err;
	char fault[sizeof(server->fault)];

	if (length > RPC_LINE_MAX) {
		server_fail(server, "the service wrote a line of more than 4 MiB");
		return;
	}
	if (is_blank(line, length))
		return;
	if (rpc_read(line, length, &message, &err) == 0 &&
	    take_message(server, &message, &err) == 0)
		return;
	snprintf(fault, sizeof(fault), "the service broke its protocol: %.400s", err.text);
	server_fail(server, fault);
}

static void take_lines(struct server *server)
{
	const char *end;

	while (server->fault[0] == '\0') {
		const char *line = buffer_bytes(&server->in);
		size_t length = buffer_length(&server->in);

		if (length == server->scanned)
			return;
		end = memchr(line + server->scanned, '\n', length - server->scanned);
		if (end == NULL) {
			server->scanned = length;
			if (length > RPC_LINE_MAX)
				take_line(server, line, length);
			return;
		}
		server->scanned = 0;
		take_line(server, line, (size_t)(end - line));
		buffer_consume(&server->in, (size_t)(end - line) + 1);
	}
}

void server_take(struct server *server, const char *bytes, size_t length)
{
	struct error err;

	if (server->fault[0] != '\0')
		return;
	if (buffer_append(&server->in, bytes, length, &err) != 0) {
		server_fail(server, "the agent has no memory for what the service wrote");
		return;
	}
	take_lines(server);
}

/* --- beginning and end ------------------------------------------------------------------------- */

void server_leave(struct server *server, enum run_reason reason, int64_t grace_ms)
{
	if (server->state == SERVER_GONE || server->run->state != RUN_RUNNING ||
	    server->fault[0] != '\0')
		return;
	server->state = SERVER_LEAVING;
	server->is_deaf = false;
	uv_timer_stop(&server->timer);
	if (!server->orders_end)
		rpc_write_shutdown(&server->out, grace_ms, NULL);
	server->orders_end = true;
	run_expect_end(server->run, reason, grace_ms);
}

static void let_memory_go(struct server *server)
{
	free(server->guests);
	buffer_free(&server->in);
	buffer_free(&server->out);
	free(server);
}

void server_on_closed(uv_handle_t *handle)
{
	struct server *server = handle->data;

	if (--server->handles == 0)
		let_memory_go(server);
}

static struct server *make(struct roster *roster, const struct program *program)
{
	const struct handler *handler = program->handler;
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->roster = roster;
	server->concurrency = handler->concurrency > 0 ? handler->concurrency : 1;
	server->bucket_count = BUCKETS_MIN + (size_t)server->concurrency;
	server->guests = calloc(server->bucket_count, sizeof(*server->guests));
	buffer_init(&server->in, IN_BYTES_MAX);
	buffer_init(&server->out, OUT_BYTES_MAX);
	if (server->guests != NULL)
		return server;
	free(server);
	return NULL;
}

static int watch(struct server *server, struct error *err)
{
	uv_timer_init(server->run->shared->loop, &server->timer);
	server->timer.data = server;
	server->handles++;
	return server_orders_open(server, err);
}

int server_start(struct server **server, struct run_shared *shared, struct roster *roster,
		 struct program *program, const char *agent, struct error *err)
{
	struct server *made = make(roster, program);

	if (made == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a process");
	made->run = run_make_server(shared, program, made, err);
	if (made->run == NULL || run_start_server(made->run, err) != 0) {
		if (made->run != NULL)
			run_free(made->run);
		let_memory_go(made);
		return -1;
	}
	roster_add(roster, made->run);
	*server = made;
	if (watch(made, err) != 0 || rpc_write_initialize(&made->out, agent, program->handler->name,
							  made->concurrency, err) != 0) {
		server_fail(made, err->text);
		return 0;
	}
	wake_in(made, RPC_ANSWER_MS);
	return 0;
}

static void orphan(struct server *server, struct run *guest)
{
	const struct run *run = server->run;
	struct wire_bytes tail = { run->log, (uint32_t)run->log_length };

	guest->exit_code = run->exit_code;
	guest->signal = run->signal;
	guest_orphan(guest, run->reason, server->fault, tail);
	let_go(server, guest);
}

void server_end(struct server *server)
{
	char fault[sizeof(server->fault)];
	struct run *guest;

	server_end_describe(server->run, server->fault, fault, sizeof(fault));
	memcpy(server->fault, fault, sizeof(fault));
	server->crashed = server_end_is_crash(server->run);
	server->lived_ms = clock_boottime_ms() - server->run->started_ms;
	for (size_t i = 0; i < server->bucket_count; i++) {
		while ((guest = SLIST_FIRST(&server->guests[i])) != NULL)
			orphan(server, guest);
	}
	server_orders_close(server);
	uv_timer_stop(&server->timer);
	server->run->server = NULL;
	server->run = NULL;
	server->state = SERVER_GONE;
}

void server_free(struct server *server)
{
	uv_close((uv_handle_t *)&server->timer, server_on_closed);
	if (server->stall.data != NULL)
		uv_close((uv_handle_t *)&server->stall, server_on_closed);
}
