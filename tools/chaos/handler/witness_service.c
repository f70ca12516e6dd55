#include "tools/chaos/handler/witness_service.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/rpc.h"
#include "base/uuid.h"
#include "tools/chaos/handler/effect.h"

enum { JOBS_MAX = 1000, READ_SIZE = 65536, NUMBER_SIZE = 24 };

struct work {
	char id[NUMBER_SIZE];
	struct effect effect;
	int64_t end_us;
	int64_t beat_us; /* when the next is due */
	char fail[EFFECT_FAIL_SIZE];
	bool cancelled;
};

struct service {
	const char *path;
	struct buffer orders;
	struct work *works[JOBS_MAX];
	size_t count;
	bool stopping; /* it was told to shut down */
};

/* --- answers ------------------------------------------------------------------------------------ */

static int answer(struct json_span id, const char *end, struct error *err)
{
	char *line = NULL;
	int length = asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}\n", (int)id.length,
			      id.bytes, end);
	int written = 0;

	while (length > 0 && written < length) {
		ssize_t more = write(RPC_ANSWERS_FD, line + written, (size_t)(length - written));

		if (more < 0 && errno != EINTR)
			break;
		written += more < 0 ? 0 : (int)more;
	}
	if (length > 0)
		free(line);
	return length > 0 && written == length
		       ? 0
		       : error_set_errno(err, ERROR_FATAL, errno, "cannot answer");
}

static int refuse(struct json_span id, const char *message, struct error *err)
{
	char end[ERROR_TEXT_MAX];

	snprintf(end, sizeof(end), "\"error\":{\"code\":1,\"message\":\"%s\"}", message);
	return answer(id, end, err);
}

static int finish(struct service *service, size_t place, struct error *err)
{
	struct work *work = service->works[place];
	const struct json_span id = { work->id, strlen(work->id) };
	int status = effect_write(&work->effect, "end", err);
	int code = 0;

	if (status == 0 && !work->cancelled)
		code = effect_fail(work->fail);
	if (status == 0 && code == 0 && !work->cancelled)
		status = answer(id, "\"result\":null", err);
	else if (status == 0)
		status = refuse(id, work->cancelled ? "cancelled" : work->fail, err);
	effect_close(&work->effect);
	free(work);
	service->works[place] = service->works[--service->count];
	return status;
}

/* --- orders ------------------------------------------------------------------------------------- */

static void copy_number(struct json_span value, char text[static NUMBER_SIZE])
{
	snprintf(text, NUMBER_SIZE, "%.*s", (int)(value.bytes == NULL ? 0 : value.length),
		 value.bytes == NULL ? "" : value.bytes);
}

static int begin(struct service *service, struct json_span id, struct json_member *params,
		 struct error *err)
{
	struct work *work = service->count < JOBS_MAX ? calloc(1, sizeof(*work)) : NULL;
	struct effect_payload payload;
	char claim[UUID_TEXT_SIZE] = "-";
	char seq[NUMBER_SIZE];
	struct json_span fence = params[1].value;

	if (work == NULL)
		return refuse(id, "too many jobs", err);
	copy_number(id, work->id);
	copy_number(params[2].value, seq);
	if (fence.bytes != NULL && fence.length == UUID_TEXT_SIZE + 1)
		snprintf(claim, sizeof(claim), "%s", fence.bytes + 1);
	if (effect_open(&work->effect, service->path, work->id, claim, seq, err) != 0 ||
	    effect_write(&work->effect, "begin", err) != 0) {
		free(work);
		return -1;
	}
	effect_read(params[3].value, &payload);
	snprintf(work->fail, sizeof(work->fail), "%s", payload.fail);
	work->end_us = payload.fail[0] == 'h' ? INT64_MAX : effect_now_us() + payload.work_us;
	work->beat_us = effect_now_us() + (int64_t)EFFECT_BEAT_MS * 1000;
	service->works[service->count++] = work;
	return 0;
}

static void cancel(struct service *service, struct json_span id)
{
	char text[NUMBER_SIZE];

	copy_number(id, text);
	for (size_t i = 0; i < service->count; i++) {
		if (strcmp(service->works[i]->id, text) == 0) {
			service->works[i]->cancelled = true;
			service->works[i]->end_us = 0;
		}
	}
}

static bool is_method(struct json_span method, const char *name)
{
	return method.bytes != NULL && method.length == strlen(name) + 2 &&
	       strncmp(method.bytes + 1, name, strlen(name)) == 0;
}

static int obey(struct service *service, struct json_span line, struct error *err)
{
	struct json_member members[] = { { .name = "id" },
					 { .name = "method" },
					 { .name = "params" } };
	struct json_member params[] = { { .name = "id" },
					{ .name = "fence" },
					{ .name = "claimSeq" },
					{ .name = "payload", .may_be_deep = true } };
	struct json_span method;

	if (json_scan_object(line, members, 3, err) != 0)
		return -1;
	method = members[1].value;
	if (members[2].value.bytes != NULL &&
	    json_scan_object(members[2].value, params, 4, err) != 0)
		return -1;
	if (is_method(method, "initialize"))
		return answer(members[0].value,
			      "\"result\":{\"name\":\"witness\",\"version\":\"1\","
			      "\"concurrency\":1000,\"pings\":true}",
			      err);
	if (is_method(method, "ping"))
		return answer(members[0].value, "\"result\":null", err);
	if (is_method(method, "job.run"))
		return begin(service, members[0].value, params, err);
	if (is_method(method, "job.cancel") && params[0].value.bytes != NULL)
		cancel(service, params[0].value);
	if (is_method(method, "shutdown"))
		service->stopping = true;
	return 0;
}

/* 1, 0 when they have ended, -1. */
static int take_orders(struct service *service, struct error *err)
{
	char *room = buffer_reserve(&service->orders, READ_SIZE, err);
	ssize_t got = room == NULL ? -1 : read(RPC_ORDERS_FD, room, READ_SIZE);
	const char *end;

	if (got <= 0)
		return got == 0 ? 0
				: error_set_errno(err, ERROR_FATAL, errno, "cannot read orders");
	service->orders.end += (size_t)got;
	while (buffer_length(&service->orders) > 0 &&
	       (end = memchr(buffer_bytes(&service->orders), '\n',
			     buffer_length(&service->orders))) != NULL) {
		size_t length = (size_t)(end - buffer_bytes(&service->orders));

		if (length > 0 &&
		    obey(service, (struct json_span){ buffer_bytes(&service->orders), length },
			 err) != 0)
			return -1;
		buffer_consume(&service->orders, length + 1);
	}
	return 1;
}

/* --- the loop ----------------------------------------------------------------------------------- */

/* Ends what is due, beats for what goes on. */
static int turn(struct service *service, struct error *err)
{
	int64_t now_us = effect_now_us();

	for (size_t i = service->count; i-- > 0;) {
		struct work *work = service->works[i];

		if (work->end_us <= now_us) {
			if (finish(service, i, err) != 0)
				return -1;
		} else if (work->beat_us <= now_us) {
			effect_write(&work->effect, "beat", NULL);
			work->beat_us = now_us + (int64_t)EFFECT_BEAT_MS * 1000;
		}
	}
	return 0;
}

/* Until the next turn is due; -1: when something comes. */
static int pause_ms(const struct service *service)
{
	int64_t first_us = INT64_MAX;
	int64_t left_us;

	for (size_t i = 0; i < service->count; i++) {
		const struct work *work = service->works[i];
		int64_t due_us = work->end_us < work->beat_us ? work->end_us : work->beat_us;

		first_us = due_us < first_us ? due_us : first_us;
	}
	if (service->count == 0)
		return -1;
	left_us = first_us - effect_now_us();
	return left_us <= 0 ? 0 : (int)((left_us + 999) / 1000);
}

int witness_service(const char *path, struct error *err)
{
	struct service service = { .path = path };
	struct pollfd orders = { .fd = RPC_ORDERS_FD, .events = POLLIN };
	int status = 1;

	buffer_init(&service.orders, RPC_LINE_MAX + READ_SIZE);
	while (status == 1 && !(service.stopping && service.count == 0)) {
		int ready = poll(&orders, 1, pause_ms(&service));

		if (ready < 0 && errno != EINTR)
			status = error_set_errno(err, ERROR_FATAL, errno, "cannot wait");
		else if (ready > 0)
			status = take_orders(&service, err);
		if (status == 1 && turn(&service, err) != 0)
			status = -1;
	}
	while (service.count > 0)
		free(service.works[--service.count]);
	buffer_free(&service.orders);
	return status < 0 ? -1 : 0;
}
