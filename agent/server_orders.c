#include "agent/server_orders.h"

#include <errno.h>
#include <unistd.h>

/* A server that has jobs may be busy with them, and they have time limits of their own. */
static void on_stall(uv_timer_t *handle)
{
	struct server *server = handle->data;

	guard_check(&server->run->shared->guard);
	if (server->guest_count == 0)
		server_fail(server, "the service did not read its orders in time");
	else
		uv_timer_start(&server->stall, on_stall, RPC_ANSWER_MS, 0);
}

static void drop(struct server *server)
{
	buffer_consume(&server->out, buffer_length(&server->out));
	uv_poll_stop(&server->orders_poll);
	uv_timer_stop(&server->stall);
	server->orders_end = true;
	server_hung_up(server);
}

static void on_change(uv_poll_t *handle, int status, int events)
{
	struct server *server = handle->data;

	guard_check(&server->run->shared->guard);
	/* The other end of a pipe is closed by an error. */
	if (status < 0 || (events & UV_DISCONNECT) != 0)
		drop(server);
	else
		server_orders_flush(server);
}

static void block(struct server *server)
{
	if (server->blocked)
		return;
	server->blocked = true;
	uv_poll_start(&server->orders_poll, UV_WRITABLE | UV_DISCONNECT, on_change);
}

static void unblock(struct server *server)
{
	if (!server->blocked)
		return;
	server->blocked = false;
	uv_poll_start(&server->orders_poll, UV_DISCONNECT, on_change);
	uv_timer_stop(&server->stall);
}

static void watch_stall(struct server *server, size_t written)
{
	if (written == 0 && uv_is_active((uv_handle_t *)&server->stall))
		return;
	uv_update_time(server->run->shared->loop);
	uv_timer_start(&server->stall, on_stall, RPC_ANSWER_MS, 0);
}

void server_orders_flush(struct server *server)
{
	int fd = server->run == NULL ? -1 : server->run->pipes.orders_write;
	size_t written = 0;

	while (fd >= 0 && buffer_length(&server->out) > 0) {
		ssize_t put = write(fd, buffer_bytes(&server->out), buffer_length(&server->out));

		if (put >= 0) {
			buffer_consume(&server->out, (size_t)put);
			written += (size_t)put;
		} else if (errno == EAGAIN) {
			block(server);
			watch_stall(server, written);
			return;
		} else if (errno != EINTR) {
			drop(server);
			return;
		}
	}
	if (fd < 0)
		return;
	unblock(server);
	if (server->orders_end)
		server_orders_close(server);
}

/* The handle first: closed later it would unwatch whoever has the descriptor's number by then. */
void server_orders_close(struct server *server)
{
	uv_handle_t *handle = (uv_handle_t *)&server->orders_poll;

	if (handle->data != NULL && !uv_is_closing(handle))
		uv_close(handle, server_on_closed);
	uv_timer_stop(&server->stall);
	pipes_close_orders(&server->run->pipes);
}

int server_orders_open(struct server *server, struct error *err)
{
	uv_loop_t *loop = server->run->shared->loop;

	uv_timer_init(loop, &server->stall);
	server->stall.data = server;
	server->handles++;
	if (uv_poll_init(loop, &server->orders_poll, server->run->pipes.orders_write) != 0)
		return error_set(err, ERROR_RETRY, "cannot watch a pipe");
	server->orders_poll.data = server;
	server->handles++;
	uv_poll_start(&server->orders_poll, UV_DISCONNECT, on_change);
	return 0;
}
