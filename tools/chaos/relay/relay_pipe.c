#include "tools/chaos/relay/relay_pipe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_BYTES = 64 * 1024,
	IN_MOST = 2 * RELAY_PIPE_LOOK,
	OUT_ENOUGH = 1024 * 1024,    /* nothing is read while more is on its way */
	OUT_MOST = 16 * 1024 * 1024, /* a request that is held whole */
	BURST_MS = 50,               /* under a rate, so much time's bytes may go at once */
	MILLI = 1000,
};

void relay_pipe_init(struct relay_pipe *pipe)
{
	memset(pipe, 0, sizeof(*pipe));
	buffer_init(&pipe->in, IN_MOST);
	buffer_init(&pipe->out, OUT_MOST);
}

void relay_pipe_fini(struct relay_pipe *pipe)
{
	buffer_free(&pipe->in);
	buffer_free(&pipe->out);
}

bool relay_pipe_has_room(const struct relay_pipe *pipe)
{
	return buffer_length(&pipe->in) + READ_BYTES <= IN_MOST &&
	       buffer_length(&pipe->out) < OUT_ENOUGH;
}

void relay_pipe_read(struct relay_pipe *pipe, int fd)
{
	char *room = buffer_reserve(&pipe->in, READ_BYTES, NULL);
	ssize_t got;

	if (room == NULL)
		return;
	pipe->readable = false;
	got = read(fd, room, READ_BYTES);
	if (got > 0)
		pipe->in.end += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		pipe->ended = true;
}

/* --- on its way -------------------------------------------------------------------------------- */

static struct relay_piece *piece_at(struct relay_pipe *pipe, size_t place)
{
	return &pipe->pieces[(pipe->first + place) % RELAY_PIPE_PIECES];
}

/* A piece never leaves before the one that came before it. */
static void add_piece(struct relay_pipe *pipe, size_t length, int64_t due_ms)
{
	struct relay_piece *last = pipe->piece_count > 0 ? piece_at(pipe, pipe->piece_count - 1)
							 : NULL;

	if (last != NULL && (last->due_ms >= due_ms || pipe->piece_count == RELAY_PIPE_PIECES))
		last->length += length;
	else
		*piece_at(pipe, pipe->piece_count++) = (struct relay_piece){ .due_ms = due_ms,
									     .length = length };
}

/* What cannot be kept breaks the pipe: a hole in it would be worse. */
static void add(struct relay_pipe *pipe, const char *bytes, size_t length, int64_t due_ms)
{
	if (pipe->broken || length == 0)
		return;
	if (buffer_append(&pipe->out, bytes, length, NULL) != 0)
		pipe->broken = true;
	else
		add_piece(pipe, length, due_ms);
}

void relay_pipe_pass(struct relay_pipe *pipe, size_t length, int64_t due_ms)
{
	add(pipe, buffer_bytes(&pipe->in), length, due_ms);
	buffer_consume(&pipe->in, length);
}

void relay_pipe_drop(struct relay_pipe *pipe, size_t length)
{
	buffer_consume(&pipe->in, length);
}

void relay_pipe_put(struct relay_pipe *pipe, const char *bytes, size_t length)
{
	add(pipe, bytes, length, 0);
}

void relay_pipe_hurry(struct relay_pipe *pipe)
{
	for (size_t i = 0; i < pipe->piece_count; i++)
		piece_at(pipe, i)->due_ms = 0;
}

/* --- out --------------------------------------------------------------------------------------- */

static size_t due_bytes(struct relay_pipe *pipe, int64_t now_ms)
{
	size_t due = 0;

	for (size_t i = 0; i < pipe->piece_count && piece_at(pipe, i)->due_ms <= now_ms; i++)
		due += piece_at(pipe, i)->length;
	return due;
}

static void earn(struct relay_pipe *pipe, int64_t rate, int64_t now_ms)
{
	int64_t most = rate * BURST_MS + MILLI;

	pipe->allowance += (now_ms - pipe->earned_ms) * rate;
	pipe->earned_ms = now_ms;
	if (pipe->allowance > most)
		pipe->allowance = most;
}

static void take_out(struct relay_pipe *pipe, size_t length)
{
	buffer_consume(&pipe->out, length);
	while (length > 0) {
		struct relay_piece *piece = piece_at(pipe, 0);
		size_t part = piece->length < length ? piece->length : length;

		piece->length -= part;
		length -= part;
		if (piece->length == 0) {
			pipe->first = (pipe->first + 1) % RELAY_PIPE_PIECES;
			pipe->piece_count--;
		}
	}
}

void relay_pipe_write(struct relay_pipe *pipe, int fd, int64_t rate, int64_t now_ms)
{
	size_t length = due_bytes(pipe, now_ms);
	ssize_t sent;

	if (rate > 0) {
		earn(pipe, rate, now_ms);
		if (length > (size_t)(pipe->allowance / MILLI))
			length = (size_t)(pipe->allowance / MILLI);
	}
	if (pipe->broken)
		take_out(pipe, buffer_length(&pipe->out));
	if (length == 0 || pipe->broken || pipe->blocked)
		return;
	sent = send(fd, buffer_bytes(&pipe->out), length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0) {
		take_out(pipe, (size_t)sent);
		pipe->allowance -= rate > 0 ? sent * MILLI : 0;
	} else if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) {
		pipe->blocked = true;
	} else {
		pipe->broken = true;
	}
}

int64_t relay_pipe_due_ms(const struct relay_pipe *pipe, int64_t rate, int64_t now_ms)
{
	int64_t due_ms = pipe->pieces[pipe->first].due_ms;
	int64_t earned_ms;

	if (pipe->piece_count == 0 || pipe->blocked)
		return INT64_MAX;
	if (rate <= 0)
		return due_ms;
	earned_ms = now_ms + (MILLI - pipe->allowance) / rate + 1;
	return due_ms > earned_ms ? due_ms : earned_ms;
}

bool relay_pipe_is_empty(const struct relay_pipe *pipe)
{
	return buffer_length(&pipe->in) == 0 && buffer_length(&pipe->out) == 0;
}
