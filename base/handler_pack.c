#include "base/handler_pack.h"

#include "base/limits.h"

static void put_limits(struct pack_writer *to, const struct handler_limits *limits)
{
	pack_i64(to, limits->memory_bytes);
	pack_i64(to, limits->files);
	pack_i64(to, limits->processes);
	pack_i64(to, limits->cpu_s);
	pack_i64(to, limits->file_bytes);
}

static struct handler_limits take_limits(struct pack_reader *from)
{
	struct handler_limits limits;

	limits.memory_bytes = unpack_i64(from);
	limits.files = unpack_i64(from);
	limits.processes = unpack_i64(from);
	limits.cpu_s = unpack_i64(from);
	limits.file_bytes = unpack_i64(from);
	return limits;
}

void handler_pack_write(struct pack_writer *to, const struct handler *handler)
{
	pack_string(to, handler->name);
	pack_u8(to, handler->kind);
	pack_strings(to, handler->argv);
	pack_strings(to, handler->environment);
	pack_string(to, handler->directory);
	pack_string(to, handler->user);
	pack_i64(to, handler->timeout_ms);
	pack_u8(to, handler->fence);
	put_limits(to, &handler->limits);
	pack_string(to, handler->path);
	pack_string(to, handler->symbol);
	pack_string(to, handler->function);
	pack_i32(to, handler->concurrency);
	pack_i32(to, handler->instances);
	pack_i64(to, handler->max_jobs);
	pack_i64(to, handler->progress_timeout_ms);
}

static unsigned take_choice(struct pack_reader *from, unsigned most)
{
	unsigned value = unpack_u8(from);

	from->failed |= value > most;
	return value;
}

static int take_count(struct pack_reader *from, int most)
{
	int count = unpack_i32(from);

	from->failed |= count < 0 || count > most;
	return count;
}

static int64_t take_number(struct pack_reader *from)
{
	int64_t number = unpack_i64(from);

	from->failed |= number < 0;
	return number;
}

void handler_pack_read(struct pack_reader *from, struct handler *handler)
{
	handler->name = unpack_string(from);
	handler->kind = (enum handler_kind)take_choice(from, HANDLER_SQL);
	handler->argv = unpack_strings(from);
	handler->environment = unpack_strings(from);
	handler->directory = unpack_string(from);
	handler->user = unpack_string(from);
	handler->timeout_ms = take_number(from);
	handler->fence = (enum handler_fence)take_choice(from, HANDLER_FENCE_FINISH);
	handler->limits = take_limits(from);
	handler->path = unpack_string(from);
	handler->symbol = unpack_string(from);
	handler->function = unpack_string(from);
	handler->concurrency = take_count(from, LIMIT_CONCURRENCY);
	handler->instances = take_count(from, LIMIT_INSTANCES);
	handler->max_jobs = take_number(from);
	handler->progress_timeout_ms = take_number(from);
	from->failed |= handler->name == NULL;
}
