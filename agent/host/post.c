#include "agent/host/post.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, IN_BYTES_MAX = WIRE_FRAME_MAX + 2 * READ_BYTES };
#define OUT_BYTES_MAX ((size_t)1 << 30)

void post_open(struct post *post, int fd)
{
	post->fd = fd;
	buffer_init(&post->in, IN_BYTES_MAX);
	buffer_init(&post->out, OUT_BYTES_MAX);
}

void post_close(struct post *post)
{
	close(post->fd);
	buffer_free(&post->in);
	buffer_free(&post->out);
}

/* The agent is gone. */
static int gone(struct error *err)
{
	error_clear(err);
	return -1;
}

int post_fill(struct post *post, struct error *err)
{
	for (;;) {
		char *room = buffer_reserve(&post->in, READ_BYTES, err);
		ssize_t got;

		if (room == NULL)
			return -1;
		got = recv(post->fd, room, READ_BYTES, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return gone(err);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (got < 0)
			return error_set_errno(err, ERROR_FATAL, errno,
					       "cannot read from the agent");
		post->in.end += (size_t)got;
		if (got < READ_BYTES)
			return 0;
	}
}

int post_flush(struct post *post, struct error *err)
{
	while (buffer_length(&post->out) > 0) {
		ssize_t sent = send(post->fd, buffer_bytes(&post->out), buffer_length(&post->out),
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return gone(err);
		if (sent < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_FATAL, errno,
					       "cannot write to the agent");
		if (sent > 0)
			buffer_consume(&post->out, (size_t)sent);
	}
	return 0;
}

int post_greet(struct post *post, struct wire_hello *hello, struct error *err)
{
	struct pollfd readable = { .fd = post->fd, .events = POLLIN };
	struct wire_frame frame;
	int got;

	while ((got = wire_next(&post->in, &frame, err)) == 0) {
		if (poll(&readable, 1, -1) < 0 && errno != EINTR)
			return error_set_errno(err, ERROR_FATAL, errno,
					       "cannot wait for the agent");
		if (post_fill(post, err) != 0)
			return -1;
	}
	if (got < 0)
		return -1;
	if (frame.type != WIRE_HELLO)
		return error_set(err, ERROR_FATAL, "the agent did not begin with HELLO");
	if (wire_read_hello(&frame, hello, err) != 0)
		return -1;
	wire_done(&post->in, &frame);
	return 0;
}

static int write_outcomes(struct post *post, struct locum_job_list *jobs, size_t count,
			  struct error *err)
{
	struct wire_outcome *outcomes = calloc(count, sizeof(*outcomes));
	struct locum_job *job;
	size_t i = 0;
	int status;

	if (outcomes == NULL)
		return error_set(err, ERROR_FATAL, "out of memory for outcomes");
	TAILQ_FOREACH(job, jobs, link)
	locum_job_outcome(job, &outcomes[i++]);
	status = wire_write_outcome(&post->out, outcomes, count, err);
	free(outcomes);
	return status;
}

int post_send(struct post *post, const struct buffer *broken, struct locum_job_list *jobs,
	      size_t count, struct error *err)
{
	struct locum_job *job;

	if (buffer_length(broken) > 0 &&
	    buffer_append(&post->out, buffer_bytes(broken), buffer_length(broken), err) != 0)
		return -1;
	if (count > 0 && write_outcomes(post, jobs, count, err) != 0)
		return -1;
	while ((job = TAILQ_FIRST(jobs)) != NULL) {
		TAILQ_REMOVE(jobs, job, link);
		locum_job_free(job);
	}
	return 0;
}
