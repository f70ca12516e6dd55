#include "agent/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, READS_PER_TURN = 16 };
enum { IN_BYTES_MAX = WIRE_FRAME_MAX + 2 * READ_BYTES };
#define OUT_BYTES_MAX ((size_t)1 << 30)

static void on_event(uv_poll_t *handle, int status, int events);

static void lose(struct channel *channel, const struct error *err)
{
	if (!channel->open)
		return;
	channel_close(channel);
	channel->callbacks->gone(channel->context, err);
}

static bool is_busy(int error)
{
	return error == EAGAIN || error == EINTR;
}

/* Resets by a dispatcher that died with something unread are its end, too. */
static bool is_end(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

static void lose_by_errno(struct channel *channel, int error)
{
	struct error err = { .kind = ERROR_NONE };

	if (!is_end(error))
		error_set_errno(&err, ERROR_FATAL, error, "the socket to the dispatcher failed");
	lose(channel, &err);
}

static void watch(struct channel *channel, int events)
{
	if (!channel->open || channel->events == events)
		return;
	channel->events = events;
	uv_poll_start(&channel->poll, events, on_event);
}

/* Returns whether there may be more to read. */
static bool read_once(struct channel *channel)
{
	struct error err = { .kind = ERROR_NONE };
	char *room = buffer_reserve(&channel->in, READ_BYTES, &err);
	ssize_t got;

	if (room == NULL) {
		lose(channel, &err);
		return false;
	}
	got = recv(channel->fd, room, READ_BYTES, 0);
	if (got > 0) {
		channel->in.end += (size_t)got;
		return got == READ_BYTES;
	}
	if (got == 0 || is_end(errno))
		channel->ended = true;
	else if (!is_busy(errno))
		lose_by_errno(channel, errno);
	return false;
}

static void deliver(struct channel *channel)
{
	struct error err = { .kind = ERROR_NONE };
	struct wire_frame frame;
	int got = 0;

	while (channel->open && (got = wire_next(&channel->in, &frame, &err)) == 1) {
		channel->callbacks->frame(channel->context, &frame);
		if (channel->open)
			wire_done(&channel->in, &frame);
	}
	if (got < 0 || channel->ended)
		lose(channel, &err);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
	struct channel *channel = handle->data;

	channel->callbacks->awake(channel->context);
	if (status < 0) { /* an error on the socket, by whatever number libuv gives it */
		lose_by_errno(channel, ECONNRESET);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		channel_flush(channel);
	if ((events & UV_READABLE) == 0)
		return;
	for (int i = 0; i < READS_PER_TURN && channel->open && read_once(channel); i++) {
	}
	deliver(channel);
}

int channel_open(struct channel *channel, uv_loop_t *loop, int fd,
		 const struct channel_callbacks *callbacks, void *context, struct error *err)
{
	*channel = (struct channel){ .fd = fd, .callbacks = callbacks, .context = context };
	buffer_init(&channel->in, IN_BYTES_MAX);
	buffer_init(&channel->out, OUT_BYTES_MAX);
	if (uv_poll_init(loop, &channel->poll, fd) != 0)
		return error_set(err, ERROR_FATAL, "cannot watch the socket");
	channel->poll.data = channel;
	channel->open = true;
	watch(channel, UV_READABLE);
	return 0;
}

void channel_flush(struct channel *channel)
{
	if (!channel->open)
		buffer_free(&channel->out); /* nobody is there to read it */
	while (channel->open && buffer_length(&channel->out) > 0) {
		ssize_t sent = send(channel->fd, buffer_bytes(&channel->out),
				    buffer_length(&channel->out), MSG_NOSIGNAL);

		if (sent < 0 && !is_busy(errno)) {
			lose_by_errno(channel, errno);
			return;
		}
		if (sent < 0 && errno != EINTR)
			break;
		if (sent > 0)
			buffer_consume(&channel->out, (size_t)sent);
	}
	watch(channel, channel_is_flushed(channel) ? UV_READABLE : UV_READABLE | UV_WRITABLE);
}

void channel_drain(struct channel *channel)
{
	while (channel->open && read_once(channel)) {
	}
	deliver(channel);
}

bool channel_is_flushed(const struct channel *channel)
{
	return !channel->open || buffer_length(&channel->out) == 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct channel *channel = handle->data;

	channel->callbacks->closed(channel->context);
}

void channel_close(struct channel *channel)
{
	if (!channel->open)
		return;
	channel->open = false;
	uv_close((uv_handle_t *)&channel->poll,
		 channel->callbacks->closed == NULL ? NULL : on_closed);
	close(channel->fd);
	buffer_free(&channel->in);
	buffer_free(&channel->out);
}
