#include "dispatcher/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 256 * 1024 };
#define LINK_LIMIT ((size_t)2 * WIRE_FRAME_MAX)

void link_init(struct link *link)
{
	memset(link, 0, sizeof(*link));
	link->fd = -1;
	buffer_init(&link->in, LINK_LIMIT);
	buffer_init(&link->out, LINK_LIMIT);
}

bool link_is_ready(const struct link *link)
{
	return link->fd >= 0 && link->greeted && link->awaited == 0 && !link->stopping;
}

void link_open(struct link *link, int fd)
{
	link_close(link);
	link->fd = fd;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->awaited = 0;
	link->greeted = false;
	link->stopping = false;
	buffer_free(&link->in);
	buffer_free(&link->out);
}

int link_flush(struct link *link, struct error *err)
{
	while (link->fd >= 0 && buffer_length(&link->out) > 0) {
		ssize_t sent = send(link->fd, buffer_bytes(&link->out), buffer_length(&link->out),
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0)
			return error_set_errno(err, ERROR_RETRY, errno,
					       "cannot write to the agent");
		buffer_consume(&link->out, (size_t)sent);
	}
	return 0;
}

int link_fill(struct link *link, struct error *err)
{
	char *room = buffer_reserve(&link->in, READ_SIZE, err);
	ssize_t got;

	if (room == NULL)
		return -1;
	got = recv(link->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 0
			       : error_set_errno(err, ERROR_RETRY, errno,
						 "cannot read from the agent");
	if (got == 0)
		return error_set(err, ERROR_RETRY, "the agent closed its socket");
	link->in.end += (size_t)got;
	return got == READ_SIZE ? 1 : 0;
}
